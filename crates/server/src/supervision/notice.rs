//! What systemd is told, and its text (sd_notify(3)).

use std::time::Duration;

/// A change that systemd wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// All listeners accept, or a reload is over. The sentence is what `systemctl status` shows.
    Ready(String),
    /// Files are read again.
    Reloading(String),
    /// The drain begins.
    Stopping {
        /// What `systemctl status` shows.
        status: String,
        /// Longest time until the process ends; systemd waits at least as long.
        longest: Duration,
    },
    /// A sentence alone.
    Status(String),
}

/// What the thread receives.
#[derive(Debug)]
pub(super) enum Message {
    /// To be sent to systemd.
    Tell(Notice),
    /// The last message.
    End,
}

impl Notice {
    /// The datagram; `now` is the system's monotonic clock in microseconds.
    pub(super) fn text(&self, now: u64) -> String {
        match self {
            Self::Ready(status) => format!("READY=1\nSTATUS={status}\n"),
            // From version 253 on systemd ignores a reload without the time.
            Self::Reloading(status) => format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS={status}\n"),
            Self::Stopping { status, longest } => {
                let longest = longest.as_micros();
                format!("STOPPING=1\nSTATUS={status}\nEXTEND_TIMEOUT_USEC={longest}\n")
            }
            Self::Status(status) => format!("STATUS={status}\n"),
        }
    }
}
