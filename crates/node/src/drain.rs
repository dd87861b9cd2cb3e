//! The progress of a graceful shutdown, for code that admits connections and requests.
//!
//! Closes nothing itself.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The stage of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// No shutdown.
    Running,
    /// Connections are being closed; new ones are sent elsewhere.
    Draining,
    /// Only requests under way are finished.
    Over,
}

/// The stage, and a notification for each connection that has ended.
#[derive(Debug)]
pub struct Drain {
    phase: watch::Sender<Phase>,
    began: OnceLock<Instant>,
    ended: Notify,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Running), began: OnceLock::new(), ended: Notify::new() }
    }
}

impl Drain {
    /// Whether new connections are sent elsewhere.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// How long the shutdown has lasted; `None` without one.
    #[must_use]
    pub fn lasts(&self) -> Option<Duration> {
        self.began.get().map(Instant::elapsed)
    }

    /// Waits until the shutdown has begun.
    pub async fn begun(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the server accepts nothing more.
    pub async fn over(&self) {
        self.reached(Phase::Over).await;
    }

    async fn reached(&self, stage: Phase) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|phase| *phase >= stage).await;
    }

    /// Sends new connections elsewhere from now on.
    pub fn begin(&self) {
        self.began.get_or_init(Instant::now);
        self.phase.send_replace(Phase::Draining);
    }

    /// Accepts nothing more from now on.
    pub fn end(&self) {
        self.phase.send_replace(Phase::Over);
    }

    /// Waits until a connection has released its slot.
    pub async fn one_ended(&self) {
        self.ended.notified().await;
    }

    /// A connection has released its slot.
    pub fn connection_ended(&self) {
        self.ended.notify_one();
    }
}
