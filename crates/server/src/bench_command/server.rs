//! The server that `fanfare bench` measures: this program once more, on loopback, with the defaults and one app.
//!
//! Never outlives the measurement, however that ends: on Linux the kernel sees to it.

use std::env::current_exe;
use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The app's id.
pub(super) const APP: &str = "bench";

/// The app's key.
pub(super) const KEY: &str = "bench-key";

/// Random bytes of the app's secret.
const SECRET_BYTES: usize = 20;

/// The variable with the process that measures the server.
const MEASURED_BY: &str = "FANFARE_MEASURED_BY";

/// What stands before the address in the line that a ready server prints.
const READY: &str = "Fanfare is ready: http://";

/// A running server; the process is killed when this is dropped.
pub(super) struct BenchServer {
    process: Child,
    port: u16,
    secret: String,
    /// Kept, so that what the server prints later has a reader.
    said: BufReader<ChildStdout>,
}

impl BenchServer {
    /// Starts the server and waits until it listens; what it complains of goes to this command's standard error.
    pub(super) fn start() -> io::Result<Self> {
        let mut random = [0; SECRET_BYTES];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut process = Command::new(current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            // No setting of a server that runs here is this one's.
            .env_clear()
            .envs([("PUSHER_APP_ID", APP), ("PUSHER_APP_KEY", KEY), ("PUSHER_APP_SECRET", &secret)])
            .envs([("FANFARE__LOG__FILTER", "error"), ("FANFARE__TIMEOUTS__ACTIVITY", "10m")])
            .env(MEASURED_BY, std::process::id().to_string())
            // A `fanfare.toml` of the folder is another server's.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let Some(stdout) = process.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut started = Self { process, port: 0, secret, said: BufReader::new(stdout) };
        started.port = started.ready()?;
        Ok(started)
    }

    fn ready(&mut self) -> io::Result<u16> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        let address = line.strip_prefix(READY).and_then(|rest| rest.split([' ', '\n']).next());
        let port = address.and_then(|address| address.rsplit_once(':')?.1.parse().ok());
        port.ok_or_else(|| io::Error::other("it has ended"))
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

/// Has a server that is measured killed at the end of the process that measures; does nothing for any other.
///
/// # Errors
/// That process has ended already.
#[cfg(target_os = "linux")]
pub fn end_with_measurement() -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let Some(measuring) = std::env::var(MEASURED_BY).ok().and_then(|id| id.parse::<i32>().ok()) else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let is_there = getppid().is_some_and(|parent| parent.as_raw_pid() == measuring);
    if is_there { Ok(()) } else { Err(io::Error::other("the measurement has ended")) }
}

/// Elsewhere such a server ends with the command, unless the command is killed.
#[cfg(not(target_os = "linux"))]
pub fn end_with_measurement() -> io::Result<()> {
    Ok(())
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        // Nothing in it is worth a drain, and nothing can be done about a process that cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
