//! What the rings of one app share: the app's settings, and the count of what they keep.

use std::sync::Arc;

use fanfare_protocol::app::App;

use super::node::{NodeRings, take};
use super::tokens::Tokens;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Most milliseconds from one sweep to the next, by which the present may be too old.
const BETWEEN_SWEEPS: u64 = 1000;

/// What the rings of one app share, from the first use of `resume_seconds` on.
#[derive(Debug)]
pub(crate) struct Rings {
    node: Arc<NodeRings>,
    bytes: AtomicUsize,
    /// The app's settings, as last looked up.
    most_bytes: AtomicUsize,
    most_entries: AtomicUsize,
    milliseconds: AtomicU64,
    pub(crate) tokens: Tokens,
}

impl Rings {
    pub(crate) fn new(node: Arc<NodeRings>, app: &App) -> Self {
        let rings = Self {
            tokens: Tokens::new(Arc::clone(&node)),
            node,
            bytes: AtomicUsize::new(0),
            most_bytes: AtomicUsize::new(0),
            most_entries: AtomicUsize::new(0),
            milliseconds: AtomicU64::new(0),
        };
        rings.set_app(app);
        rings
    }

    /// Takes over newer settings.
    pub(crate) fn set_app(&self, app: &App) {
        self.most_bytes.store(app.limits.resume_bytes, Ordering::Relaxed);
        self.most_entries.store(app.limits.resume_entries, Ordering::Relaxed);
        self.milliseconds.store(1000 * app.resume_seconds as u64, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.node.now()
    }

    /// When what ends now is to be forgotten.
    pub(crate) fn expiry(&self) -> u64 {
        self.now() + BETWEEN_SWEEPS + self.milliseconds.load(Ordering::Relaxed)
    }

    /// How long frames are kept: a client that is away may have got nothing for a while before its connection ended.
    pub(crate) fn age(&self) -> u64 {
        BETWEEN_SWEEPS + self.node.silence() + self.milliseconds.load(Ordering::Relaxed)
    }

    /// Most frames of one ring.
    pub(crate) fn most_entries(&self) -> usize {
        self.most_entries.load(Ordering::Relaxed)
    }

    /// A client that came back is answered.
    pub(crate) fn count_answer(&self, is_complete: bool) {
        self.node.count_answer(is_complete);
    }

    /// Bytes that are kept for clients of the app.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes, if there is room; so many of them are those of a frame.
    pub(crate) fn take(&self, bytes: usize, of_frame: usize) -> bool {
        if !take(&self.bytes, bytes, self.most_bytes.load(Ordering::Relaxed)) {
            return false;
        }
        if !self.node.take(bytes) {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.node.budget().keep(of_frame);
        true
    }

    pub(crate) fn give_back(&self, bytes: usize, of_frame: usize) {
        self.node.budget().keep_no_more(of_frame);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.node.give_back(bytes);
    }

    /// Whether more is kept than these eighths of a bound.
    pub(crate) fn is_fuller_than(&self, eighths: usize) -> bool {
        self.bytes() > self.most_bytes.load(Ordering::Relaxed) / 8 * eighths
            || self.node.is_fuller_than(eighths)
    }

    /// Whether something is kept that a client may come back for.
    pub(crate) fn keep_anything(&self) -> bool {
        self.bytes() > 0 || self.tokens.ended() > 0
    }
}
