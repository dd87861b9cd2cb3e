//! The order between events and changes of members, which two tasks bring to the node: who has joined is told of before
//! what that user sends.
//!
//! A worker waits for the link's task, which never waits for a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// How many of the deltas that a link has heard were brought to the node.
#[derive(Default)]
pub(crate) struct BroughtDeltas {
    number: AtomicU64,
    bell: Notify,
}

impl BroughtDeltas {
    /// So many were brought.
    pub fn set(&self, number: u64) {
        if self.number.swap(number, Ordering::AcqRel) != number {
            self.bell.notify_waiters();
        }
    }

    /// The link has ended, and nothing waits for more of its deltas.
    pub fn end(&self) {
        self.set(u64::MAX);
    }

    fn has(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) >= number
    }

    /// What an event waits for that was heard behind so many deltas; none if all of them were brought.
    pub fn behind(self: &Arc<Self>, number: u64) -> Option<Behind> {
        (!self.has(number)).then(|| Behind { deltas: Arc::clone(self), number })
    }
}

/// Deltas that are to be brought before an event.
pub(crate) struct Behind {
    deltas: Arc<BroughtDeltas>,
    number: u64,
}

impl Behind {
    /// Returns when they were brought, or the link has ended.
    pub async fn wait(self) {
        loop {
            let rung = self.deltas.bell.notified();
            if self.deltas.has(self.number) {
                return;
            }
            rung.await;
        }
    }
}
