//! The signals of a server, caught from before its first part is started, and of a command that runs until it is stopped.
//!
//! SIGHUP reloads what a running server can replace, and never ends a server: a closing terminal sends SIGHUP as
//! well.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// Streams of caught signals.
pub(crate) struct Signals {
    /// The signals that stop a server.
    pub(super) stop: StopSignals,
    /// The signal that reloads.
    pub(super) hangup: Signal,
}

/// SIGTERM and SIGINT.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches the signals: from here on none ends the process by itself.
    pub fn begin() -> io::Result<Self> {
        let stop = StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Self { stop, hangup: signal(SignalKind::hangup())? })
    }

    /// Waits for the next of all, as a command does: there a closing terminal ends the command, too.
    pub async fn any(&mut self) {
        tokio::select! {
            () = self.stop.next() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

impl StopSignals {
    /// Waits for the next SIGTERM or SIGINT.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Answers SIGHUP for as long as the process lives, and logs the reload: the follower of the TLS certificate is
/// woken, and logs the result itself.
pub(super) async fn follow_hangup(mut hangup: Signal, certificate: Option<Arc<Notify>>) {
    while hangup.recv().await.is_some() {
        match &certificate {
            Some(certificate) => {
                tracing::info!(
                    target: "fanfare",
                    "SIGHUP: the TLS certificate is read again; every other setting stays as it was at the start"
                );
                certificate.notify_one();
            }
            None => tracing::info!(
                target: "fanfare",
                "SIGHUP: nothing is read again: there is no [tls], and every setting stays as it was at the start"
            ),
        }
    }
    // No more signals: the runtime ends.
    std::future::pending::<()>().await;
}
