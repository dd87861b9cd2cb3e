//! The signals that a server listens to, from before its first part is started.
//!
//! SIGHUP has read again what a running server can replace, and never ends a server: a terminal that is closed sends
//! it as well.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// Signals as they come.
pub(super) struct Signals {
    /// Those that ask a server to stop.
    pub stop: StopSignals,
    /// The one that asks a server to read again.
    pub hangup: Signal,
}

/// SIGTERM and SIGINT.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on none of the signals ends the process by itself.
    pub fn begin() -> io::Result<Self> {
        let stop = StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Self { stop, hangup: signal(SignalKind::hangup())? })
    }
}

impl StopSignals {
    /// Waits for the next of the two.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Answers SIGHUP for as long as the process lives, and logs what is read again: the certificate for TLS, whose
/// follower is woken, and what comes of it is logged there.
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
    // No more signals come: the runtime ends.
    std::future::pending::<()>().await;
}
