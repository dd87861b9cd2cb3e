//! The signals of a server, caught from before its first part is started, and of a command that runs until it is stopped.
//!
//! SIGHUP reloads what a running server can replace, and never ends a server: a closing terminal sends SIGHUP as
//! well.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::state::State;

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

/// Answers SIGHUP for as long as the process lives: each asks for a reload, and signals that come during one are one more.
pub(super) async fn follow_hangup(mut hangup: Signal, state: Arc<State>) {
    while hangup.recv().await.is_some() {
        tracing::info!(target: "fanfare", "SIGHUP: every source of settings is read again");
        if state.reloads.ask().await.is_err() {
            tracing::warn!(
                target: "fanfare",
                "SIGHUP: nothing is read again: another reload waits already, or the server is stopping"
            );
        }
    }
    // No more signals: the runtime ends.
    std::future::pending::<()>().await;
}
