//! A Postgres server of the test's own: created in a temporary directory, stopped by its process id.
//!
//! Postgres refuses to run as root; a test that runs as root starts the server as the system's user `postgres`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::PATIENCE;
use crate::redis::free_port;

/// The password of the server's only user, for tests that no output shows the password.
pub const PASSWORD: &str = "hush-hush";

/// A running server; stopped and removed when dropped.
pub struct Postgres {
    directory: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    server: Child,
}

impl Postgres {
    /// Creates and starts a server.
    pub fn start() -> Self {
        let programs = programs();
        let directory = tempfile::tempdir().unwrap();
        let user = (id(&["-u"]) == Some(0)).then(postgres_user);
        let password = directory.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
            chown(&password, Some(uid), Some(gid)).unwrap();
        }
        let made = command(&programs.join("initdb"), directory.path(), user)
            .args(["--pgdata=data", "--username=fanfare", "--pwfile=password", "--encoding=UTF8"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--locale=C", "--no-sync"])
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let server = run(&programs, directory.path(), user, port);
        Self { directory, programs, user, port, server }
    }

    /// The server's URL, with its password.
    pub fn url(&self) -> String {
        format!("postgres://fanfare:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// The server's port on this machine.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements of an operator's own.
    pub fn run(&self, statements: &str) {
        self.says(statements);
    }

    /// The answer to a question: the columns of a row are parted by `|`.
    pub fn says(&self, question: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.arg(self.url()).args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        let ran = psql.args(["--set=ON_ERROR_STOP=1", "--command", question]).output().unwrap();
        assert!(ran.status.success(), "psql: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    /// The ids of all processes of the server, its own first.
    pub fn processes(&self) -> Vec<u32> {
        let id = self.server.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        std::iter::once(id).chain(children).collect()
    }

    /// Sends a signal to all processes: `STOP` is a hung machine, `CONT` resumes the server.
    pub fn signal(&self, signal: &str) {
        let processes = self.processes().into_iter().map(|id| id.to_string());
        // Some may have ended by themselves.
        let _ = Command::new("kill").arg(format!("-{signal}")).args(processes).stderr(Stdio::null()).status();
    }

    /// Ends the server at once, as `kill -9` of all its processes does: those that serve connections would answer for a while yet.
    pub fn kill(&mut self) {
        let children = self.processes().into_iter().skip(1).map(|child| child.to_string());
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        // Some may have ended by themselves.
        let _ = Command::new("kill").arg("-KILL").args(children).stderr(Stdio::null()).status();
    }

    /// Starts the server again after [`Postgres::kill`].
    pub fn restart(&mut self) {
        self.server = run(&self.programs, self.directory.path(), self.user, self.port);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Ok(None) = self.server.try_wait() {
            // SIGQUIT: ends at once, but frees the system's resources.
            let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
            let _ = self.server.wait();
        }
    }
}

/// The directory with the newest `initdb` and `postgres`.
fn programs() -> PathBuf {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    packaged.sort_by_key(|path| std::cmp::Reverse(version(path)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged
        .into_iter()
        .map(|path| path.join("bin"))
        .chain(std::env::split_paths(&path))
        .find(|directory| directory.join("initdb").is_file() && directory.join("postgres").is_file())
        .expect("this test needs Postgres: install the server (Debian: apt install postgresql) or put initdb and postgres on PATH")
}

fn postgres_user() -> (u32, u32) {
    id(&["-u", "postgres"]).zip(id(&["-g", "postgres"])).expect(
        "Postgres does not run as root: add a system user named postgres, or run the tests as another user",
    )
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn command(program: &Path, directory: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Starts the server and waits until its log says that it accepts connections.
///
/// After a kill the server may find remains of its predecessor for a moment; the server then ends and is tried again.
fn run(programs: &Path, directory: &Path, user: Option<(u32, u32)>, port: u16) -> Child {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut server = command(&programs.join("postgres"), directory, user)
            .args(["-D", "data", "-p", &port.to_string(), "-k", "."])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
            // A child of a killed server that waits for a log-in would block its successor for a minute.
            .args(["-c", "authentication_timeout=2s"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines(server.stderr.take().unwrap());
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains("database system is ready to accept connections") {
                return server;
            }
            said += &line;
            said.push('\n');
        }
        let _ = server.kill();
        let _ = server.wait();
        assert!(Instant::now() < deadline, "Postgres does not start:\n{said}");
    }
}

/// The server's log; read to its end, or the server would block on a full pipe.
fn lines(log: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // Nobody listens any more once the server is ready.
            let _ = sender.send(line);
        }
    });
    receiver
}
