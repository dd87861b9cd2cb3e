//! A restart that refuses no connection: on a socket that the service manager keeps, and by two processes that overlap.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use crate::support::http::Http;
use crate::support::process::Process;
use crate::support::server::TestServer;
use crate::support::setup::{Setup, binary, run};
use crate::support::{DEADLINE, eventually};

const UP: &[u8] = b"GET /up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

const HEALTHY: &str = r#"{"health":"OK"}"#;

/// A client that connects again and again.
struct Knocking {
    ends: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    client: JoinHandle<()>,
}

impl Knocking {
    fn begin(addr: SocketAddr) -> Self {
        let (ends, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, count) = (Arc::clone(&ends), Arc::clone(&answered));
        let client = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let mut stream = match TcpStream::connect(addr) {
                    Ok(stream) => stream,
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => continue,
                    Err(error) => panic!("refused: {error}"),
                };
                stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
                let mut answer = String::new();
                if stream.write_all(UP).is_ok() && stream.read_to_string(&mut answer).is_ok() {
                    count.fetch_add(usize::from(answer.ends_with(HEALTHY)), Ordering::Relaxed);
                }
            }
        });
        Self { ends, answered, client }
    }

    /// Waits for the next answer.
    #[track_caller]
    fn expect_answer(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let more = || (self.answered.load(Ordering::Relaxed) > before).then_some(());
        eventually("the client is answered", || {
            assert!(!self.client.is_finished(), "a connection was refused");
            more()
        });
    }

    #[track_caller]
    fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.client.join().expect("no connection was refused");
    }
}

fn alone(settings: &str) -> Setup {
    Setup::new().command(Some("serve")).config(&format!("{settings}\n[timeouts]\ndrain = 0\n[bus]"))
}

fn ready((process, folder): (Process, tempfile::TempDir)) -> TestServer {
    let ready = process.line().unwrap_or_else(|| panic!("not ready: {}", process.stderr()));
    TestServer::new(process, ready, folder)
}

#[test]
fn a_restart_on_a_socket_of_the_service_manager_refuses_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("a listener has an address");
    let start = || {
        let passed = OwnedFd::from(listener.try_clone().expect("descriptors are left"));
        ready(alone("").arguments(&["--admin-listen", "127.0.0.1:0"]).spawn_passing(passed, "public"))
    };
    let first = start();
    assert_eq!(first.addr, addr, "the ready line has the address of the socket");
    let knocking = Knocking::begin(addr);
    knocking.expect_answer();
    first.stop();
    let second = start();
    knocking.expect_answer();
    knocking.end();
    drop(second);
}

#[test]
fn a_unix_socket_and_the_operators_listener_are_passed_on_too() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("passed.sock");
    let unix = UnixListener::bind(&path).expect("the path is free");
    let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let server = ready(alone("").arguments(&arguments).spawn_passing(unix.into(), "public"));
    let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("the server accepts");
    stream.write_all(UP).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.ends_with(HEALTHY), "{answer}");
    server.stop();
    assert!(path.exists(), "the file is its maker's");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("a listener has an address");
    let server =
        ready(alone("").arguments(&["--listen", "127.0.0.1:0"]).spawn_passing(listener.into(), "admin"));
    assert_eq!(server.admin, addr);
    assert_eq!(server.admin("/ready").body, "ready\n");
}

