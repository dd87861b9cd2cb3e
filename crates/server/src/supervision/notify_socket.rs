//! The socket of the service manager: systemd, or whatever else has set `NOTIFY_SOCKET`.
//!
//! A datagram waits a second at most. The crate `sd-notify` is not used: its sends wait without a bound, and it reaches no
//! socket in the abstract namespace.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::notice::Notice;

/// Longest wait for the service manager to read.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager; without one, what is told goes nowhere.
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How long the service manager waits for a sign of life, if it wants one.
    watchdog: Option<Duration>,
    /// Whether a failure was logged.
    has_failed: bool,
}

impl NotifySocket {
    /// The service manager that the environment names; a faulty name is logged, and counts as none.
    pub fn from_environment() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            open(&name)
                .inspect_err(|error| {
                    tracing::warn!(target: "fanfare::watchdog", %error, "NOTIFY_SOCKET cannot be used");
                })
                .ok()
        });
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let watchdog = match number("WATCHDOG_PID") {
            // The variables are those of a parent.
            Some(other) if other != u64::from(process::id()) => None,
            _ => number("WATCHDOG_USEC").filter(|wanted| *wanted > 0).map(Duration::from_micros),
        };
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket, has_failed: false }
    }

    /// No service manager.
    #[cfg(test)]
    pub const fn none() -> Self {
        Self { socket: None, watchdog: None, has_failed: false }
    }

    /// How long the service manager waits for a sign of life, if it wants one.
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells of a change.
    pub fn tell(&mut self, notice: &Notice) {
        self.send(&notice.text(now()));
    }

    /// Gives a sign of life.
    pub fn keep_waiting(&mut self) {
        self.send("WATCHDOG=1\n");
    }

    fn send(&mut self, text: &str) {
        let Some((socket, to)) = &self.socket else { return };
        if let Err(error) = socket.send_to_addr(text.as_bytes(), to)
            && !self.has_failed
        {
            self.has_failed = true;
            tracing::warn!(target: "fanfare::watchdog", %error, "the service manager cannot be told");
        }
    }
}

/// A socket, and the address of the service manager's.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        #[cfg(target_os = "linux")]
        [b'@', rest @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(rest)?,
        _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "neither a path nor an abstract socket")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}

/// The system's monotonic clock, in microseconds.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let micros = i128::from(time.tv_sec) * 1_000_000 + i128::from(time.tv_nsec) / 1000;
    u64::try_from(micros).unwrap_or_default()
}
