//! A node: the real program with its configuration, its log, and signals.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fanfare_testing::redis::free_port;
use rustix::process::{Pid, Signal, kill_process};

use crate::signing::{APP, KEY, SECRET};

/// A node that is started, killed and started again at the same addresses.
pub(crate) struct Process {
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    pub(crate) public: SocketAddr,
    pub(crate) operators: SocketAddr,
    child: Option<Child>,
}

impl Process {
    /// Writes the configuration of node `number`; `urls` and `prefix` are those of the bus; without URLs the node stands
    /// alone.
    pub(crate) fn new(
        program: PathBuf,
        logs: &Path,
        number: usize,
        (urls, prefix): (&[String], &str),
        webhooks: SocketAddr,
    ) -> io::Result<Self> {
        let address = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (public, operators) = (address(), address());
        let mut text = format!(
            "[listen]\naddr = \"{public}\"\nadmin_addr = \"{operators}\"\n[timeouts]\ndrain = 2\n[[apps.list]]\n\
             id = \"{APP}\"\nkey = \"{KEY}\"\nsecret = \"{SECRET}\"\nclient_events = true\nsubscription_counts = true\n\
             watchlist_events = true\n[[apps.list.webhooks]]\nurl = \"http://{webhooks}/hooks\"\n\
             events = [\"channel_existence\", \"presence\"]\nbatch = true\n"
        );
        if !urls.is_empty() {
            text +=
                &format!("[bus]\nurls = {urls:?}\nprefix = \"{prefix}\"\nnode_name = \"node-{number}\"\n");
        }
        let config = logs.join(format!("node-{number}.toml"));
        fs::write(&config, text)?;
        let log = logs.join(format!("node-{number}.log"));
        fs::write(&log, "")?;
        Ok(Self { program, config, log, public, operators, child: None })
    }

    pub(crate) fn start(&mut self) -> io::Result<()> {
        let log = || File::options().append(true).open(&self.log);
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(&self.config).env_clear();
        let child = command.stdin(Stdio::null()).stdout(log()?).stderr(log()?).spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait().map(drop)
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.child.as_ref().and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?));
        let id = id.ok_or_else(|| io::Error::other("the node does not run"))?;
        kill_process(id, signal).map_err(io::Error::from)
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Memory in use, in bytes; 0 if the node does not run.
    pub(crate) fn memory(&self) -> u64 {
        let Some(child) = &self.child else { return 0 };
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A node that cannot be killed has ended.
        let _ = self.kill();
    }
}

/// What all names of the run in Redis begin with.
pub(crate) const PREFIX: &str = "soak:";
