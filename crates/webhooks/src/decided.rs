//! Events that were decided elsewhere: by the nodes of a cluster together, not by this node's transitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_protocol::webhook::Transition;
use tokio::time::Instant;

/// Events of one app that are to be sent as they are: nothing is delayed, cancelled or held back here.
pub struct Decided {
    /// The events, in order.
    pub transitions: Vec<Transition>,
    /// Where they come from, if another node may send them again; `None` for events that are lost with this node.
    pub again: Option<SentAgain>,
}

/// What makes a repeated event the same event (CL-032).
pub struct SentAgain {
    /// The time of all requests with these events, in milliseconds since 1970.
    pub time_ms: u64,
    /// For how long the events have waited elsewhere: a part of the time that they are tried for (HOOK-022).
    pub age: Duration,
    /// Names the events that [`crate::Webhooks::withdraw`] drops together.
    pub source: u32,
    /// Called when every receiver has answered, or retrying has ended; not after a withdrawal.
    pub done: Box<dyn Fn() + Send + Sync>,
}

/// The events of one [`Decided`], as long as any of them waits or is under way.
pub(crate) struct Group {
    pub time_ms: u64,
    pub since: Instant,
    pub source: u32,
    is_withdrawn: AtomicBool,
    /// The node ends: what is dropped now was not sent.
    is_over: Arc<AtomicBool>,
    done: Box<dyn Fn() + Send + Sync>,
}

impl Group {
    pub(crate) fn new(again: SentAgain, is_over: Arc<AtomicBool>) -> Self {
        let SentAgain { time_ms, age, source, done } = again;
        let now = Instant::now();
        let since = now.checked_sub(age).unwrap_or(now);
        Self { time_ms, since, source, is_withdrawn: AtomicBool::new(false), is_over, done }
    }

    /// Some of the events are not sent by this node.
    pub(crate) fn withdraw(&self) {
        self.is_withdrawn.store(true, Ordering::Relaxed);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_withdrawn.load(Ordering::Relaxed) && !self.is_over.load(Ordering::Acquire) {
            (self.done)();
        }
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("time_ms", &self.time_ms).finish_non_exhaustive()
    }
}
