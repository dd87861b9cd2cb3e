//! How far a server is on its way out, for those who let newcomers in.
//!
//! Closes nothing itself.

use tokio::sync::{Notify, watch};

/// How far the server is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It is not.
    Running,
    /// Connections are being closed, newcomers sent elsewhere.
    Draining,
    /// Only requests that are under way are finished.
    Over,
}

/// Whether the server is stopping, and a bell for each connection that has ended.
#[derive(Debug)]
pub struct Drain {
    phase: watch::Sender<Phase>,
    ended: Notify,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Running), ended: Notify::new() }
    }
}

impl Drain {
    /// Whether newcomers are to be sent elsewhere.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Waits until nothing more is to be accepted.
    pub async fn over(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Over).await;
    }

    /// Newcomers are sent elsewhere from now on.
    pub fn begin(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Nothing more is accepted from now on.
    pub fn end(&self) {
        self.phase.send_replace(Phase::Over);
    }

    /// Waits until a connection has given its place back.
    pub async fn one_ended(&self) {
        self.ended.notified().await;
    }

    /// A connection has given its place back.
    pub fn connection_ended(&self) {
        self.ended.notify_one();
    }
}
