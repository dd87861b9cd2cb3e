//! The signals of a server, caught from before its first part is started, and of a command that runs until it is stopped.
//!
//! SIGHUP reloads what a running server can replace, and never ends a server: a closing terminal sends SIGHUP as
//! well.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::supervision::{Notice, Notices};
use crate::tls::reload::ReadRequest;

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
/// asked, and logs the result itself. systemd is told when the reload begins, and when it is over; `serving` is the sentence
/// for it.
pub(super) async fn follow_hangup(
    mut hangup: Signal,
    certificate: Option<mpsc::Sender<ReadRequest>>,
    (notices, serving): (Notices, String),
) {
    while hangup.recv().await.is_some() {
        let Some(certificate) = &certificate else {
            tracing::info!(
                target: "fanfare",
                "SIGHUP: nothing is read again: there is no [tls], and every setting stays as it was at the start"
            );
            notices.tell(Notice::Reloading("Reloading: there is nothing to read again".to_owned()));
            notices.tell(Notice::Ready(serving.clone()));
            continue;
        };
        tracing::info!(
            target: "fanfare",
            "SIGHUP: the TLS certificate is read again; every other setting stays as it was at the start"
        );
        notices.tell(Notice::Reloading("Reloading: the TLS certificate is read again".to_owned()));
        let (answer, read) = oneshot::channel();
        // Without an answer the runtime ends.
        let is_usable = certificate.send(answer).await.is_ok() && read.await.unwrap_or_default();
        let fault =
            "; at the last reload the TLS certificate could not be used, and the one before stayed in use";
        notices.tell(Notice::Ready(if is_usable { serving.clone() } else { format!("{serving}{fault}") }));
    }
    // No more signals: the runtime ends.
    std::future::pending::<()>().await;
}
