//! A running server: its addresses, its clients, its stop.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use super::api::Api;
use super::cluster::SecondNode;
use super::http::{Answer, Http};
use super::process::Process;
use super::setup::{Ended, Setup, binary, run};
use super::socket::Socket;
use super::upgrade::Upgrade;
use super::{APP, App, eventually};

/// The real binary, serving.
pub struct TestServer {
    /// Before `folder`, so that it is dropped first.
    pub process: Process,
    folder: TempDir,
    /// The first line of standard output.
    pub ready: String,
    /// The address for clients and back ends.
    pub addr: SocketAddr,
    /// The TLS address for clients and back ends, if there is one.
    pub tls: Option<SocketAddr>,
    /// The address for operators.
    pub admin: SocketAddr,
    /// The other node, where servers come in pairs.
    pub second: Option<Box<SecondNode>>,
}

impl TestServer {
    /// A server with the one app of the reference and no other setting.
    #[track_caller]
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// A server that keeps its apps in SQLite, with the app of the reference.
    #[track_caller]
    pub fn with_stored_app(settings: &[&str]) -> Self {
        let server = Setup::bare().start();
        let made = server.create_app(settings, &[]);
        assert_eq!(made.status, 0, "{}", made.stderr);
        server.expect_app_known();
        server
    }

    /// Creates the app of the reference, called shop, by the command line, with settings as `NAME=VALUE`.
    #[track_caller]
    pub fn create_app(&self, settings: &[&str], environment: &[(&str, &str)]) -> Ended {
        fs::write(self.folder().join("secret"), APP.secret).expect("the folder can be written to");
        let mut command = binary(self.folder());
        command.args(["app", "create", "--id", APP.id, "--key", APP.key, "--secret-file", "secret"]);
        command.args(["--name", "shop"]);
        command
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .envs(environment.iter().copied());
        run(&mut command)
    }

    /// Waits until the server knows the app of the reference.
    #[track_caller]
    pub fn expect_app_known(&self) {
        let is_known = || (self.api().get("/channels", &[]).head.status == 200).then_some(());
        eventually("the app is known", is_known);
    }

    /// Parses the addresses in the ready line.
    #[track_caller]
    pub fn new(process: Process, ready: String, folder: TempDir) -> Self {
        let found = ready.strip_prefix("Fanfare is ready: http://");
        let found = found.and_then(|rest| rest.strip_suffix(')')?.split_once(" (admin http://"));
        let (addr, admin) = found.unwrap_or_else(|| panic!("not the promised ready line: {ready:?}"));
        let (addr, tls) = addr.split_once(", https://").map_or((addr, None), |(addr, tls)| (addr, Some(tls)));
        let (addr, admin) = (addr.parse(), admin.parse());
        Self {
            process,
            folder,
            addr: addr.expect("the ready line names an address"),
            admin: admin.expect("the ready line names an address"),
            tls: tls.map(|tls| tls.parse().expect("the ready line names an address")),
            ready,
            second: None,
        }
    }

    /// Makes a pair of two servers.
    pub fn with(self, second: Self) -> Self {
        let Self { process, folder, addr, admin, .. } = second;
        let second = SecondNode::new(process, folder, addr, admin);
        Self { second: Some(Box::new(second)), ..self }
    }

    /// The addresses of both nodes for operators; twice the same without a second node.
    pub fn admins(&self) -> [SocketAddr; 2] {
        [self.admin, self.second.as_ref().map_or(self.admin, |second| second.admin)]
    }

    /// The folder in which the process runs and keeps its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An upgraded connection that has not read anything, as `pusher-js` opens it.
    #[track_caller]
    pub fn open(&self, target: &str) -> Socket {
        let second = self.second.as_ref().filter(|second| second.is_next());
        Upgrade::to(target).open(second.map_or(self.addr, |second| second.addr)).1
    }

    /// A connection of the app of the reference, ready for commands.
    #[track_caller]
    pub fn connect(&self) -> Socket {
        self.connect_to(APP)
    }

    #[track_caller]
    pub fn connect_to(&self, app: App) -> Socket {
        self.open(&pusher_js(app)).established(50)
    }

    /// The back end of the app of the reference.
    pub fn api(&self) -> Api {
        self.api_of(APP)
    }

    pub fn api_of(&self, app: App) -> Api {
        match &self.second {
            Some(second) => Api::connect(second.addr, app).behind(self.addr),
            None => Api::connect(self.addr, app),
        }
    }

    /// Runs a command on this server's data.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Ended {
        run(binary(self.folder.path()).args(arguments))
    }

    /// As [`TestServer::command`], which must succeed; returns the output.
    #[track_caller]
    pub fn commanded(&self, arguments: &[&str]) -> String {
        let ended = self.command(arguments);
        assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    /// A plain GET of the operators' listener.
    #[track_caller]
    pub fn admin(&self, path: &str) -> Answer {
        get(self.admin, path)
    }

    /// A plain GET of the public listener.
    #[track_caller]
    pub fn public(&self, path: &str) -> Answer {
        get(self.addr, path)
    }

    /// The value of a metric, added up over the nodes; named with its labels as printed; 0 if the metric is missing.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let others = self.second.as_ref().map(|second| second.admin);
        [self.admin].into_iter().chain(others).map(|admin| metric_of(admin, name)).sum()
    }

    /// Waits until a metric has this value.
    #[track_caller]
    pub fn expect_metric(&self, name: &str, value: f64) {
        eventually(&format!("{name} {value}"), || ((self.metric(name) - value).abs() < 0.5).then_some(()));
    }

    /// Asks the server to stop, and demands a clean end; returns the folder.
    #[track_caller]
    pub fn stop(self) -> TempDir {
        self.process.signal(Signal::TERM);
        self.drained()
    }

    /// Kills the server as `kill -9` does; returns the folder.
    #[track_caller]
    pub fn killed(mut self) -> TempDir {
        self.process.signal(Signal::KILL);
        self.process.ended();
        self.folder
    }

    /// Demands a clean end of a stopping server.
    #[track_caller]
    pub fn drained(mut self) -> TempDir {
        assert_eq!(self.process.ended().code(), Some(0), "a drain ends with status 0");
        self.folder
    }
}

/// Path and query as `pusher-js` 8.6.0 sends them (WS-004).
pub fn pusher_js(app: App) -> String {
    format!("/app/{}?protocol=7&client=js&version=8.6.0&flash=false", app.key)
}

fn metric_of(admin: SocketAddr, name: &str) -> f64 {
    let text = get(admin, "/metrics").body;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.trim().parse().expect("a metric's value is a number"))
}

#[track_caller]
pub fn get(addr: SocketAddr, path: &str) -> Answer {
    let mut http = Http::connect(addr);
    http.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    http.answer()
}