#[test]
fn a_socket_that_cannot_be_used_is_told_with_what_it_has_to_be() {
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let bound = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let connected = TcpStream::connect(bound.local_addr().expect("an address")).expect("it listens");
    for (socket, name, status, said) in [
        (listener(), "fanfare.socket", 64, "FileDescriptorName= has to be public, tls or admin"),
        (OwnedFd::from(connected), "public", 64, "no listening stream socket"),
        (listener(), "tls", 69, "[tls] is not set"),
    ] {
        let (mut process, _folder) = alone("")
            .arguments(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .spawn_passing(socket, name);
        assert_eq!(process.ended().code(), Some(status), "{name}: {}", process.stderr());
        assert!(process.stderr().contains(said), "{name}: {}", process.stderr());
    }
}

#[test]
fn a_number_of_passed_sockets_that_cannot_be_is_refused_with_the_variable() {
    for count in ["1001", "99999999999999999999", "-1", "many"] {
        let script = format!(
            "export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$0\" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"
        );
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut shell = Command::new("sh");
        let fanfare = binary(folder.path());
        let ended = run(shell.arg("-c").arg(script).arg(fanfare.get_program()).current_dir(folder.path()));
        assert_ne!(ended.status, 0, "{count}");
        assert!(ended.stderr.contains(&format!("LISTEN_FDS is \"{count}\"")), "{count}: {}", ended.stderr);
    }
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("a listener has an address");
    let mut setup = alone("").arguments(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    for (name, value) in [("LISTEN_FDS", "1"), ("LISTEN_PID", "1"), ("LISTEN_FDNAMES", "other")] {
        setup = setup.env(name, value);
    }
    let server = setup.start();
    assert_ne!(server.addr, addr);
    server.public("/up").expect(HEALTHY);
}

#[test]
fn a_restart_by_processes_that_overlap_refuses_no_connection() {
    let overlapping = |addr: &str| {
        let setup = alone("[listen]\noverlap = true\nunix_path = \"public.sock\"");
        setup.arguments(&["--listen", addr, "--admin-listen", "127.0.0.1:0"])
    };
    let first = overlapping("127.0.0.1:0").start();
    let addr = first.addr;
    let knocking = Knocking::begin(addr);
    knocking.expect_answer();
    let second = overlapping(&addr.to_string()).start();
    assert_eq!(second.addr, addr);
    first.stop();
    knocking.expect_answer();
    Http::connect(addr).get("/up").expect(HEALTHY);
    // And once more.
    let third = overlapping(&addr.to_string()).start();
    second.stop();
    knocking.expect_answer();
    knocking.end();
    third.process.signal(Signal::TERM);
}

#[test]
fn a_new_process_that_cannot_serve_yet_or_ever_takes_nothing_from_the_one_that_does() {
    let overlapping = |addr: &str, settings: &str| {
        let setup = alone(&format!("[listen]\noverlap = true\n{settings}"));
        setup.arguments(&["--listen", addr, "--admin-listen", "127.0.0.1:0"])
    };
    let first = overlapping("127.0.0.1:0", "unix_path = \"public.sock\"").start();
    let (addr, socket) = (first.addr.to_string(), first.folder().join("public.sock"));
    let file = fs::metadata(&socket).expect("it is there").ino();
    // A database that takes connections and never answers.
    let database = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("postgres://u:p@{}/d", database.local_addr().expect("an address"));
    let second = overlapping(&addr, &format!("unix_path = {socket:?}"));
    let second = second.env("FANFARE__APPS__DATABASE", &url);
    let mut process = second.spawn();
    database.set_nonblocking(true).expect("a socket may");
    let _asked = eventually("the new process asks its database", || database.accept().ok());
    for _ in 0..64 {
        Http::connect(first.addr).get("/up").expect(HEALTHY);
    }
    assert_eq!(process.ended().code(), Some(69), "{}", process.stderr());
    assert_eq!(fs::metadata(&socket).expect("the first one's is still there").ino(), file);
    let left = fs::read_dir(first.folder()).expect("the folder is there").filter_map(Result::ok);
    let sockets = left.filter(|entry| entry.file_name().to_string_lossy().contains(".sock"));
    assert_eq!(sockets.count(), 1, "the new process leaves no socket behind");
}

#[test]
fn without_overlap_a_port_in_use_is_still_a_fault() {
    let first = alone("[listen]\noverlap = true")
        .arguments(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .start();
    let addr = first.addr.to_string();
    let ended = alone("").arguments(&["--listen", &addr, "--admin-listen", "127.0.0.1:0"]).run();
    assert_eq!(ended.status, 69, "{}", ended.stderr);
    assert!(ended.stderr.contains("in use"), "{}", ended.stderr);
}
