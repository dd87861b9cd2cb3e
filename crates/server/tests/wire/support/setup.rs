//! The start of a server: configuration file, flags, environment, folder.

use std::fmt::Write;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::cluster;
use super::process::Process;
use super::server::TestServer;
use super::{APP, App, DEADLINE};

/// Variables of the tests' own environment that would change the binary's behaviour.
const READ_BY_THE_BINARY: [&str; 11] = [
    "FANFARE",
    "LARAVEL_ECHO_SERVER_",
    "PUSHER_",
    "REVERB_",
    "REDIS_",
    "BROADCAST_",
    "APP_",
    "DATABASE_URL",
    "PORT",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
];

/// A start that has not happened yet.
pub struct Setup {
    folder: TempDir,
    command: Option<&'static str>,
    config: String,
    apps: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Shell commands that run before the shell becomes the binary.
    before: Vec<String>,
}

/// The output and status of a process that ended by itself.
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Setup {
    /// `fanfare serve` with no configuration at all, but on free ports.
    pub fn bare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let setup = Self {
            folder,
            command: Some("serve"),
            config: String::new(),
            apps: String::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            before: Vec::new(),
        };
        setup.arguments(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
    }

    /// A server with the one app of the reference.
    pub fn new() -> Self {
        Self::bare().app(APP, "")
    }

    /// A server whose one app has further settings, as lines of TOML.
    pub fn with_app(settings: &str) -> Self {
        Self::bare().app(APP, settings)
    }

    /// Adds an app to the configuration file, with further settings as lines of TOML.
    pub fn app(mut self, app: App, settings: &str) -> Self {
        let App { id, key, secret } = app;
        write!(
            self.apps,
            "[[apps.list]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{secret}\"\n{settings}\n"
        )
        .expect("a String takes any text");
        self
    }

    /// Adds lines of TOML to the configuration file, before its apps.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Another subcommand, or none, with no arguments yet.
    pub fn command(mut self, command: Option<&'static str>) -> Self {
        self.command = command;
        self.arguments.clear();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Limits the number of the process's open files.
    pub fn descriptors(mut self, limit: u32) -> Self {
        self.before.push(format!("ulimit -n {limit}"));
        self
    }

    /// Starts the binary with this signal ignored.
    pub fn ignoring(mut self, signal: &'static str) -> Self {
        self.before.push(format!("trap '' {signal}"));
        self
    }

    /// The folder that the binary runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs in the folder that an earlier server has left.
    pub fn in_folder(mut self, folder: TempDir) -> Self {
        self.folder = folder;
        self
    }

    /// Starts the process, and waits for nothing.
    pub fn spawn(&self) -> Process {
        Process::spawn(&mut self.as_command())
    }

    /// Starts the process as systemd does, with a socket under this name, and waits for nothing.
    pub fn spawn_passing(mut self, socket: OwnedFd, name: &str) -> (Process, TempDir) {
        self.before
            .push(format!("exec 3<&0 </dev/null && export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES={name}"));
        (Process::spawn_reading(&mut self.as_command(), Stdio::from(socket)), self.folder)
    }

    /// Starts the process and waits for the ready line. Where servers come in pairs, and nothing speaks against it, starts
    /// two.
    #[track_caller]
    pub fn start(mut self) -> TestServer {
        match cluster::bus_url().filter(|_| self.can_be_a_pair()) {
            Some(url) => {
                let (section, prefix) = cluster::settings(&url);
                self.config.push_str(&section);
                let second = self.copy();
                let (first, second) = (self.started(), second.started());
                let pair = first.with(second);
                cluster::settle(&url, &prefix, pair.admins());
                pair
            }
            None => self.started(),
        }
    }

    /// Nodes share a database or equal configuration files, and SQLite is no database of several.
    fn can_be_a_pair(&self) -> bool {
        let says = |word: &str| {
            let lines = [&self.config, &self.apps].into_iter().chain(&self.arguments);
            lines.chain(self.environment.iter().map(|(name, _)| name)).any(|text| text.contains(word))
        };
        let against = ["database", "DATABASE", "[bus]", "tls", "redis_feed"];
        self.command == Some("serve")
            && !cluster::is_of_one_node()
            && !self.apps.is_empty()
            && !against.into_iter().any(says)
    }

    /// The same start in a folder of its own.
    fn copy(&self) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            command: self.command,
            config: self.config.clone(),
            apps: self.apps.clone(),
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            before: self.before.clone(),
        }
    }

    #[track_caller]
    fn started(self) -> TestServer {
        let process = self.spawn();
        let Some(ready) = process.line() else {
            panic!(
                "it did not become ready within {DEADLINE:?} or ended; standard error is\n{}",
                process.stderr()
            );
        };
        TestServer::new(process, ready, self.folder)
    }

    /// Runs the process until it ends by itself.
    #[track_caller]
    pub fn run(&self) -> Ended {
        run(&mut self.as_command())
    }

    /// As [`Setup::run`], with further arguments this once.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str]) -> Ended {
        run(self.as_command().args(arguments))
    }

    fn as_command(&self) -> Command {
        let mut command = binary(self.folder.path());
        command.args(self.command);
        if let Some(file) = self.config_file() {
            command.arg("--config").arg(file);
        }
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.before.is_empty() { command } else { behind(&self.before, &command) }
    }

    fn config_file(&self) -> Option<PathBuf> {
        let text = format!("{}{}", self.config, self.apps);
        (!text.is_empty()).then(|| {
            let file = self.folder.path().join("fanfare.toml");
            fs::write(&file, text).expect("the temporary folder can be written to");
            file
        })
    }
}

/// The command, by a shell that runs `before` first and then becomes the command.
fn behind(before: &[String], command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{} && exec \"$0\" \"$@\"", before.join(" && ")));
    shell.arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().expect("it is set"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// The binary, in a folder, without variables of the tests' own environment.
pub fn binary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if READ_BY_THE_BINARY.iter().any(|start| name.to_string_lossy().starts_with(start)) {
            command.env_remove(name);
        }
    }
    command.current_dir(folder);
    command
}

/// Runs a command until it ends by itself.
#[track_caller]
pub fn run(command: &mut Command) -> Ended {
    let mut process = Process::spawn(command);
    let status = process.ended().code().expect("it ends by itself, not by a signal");
    let mut stdout = String::new();
    while let Some(line) = process.line() {
        stdout.push_str(&line);
        stdout.push('\n');
    }
    Ended { status, stdout, stderr: process.stderr() }
}
