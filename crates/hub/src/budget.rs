//! Memory that waiting data of a node's connections may take, for each connection and for all together.
//!
//! The sum is counted as memory holds the data: a frame once, however many outboxes hold the frame; every queue with
//! its capacity; and the received bytes of incomplete messages. Nothing is refused here when the budget is exceeded: a
//! waiting task is woken, and closes the largest connections ([`Hubs::relieve`](crate::Hubs::relieve)).

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_protocol::frame::held_bytes;

use crate::sampling::{MomentTaker, SampleWindow, Sampling};
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The budget is checked each time that a connection has grown by so many bytes.
const STEP: usize = 4096;

/// The bounds, and the bytes held.
#[derive(Debug)]
pub struct Budget {
    outbox_bytes: AtomicUsize,
    bytes: AtomicUsize,
    /// Bytes of the queues themselves, and of incomplete messages.
    others: AtomicUsize,
    /// Bytes of frames that are kept for clients that resume, under a bound of their own.
    kept: AtomicUsize,
    /// The share of all bytes that the tasks of closed connections are about to free.
    freeing: AtomicUsize,
    /// Guards the waker of the task that waits for an exceeded budget; a leaf.
    waker: Mutex<Option<Waker>>,
    /// How long frames of sampled events wait.
    sampling: Sampling,
}

impl Default for Budget {
    /// A mebibyte for each connection, and no bound for all together.
    fn default() -> Self {
        Self::new(1 << 20, usize::MAX)
    }
}

impl Budget {
    /// At most `outbox_bytes` for one outbox, and `bytes` for everything that waits.
    #[must_use]
    pub const fn new(outbox_bytes: usize, bytes: usize) -> Self {
        Self {
            outbox_bytes: AtomicUsize::new(outbox_bytes),
            bytes: AtomicUsize::new(bytes),
            others: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            freeing: AtomicUsize::new(0),
            waker: Mutex::new(None),
            sampling: Sampling::new(),
        }
    }

    /// At most `outbox_bytes` for one outbox, without a bound for all together.
    #[must_use]
    pub fn of_each(outbox_bytes: usize) -> Arc<Self> {
        Arc::new(Self::new(outbox_bytes, usize::MAX))
    }

    /// The same, and who hears of written frames of sampled events.
    #[must_use]
    pub fn with_moments(mut self, taker: MomentTaker) -> Self {
        self.sampling.set_taker(taker);
        self
    }

    /// The event that is delivered until the result is dropped is sampled: outboxes keep this moment, whose unit is the
    /// caller's.
    #[must_use]
    pub fn sample(&self, moment: u32) -> SampleWindow<'_> {
        self.sampling.open(moment)
    }

    pub(crate) const fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// The bound of one outbox, in bytes.
    #[must_use]
    pub fn outbox_bytes(&self) -> usize {
        self.outbox_bytes.load(Ordering::Relaxed)
    }

    /// The bound of all connections together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Other bounds from now on. An outbox that is over its bound is found out at its next message, and all together at the next
    /// growth of a connection.
    pub fn set_bounds(&self, outbox_bytes: usize, bytes: usize) {
        self.outbox_bytes.store(outbox_bytes, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that all connections of the process hold now.
    #[must_use]
    pub fn held(&self) -> usize {
        let kept = self.kept.load(Ordering::Relaxed);
        (held_bytes() + self.others.load(Ordering::Relaxed)).saturating_sub(kept)
    }

    /// A frame is kept for clients that resume, and so counted elsewhere, whoever else holds the frame.
    pub(crate) fn keep(&self, bytes: usize) {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A frame is kept for nobody any more.
    pub(crate) fn keep_no_more(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes of everything but frames, whose bytes are counted for the whole process.
    #[cfg(test)]
    pub(crate) fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }

    /// Waits until the budget is exceeded.
    pub fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        *self.waker.lock() = Some(cx.waker().clone());
        if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the budget is exceeded, and stays exceeded when closed connections have freed their bytes.
    pub(crate) fn is_over(&self) -> bool {
        self.stays() > self.bytes()
    }

    fn stays(&self) -> usize {
        self.held().saturating_sub(self.freeing.load(Ordering::Relaxed))
    }

    /// A closed connection is about to free so many bytes; a shared frame counts once for each connection.
    pub(crate) fn will_free(&self, bytes: usize) {
        self.freeing.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A closed connection has freed the bytes that it announced.
    pub(crate) fn has_freed(&self, bytes: usize) {
        self.freeing.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether there is room again, so that the next frame does not close a connection at once.
    pub(crate) fn has_room(&self) -> bool {
        self.stays() <= self.bytes() / 4 * 3
    }

    /// Reports a connection's bytes before and after a change: wakes the waiting task if the budget is exceeded.
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
