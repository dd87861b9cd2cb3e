//! What the connections of a node may hold of what waits, each and all together.
//!
//! All together is counted as it is in memory: a frame once, however many wait for it, every queue with the places
//! that it has, and what has come of messages that are not complete. Over the budget nothing is refused here: a
//! task that waits for that is woken, and closes the largest ([`Hubs::relieve`](crate::Hubs::relieve)).

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_protocol::frame::held_bytes;

use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The budget is looked at each time that a connection has grown by so many bytes.
const STEP: usize = 4096;

/// The bounds, and what is held.
#[derive(Debug)]
pub struct Budget {
    outbox_bytes: usize,
    bytes: usize,
    /// Bytes of the queues themselves, and of messages that are not complete.
    others: AtomicUsize,
    /// Of all that, what the tasks of closed connections are about to free.
    freeing: AtomicUsize,
    /// Guards the waker of the task that waits until too much is held; a leaf.
    waker: Mutex<Option<Waker>>,
}

impl Default for Budget {
    /// A mebibyte for each, and no bound for all.
    fn default() -> Self {
        Self::new(1 << 20, usize::MAX)
    }
}

impl Budget {
    /// At most `outbox_bytes` for one outbox, and `bytes` for all of them and what else waits.
    #[must_use]
    pub const fn new(outbox_bytes: usize, bytes: usize) -> Self {
        Self {
            outbox_bytes,
            bytes,
            others: AtomicUsize::new(0),
            freeing: AtomicUsize::new(0),
            waker: Mutex::new(None),
        }
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

    /// The most that all connections hold.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What all connections of the process hold now.
    #[must_use]
    pub fn held(&self) -> usize {
        held_bytes() + self.others.load(Ordering::Relaxed)
    }

    /// Bytes of all but frames, which are those of the process.
    #[cfg(test)]
    pub(crate) fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }

    /// Waits until more is held than there may be.
    pub fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        *self.waker.lock() = Some(cx.waker().clone());
        if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether more is held than there may be, and will be when closed connections have freed theirs.
    pub(crate) fn is_over(&self) -> bool {
        self.stays() > self.bytes
    }

    fn stays(&self) -> usize {
        self.held().saturating_sub(self.freeing.load(Ordering::Relaxed))
    }

    /// A closed connection is about to free so many bytes; a frame for many counts for each.
    pub(crate) fn will_free(&self, bytes: usize) {
        self.freeing.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A closed connection has freed what it said.
    pub(crate) fn has_freed(&self, bytes: usize) {
        self.freeing.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether there is room again, so that what comes next does not close anybody at once.
    pub(crate) fn has_room(&self) -> bool {
        self.stays() <= self.bytes / 4 * 3
    }

    /// A connection holds more than before, or not: wakes whoever waits for too much to be held, if it is.
    pub(crate) fn grown(&self, before: usize, after: usize) {
        if after / STEP > before / STEP && self.is_over() {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    pub(crate) fn change(&self, before: usize, after: usize) {
        if after > before {
            self.take(after - before);
            self.grown(before, after);
        } else {
            self.give_back(before - after);
        }
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.others.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.others.fetch_sub(bytes, Ordering::Relaxed);
    }
}
