//! A node: the real program with its configuration, its log, and signals.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fanfare_testing::redis::free_port;
use rustix::process::{Pid, Signal, kill_process};

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
    /// alone. `apps` is the part of the configuration that says where apps are.
    pub(crate) fn new(
        program: PathBuf,
        logs: &Path,
        number: usize,
        (urls, prefix): (&[String], &str),
        apps: &str,
    ) -> io::Result<Self> {
        let address = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (public, operators) = (address(), address());
        let mut text =
            format!("[listen]\naddr = \"{public}\"\nadmin_addr = \"{operators}\"\n[timeouts]\ndrain = 2\n");
        if !urls.is_empty() {
            text +=
                &format!("[bus]\nurls = {urls:?}\nprefix = \"{prefix}\"\nnode_name = \"node-{number}\"\n");
        }
        text += apps;
        let config = logs.join(format!("node-{number}.toml"));
        fs::write(&config, text)?;
        let log = logs.join(format!("node-{number}.log"));
        fs::write(&log, "")?;
        Ok(Self { program, config, log, public, operators, child: None })
    }

    /// Runs a command of the program with the node's configuration; what the command prints.
    ///
    /// # Errors
    /// The command failed; its words.
    pub(crate) fn command(&self, words: &[&str]) -> io::Result<String> {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--config").arg(&self.config).env_clear().stdin(Stdio::null());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let why = || io::Error::other(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)));
        output.status.success().then_some(said).ok_or_else(why)
    }

    /// The process, while there is one.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
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
        self.id().and_then(resident).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A node that cannot be killed has ended.
        let _ = self.kill();
    }
}

/// The memory of a process that is in use (RSS), in bytes.
pub(crate) fn resident(id: u32) -> Option<u64> {
    kilobytes(&format!("/proc/{id}/status"), "VmRSS:")
}

/// The memory that a process shares with no other, in bytes.
pub(crate) fn own_memory(id: u32) -> Option<u64> {
    kilobytes(&format!("/proc/{id}/smaps_rollup"), "Pss_Anon:")
}

/// The number of open file descriptors of a process.
pub(crate) fn descriptors(id: u32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{id}/fd")).ok()?.count() as u64)
}

/// A line of kilobytes in a file of the kernel, in bytes.
fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// What all names of the run in Redis begin with.
pub(crate) const PREFIX: &str = "soak:";
