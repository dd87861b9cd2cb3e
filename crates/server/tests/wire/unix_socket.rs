//! A Unix-domain socket for clients and back ends, beside the address: with HAProxy, nginx and curl.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::support::api::Api;
use crate::support::haproxy::HaProxy;
use crate::support::http::Http;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, eventually};

/// A server with a socket in its folder; alone, because two would want one path.
fn setup(settings: &str) -> Setup {
    Setup::new().config(&format!("[listen]\nunix_path = \"public.sock\"\n{settings}\n[bus]"))
}

fn path_of(server: &TestServer) -> PathBuf {
    server.folder().join("public.sock")
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What curl prints for a path of the server.
fn curl(socket: &Path, arguments: &[&str], path: &str) -> String {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "30", "--unix-socket"])
        .arg(socket)
        .args(arguments);
    let ended = command
        .arg(format!("http://localhost{path}"))
        .stdin(Stdio::null())
        .output()
        .expect("curl is installed");
    String::from_utf8(ended.stdout).expect("text") + &String::from_utf8_lossy(&ended.stderr)
}

#[test]
fn curl_reaches_the_server_over_the_socket_and_its_header_names_the_client() {
    let server = setup("trusted_proxies = []").start();
    let socket = path_of(&server);
    assert_eq!(curl(&socket, &[], "/up"), r#"{"health":"OK"}"#);
    assert_eq!(fs::metadata(&socket).expect("it is there").permissions().mode() & 0o777, 0o660);
    curl(&socket, &["-H", "X-Forwarded-For: 198.51.100.7"], "/apps/3/channels");
    server.process.log_line("the client of the header", |line| {
        (line.contains("request refused") && line.contains("198.51.100.7")).then_some(())
    });
    // Over TCP nobody is trusted here.
    Http::connect(server.addr).get("/up").expect(r#"{"health":"OK"}"#);
}

#[test]
fn the_files_permissions_are_those_of_the_setting() {
    let server = setup("unix_mode = \"600\"").start();
    assert_eq!(fs::metadata(path_of(&server)).expect("it is there").permissions().mode() & 0o777, 0o600);
}

/// An event of a back end reaches a WebSocket, both behind the proxy at this address.
fn expect_events_behind(proxy: std::net::SocketAddr, header: Option<&str>) {
    let mut upgrade = Upgrade::to(&pusher_js(APP));
    if let Some(address) = header {
        upgrade = upgrade.header("X-Forwarded-For", address);
    }
    let mut socket = upgrade.open(proxy).1.established(50);
    socket.subscribe("news");
    Api::connect(proxy, APP).publish("news", "e", "d");
    socket.expect_event("news", "e", "d");
    socket.close();
}

#[test]
fn haproxy_reaches_the_server_over_the_socket_with_and_without_the_proxy_protocol() {
    let server = setup("").start();
    let proxy = HaProxy::before(&format!("unix@{}", path_of(&server).display()), "");
    expect_events_behind(proxy.addr, Some("198.51.100.7"));
    server.process.log_line("the client of the header", |line| {
        (line.contains("connection closed") && line.contains("client=198.51.100.7")).then_some(())
    });
    let server = setup("proxy_protocol = true\ntrusted_proxies = []").start();
    let proxy = HaProxy::before(&format!("unix@{}", path_of(&server).display()), "send-proxy-v2");
    expect_events_behind(proxy.addr, Some("198.51.100.7"));
    server.process.log_line("the client of the PROXY protocol", |line| {
        (line.contains("connection closed") && line.contains("client=127.0.0.1")).then_some(())
    });
}

#[test]
fn nginx_reaches_the_server_over_the_socket() {
    let server = setup("").start();
    let (folder, socket) = (server.folder(), path_of(&server));
    let front = folder.join("front.sock");
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places = places.map(|name| format!("{name}_temp_path {}/{name};", folder.display())).concat();
    let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
    let text = format!(
        "daemon off; master_process off; {user} pid {folder}/nginx.pid; error_log stderr; events {{}}\nhttp {{ access_log off; {places}\n\
         server {{ listen unix:{front}; location / {{ proxy_pass http://unix:{socket}; proxy_http_version 1.1; \
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; \
         proxy_set_header X-Forwarded-For 203.0.113.9; }} }} }}\n",
        folder = folder.display(),
        front = front.display(),
        socket = socket.display(),
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text).expect("the folder can be written to");
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(folder)
        .args(["-e", "stderr", "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let nginx = Running(command.spawn().expect("nginx is installed"));
    eventually("nginx listens", || UnixStream::connect(&front).ok());
    let answered = curl(&front, &[], "/apps/3/channels");
    drop(nginx);
    assert!(answered.contains("auth_key"), "{answered}");
    server.process.log_line("the client that nginx names", |line| {
        (line.contains("request refused") && line.contains("203.0.113.9")).then_some(())
    });
}

#[test]
fn a_socket_of_a_dead_process_is_replaced_and_one_that_answers_is_not() {
    let first = setup("").start();
    let socket = path_of(&first);
    let text = format!("[listen]\nunix_path = {socket:?}\n[bus]");
    let refused = Setup::new().config(&text).run();
    assert_eq!(refused.status, 69, "{}", refused.stderr);
    assert!(refused.stderr.contains("another process answers there"), "{}", refused.stderr);
    assert_eq!(curl(&socket, &[], "/up"), r#"{"health":"OK"}"#);
    let folder = first.killed();
    assert!(socket.exists(), "nobody has removed it");
    let second = Setup::new().config(&text).start();
    assert_eq!(curl(&socket, &[], "/up"), r#"{"health":"OK"}"#);
    second.stop();
    assert!(!socket.exists(), "it is removed at the end");
    drop(folder);
}

#[test]
fn a_socket_whose_process_accepts_nobody_any_more_stops_the_start_instead_of_delaying_it() {
    let setup = setup("");
    let socket = setup.folder().join("public.sock");
    let address = SocketAddrUnix::new(&socket).expect("a short path");
    let open = || {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        rustix::net::socket_with(family, kind, SocketFlags::NONBLOCK, None).expect("descriptors are left")
    };
    let busy = open();
    rustix::net::bind(&busy, &address).expect("the path is free");
    rustix::net::listen(&busy, 1).expect("it is bound");
    let mut waiting = Vec::new();
    let full = loop {
        let client = open();
        match rustix::net::connect(&client, &address) {
            Ok(()) => waiting.push(client),
            Err(full) => break full,
        }
    };
    assert_eq!(full, rustix::io::Errno::AGAIN);
    let refused = setup.run();
    assert_eq!(refused.status, 69, "{}", refused.stderr);
    assert!(refused.stderr.contains("its queue is full"), "{}", refused.stderr);
    assert!(socket.exists());
}

#[test]
fn a_file_that_is_no_socket_stays() {
    let setup = setup("");
    let file = setup.folder().join("public.sock");
    fs::write(&file, "mine").expect("the folder can be written to");
    let refused = setup.run();
    assert_eq!(refused.status, 69, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("no socket") && refused.stderr.contains("listen.unix_path"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "mine");
}

#[test]
fn a_socket_that_another_process_has_put_in_place_stays_at_the_end() {
    let server = setup("").start();
    let socket = path_of(&server);
    fs::remove_file(&socket).expect("it is there");
    let _other = UnixListener::bind(&socket).expect("the path is free");
    let _folder = server.stop();
    assert!(socket.exists());
}

#[test]
fn faults_of_the_settings_are_told() {
    let long = "x".repeat(97);
    let text = format!("[listen]\nunix_path = \"{long}\"\nunix_mode = \"888\"");
    let ended = Setup::new().config(&text).run();
    assert_eq!(ended.status, 64);
    for said in
        ["listen.unix_path must be the path of a socket", "listen.unix_mode must be permissions in octal"]
    {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
