//! A Redis of the test's own: started on a free port in a temporary directory, stopped by its process id.
//!
//! The programs are `redis-server` and `redis-cli`. `FANFARE_REDIS_SERVER` names another server, such as `valkey-server`,
//! whose client stands beside it, with `cli` in place of `server`.

mod cluster;
mod sentinels;

use std::env;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use tempfile::TempDir;

pub use self::cluster::Cluster;
pub use self::sentinels::Guarded;
use crate::PATIENCE;

/// The script by which Laravel's broadcaster publishes to several channels at once.
const LARAVELS_SCRIPT: &str = "for i = 2, #ARGV do\n  redis.call('publish', ARGV[i], ARGV[1])\nend";

/// A running server; stopped and removed when dropped.
pub struct Redis {
    directory: TempDir,
    /// Directives of the configuration file beside those that all tests need.
    settings: String,
    sentinel: bool,
    /// Where the server listens.
    pub port: u16,
    server: Option<Child>,
    /// The log-in options of `redis-cli`.
    log_in: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Redis {
    /// Starts a server.
    pub fn start() -> Self {
        Self::with("")
    }

    /// A server with additional lines in its configuration file.
    pub fn with(settings: &str) -> Self {
        Self::on(free_port(), settings, false)
    }

    /// A server with TLS alone, and `ca.pem`, `cert.pem` and `key.pem` of a directory.
    pub fn tls(certificates: &Path) -> Self {
        Self::tls_with(certificates, "")
    }

    /// As [`Redis::tls`], with additional lines in its configuration file.
    pub fn tls_with(certificates: &Path, settings: &str) -> Self {
        let (port, path) = (free_port(), certificates.display());
        let settings = format!(
            "port 0\ntls-port {port}\ntls-cert-file {path}/cert.pem\ntls-key-file {path}/key.pem\n\
             tls-ca-cert-file {path}/ca.pem\ntls-auth-clients no\n{settings}"
        );
        Self::on(port, &settings, false).log_in_with(&["--tls", "--insecure"])
    }

    /// A node of a Cluster that does not exist yet.
    pub fn cluster_node() -> Self {
        Self::with("cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 2000\n")
    }

    /// A Sentinel that watches a master called `main`, and decides alone.
    pub fn sentinel(master: u16) -> Self {
        Self::sentinel_of(master, 1)
    }

    /// A Sentinel that watches a master called `main`; so many Sentinels must agree that the master is down.
    fn sentinel_of(master: u16, quorum: usize) -> Self {
        let settings = format!(
            "sentinel monitor main 127.0.0.1 {master} {quorum}\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 2000\n"
        );
        Self::on(free_port(), &settings, true)
    }

    fn on(port: u16, settings: &str, sentinel: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut redis = Self {
            directory,
            settings: settings.to_owned(),
            sentinel,
            port,
            server: None,
            log_in: Vec::new(),
            environment: Vec::new(),
        };
        redis.restart();
        redis
    }

    /// Sets the log-in options of `redis-cli`, such as `--user`.
    pub fn log_in_with(mut self, options: &[&str]) -> Self {
        self.log_in = options.iter().map(|&option| option.to_owned()).collect();
        self
    }

    /// Where the server listens, without a password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// The environment in which [`Redis::restart`] starts the server.
    pub fn set_environment(&mut self, environment: impl IntoIterator<Item = (&'static str, String)>) {
        self.environment = environment.into_iter().collect();
    }

    /// Starts the server again after [`Redis::kill`].
    pub fn restart(&mut self) {
        let own = format!(
            "port {}\nbind 127.0.0.1\nsave \"\"\nappendonly no\ndir {}\n",
            self.port,
            self.directory.path().display()
        );
        let file = self.directory.path().join("redis.conf");
        // A Sentinel stores its state in the file.
        if !(self.sentinel && file.exists()) {
            fs::write(&file, own + &self.settings).unwrap();
        }
        let mut command = Command::new(program("server"));
        command.arg(&file).args(self.sentinel.then_some("--sentinel"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.server = Some(run(&mut command));
    }

    /// Stops the process without ending it, like a hung machine; `CONT` resumes the process.
    pub fn signal(&self, signal: &str) {
        let id = self.server.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }

    /// The server's answer to a command.
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.cli().args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let faults = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "redis-cli {arguments:?}: {text} {faults}");
        text
    }

    /// Whether the server says that its role is this: `master` or `slave`. False without an answer: a Sentinel closes all
    /// connections to a server whose role it changes.
    pub fn is_a(&self, role: &str) -> bool {
        let output = self.cli().arg("ROLE").stdin(Stdio::null()).output().unwrap();
        output.status.success() && output.stdout.starts_with(role.as_bytes())
    }

    /// The number of clients of a kind: `normal`, `pubsub` or `replica`. The question's own client counts as `normal`.
    pub fn clients(&self, kind: &str) -> usize {
        self.says(&["CLIENT", "LIST", "TYPE", kind]).lines().filter(|line| line.contains("addr=")).count()
    }

    fn cli(&self) -> Command {
        let mut command = Command::new(program("cli"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(&self.log_in);
        command
    }

    /// Publishes; returns the number of this server's subscriptions that received the message.
    pub fn publish(&self, channel: &str, message: &str) -> usize {
        self.says(&["PUBLISH", channel, message]).parse().unwrap()
    }

    /// Publishes as Laravel does.
    pub fn broadcast(&self, channels: &[&str], message: &str) {
        self.says(&[&["EVAL", LARAVELS_SCRIPT, "0", message][..], channels].concat());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A free port; a Cluster's node has its second port 10000 above.
///
/// Both are below the ports that systems give to outgoing connections. Such a connection would take the port before the
/// server does, or while the server is started again. No first port can be another server's second one.
///
/// No other call of any process gets the port before this process ends: the UDP port of the same number is taken meanwhile, which
/// no server under test wants.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    loop {
        let port = 10_000 + (RandomState::new().hash_one(0) % 10_000) as u16;
        let Ok(claim) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10_000) {
            TAKEN.lock().push(claim);
            return port;
        }
    }
}

/// The program of the server, `server`, or of its client, `cli`.
fn program(part: &str) -> String {
    let server = env::var("FANFARE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let start = server.strip_suffix("server").expect("FANFARE_REDIS_SERVER ends in `server`");
    format!("{start}{part}")
}

/// Starts a server and waits until its log says that it accepts connections.
///
/// After a kill the port may be in use for a moment; the new server then ends and is tried again.
fn run(command: &mut Command) -> Child {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect(
            "this test needs Redis: install the server (Debian: apt install redis-server redis-tools)",
        );
        let (sender, lines) = channel();
        let log = server.stdout.take().unwrap();
        // The log is read to its end, or the server would block on a full pipe.
        thread::spawn(move || {
            BufReader::new(log).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if ["Ready to accept connections", "Sentinel ID is"].iter().any(|ready| line.contains(ready)) {
                return server;
            }
            said += &line;
            said.push('\n');
        }
        let _ = server.kill();
        let _ = server.wait();
        assert!(Instant::now() < deadline, "Redis does not start:\n{said}");
    }
}
