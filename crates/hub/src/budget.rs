//! What the outboxes of a node may hold, each and all together.
//!
//! All together is counted as it is in memory: a frame once, however many wait for it, and every queue with the
//! places that it has. Over the budget nothing is refused here; whoever waits for that is woken, and closes
//! the largest readers ([`Hubs::relieve`](crate::Hubs::relieve)).

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_protocol::frame::held_bytes;

use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The bounds, and what is held.
#[derive(Debug)]
pub struct Budget {
    outbox_bytes: usize,
    bytes: usize,
    /// Bytes of the queues themselves.
    slots: AtomicUsize,
    /// Guards the waker of whoever waits for too much to be held; a leaf.
    waker: Mutex<Option<Waker>>,
}

impl Default for Budget {
    /// A mebibyte for each, and no bound for all.
    fn default() -> Self {
        Self::new(1 << 20, usize::MAX)
    }
}

impl Budget {
    /// At most `outbox_bytes` for one outbox, and `bytes` for all of them.
    #[must_use]
    pub const fn new(outbox_bytes: usize, bytes: usize) -> Self {
        Self { outbox_bytes, bytes, slots: AtomicUsize::new(0), waker: Mutex::new(None) }
    }

    /// At most `outbox_bytes` for one outbox, whatever all of them hold.
    #[must_use]
    pub fn of_each(outbox_bytes: usize) -> Arc<Self> {
        Arc::new(Self::new(outbox_bytes, usize::MAX))
    }

    /// The most that one outbox holds.
    #[must_use]
    pub const fn outbox_bytes(&self) -> usize {
        self.outbox_bytes
    }

    /// The most that all outboxes hold.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What all outboxes of the process hold now.
    #[must_use]
    pub fn held(&self) -> usize {
        held_bytes() + self.slots.load(Ordering::Relaxed)
    }

    /// Bytes of the queues alone, which are those of this budget's outboxes.
    #[cfg(test)]
    pub(crate) fn queues(&self) -> usize {
        self.slots.load(Ordering::Relaxed)
    }

    /// Waits until more is held than there may be.
    pub fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        *self.waker.lock() = Some(cx.waker().clone());
        if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.held() > self.bytes
    }

    /// Whether there is room again, so that what comes next does not close anybody at once.
    pub(crate) fn has_room(&self) -> bool {
        self.held() <= self.bytes / 4 * 3
    }

    /// Wakes whoever waits for too much to be held, if it is.
    pub(crate) fn check(&self) {
        if self.is_over() {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.slots.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.slots.fetch_sub(bytes, Ordering::Relaxed);
    }
}
