//! What a node keeps for clients that resume, counted over all apps, and its bounds.
//!
//! A ring or a record takes its own count, and gives it back.

use std::sync::Arc;

use crate::budget::Budget;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// The bounds of a node on what is kept for clients that resume.
#[derive(Clone, Copy, Debug)]
pub struct ResumeBounds {
    /// Most bytes of all apps together.
    pub bytes: usize,
    /// Most ended connections of all apps together.
    pub records: usize,
    /// Milliseconds for which a connection may have been lost before the server notices.
    pub silence: u64,
}

impl Default for ResumeBounds {
    /// No bound, and a silence of 80 seconds.
    fn default() -> Self {
        Self { bytes: usize::MAX, records: usize::MAX, silence: 80_000 }
    }
}

/// What the rings of all apps share.
#[derive(Debug, Default)]
pub(crate) struct NodeRings {
    bounds: ResumeBounds,
    /// Frames that rings keep do not wait for clients.
    budget: Arc<Budget>,
    /// The present in milliseconds, as of the last sweep.
    now: AtomicU64,
    bytes: AtomicUsize,
    records: AtomicUsize,
    /// Answers to clients that came back: complete, and incomplete ones.
    answers: [AtomicU64; 2],
}

impl NodeRings {
    pub(crate) fn new(bounds: ResumeBounds, budget: Arc<Budget>) -> Self {
        Self { bounds, budget, ..Self::default() }
    }

    pub(crate) fn set_now(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Bytes that are kept for clients that resume.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Ended connections that are remembered.
    pub(crate) fn records(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    /// How long a connection may have been lost before the server notices.
    pub(super) const fn silence(&self) -> u64 {
        self.bounds.silence
    }

    /// Counts bytes, if there is room.
    pub(super) fn take(&self, bytes: usize) -> bool {
        take(&self.bytes, bytes, self.bounds.bytes)
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether more is kept than these eighths of the bound.
    pub(super) fn is_fuller_than(&self, eighths: usize) -> bool {
        self.bytes() > self.bounds.bytes / 8 * eighths
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A client that came back is answered.
    pub(super) fn count_answer(&self, is_complete: bool) {
        self.answers[usize::from(!is_complete)].fetch_add(1, Ordering::Relaxed);
    }

    /// Answers since the start to clients that came back: complete, and incomplete ones.
    pub(crate) fn answers(&self) -> [u64; 2] {
        self.answers.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Counts one more ended connection of an app that has so many, if there is room: an app gets at most as many as stay
    /// free, so that none takes the place of all others.
    pub(super) fn take_record(&self, of_app: usize) -> bool {
        take(&self.records, 1, self.bounds.records.saturating_sub(of_app))
    }

    pub(super) fn give_back_records(&self, records: usize) {
        self.records.fetch_sub(records, Ordering::Relaxed);
    }
}

/// Adds to a count, unless the count would be above `most`.
pub(super) fn take(from: &AtomicUsize, count: usize, most: usize) -> bool {
    let fits = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= most);
    from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
}
