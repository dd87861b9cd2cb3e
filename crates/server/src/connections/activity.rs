//! What a connection is doing right now, as its own task writes it down and others read it.
//!
//! Only atomics: a request costs a few stores, and whoever looks for the idlest connection disturbs none.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use super::places::Group;

/// In place of the moment since when a connection is quiet: a request is under way.
const BUSY: u64 = u64::MAX;

/// In place of that moment: the connection is to end, because others need its place.
const LEAVING: u64 = u64::MAX - 1;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// Since when no request is under way, in microseconds; or [`BUSY`], or [`LEAVING`].
    quiet_since: AtomicU64,
    /// Whether it was ever chosen to make room for another.
    chosen: AtomicBool,
    /// Whether bytes have come since the last answer.
    heard: AtomicBool,
    /// Whether the socket takes no bytes.
    blocked: AtomicBool,
    /// How many bytes the socket has taken.
    written: AtomicU64,
    /// How many requests were answered.
    answered: AtomicU32,
    /// Wakes the connection's task.
    waker: OnceLock<Waker>,
    /// Where it stands in the lists of the node and of its address.
    pub(super) positions: [AtomicUsize; 2],
    /// Which connections it is counted with, besides all of the node.
    pub(super) group: Option<Group>,
}

impl Activity {
    /// Of a connection that has come now.
    pub(super) fn new(group: Option<Group>, now: u64) -> Self {
        Self {
            quiet_since: AtomicU64::new(now),
            chosen: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            answered: AtomicU32::new(0),
            waker: OnceLock::new(),
            positions: [AtomicUsize::new(0), AtomicUsize::new(0)],
            group,
        }
    }

    /// Remembers how to wake the connection's task.
    pub(super) fn set_waker(&self, waker: &Waker) {
        let _ = self.waker.set(waker.clone());
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// A request has come; whether the connection was told to leave in this moment.
    pub(super) fn begin(&self) -> bool {
        self.quiet_since.swap(BUSY, Ordering::AcqRel) == LEAVING
    }

    /// The answer to a request is there, to be written.
    pub(super) fn end(&self, now: u64) {
        self.heard.store(false, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.quiet_since.store(now, Ordering::Release);
    }

    /// Since when no request is under way, in microseconds, if none is.
    pub(super) fn quiet_since(&self) -> Option<u64> {
        let since = self.quiet_since.load(Ordering::Acquire);
        (since < LEAVING).then_some(since)
    }

    /// Whether the connection is to end, because others need its place.
    pub(super) fn is_leaving(&self) -> bool {
        self.quiet_since.load(Ordering::Acquire) == LEAVING
    }

    /// Has the connection make room, if it has been quiet since that very moment.
    pub(super) fn choose(&self, since: u64) -> bool {
        let told =
            self.quiet_since.compare_exchange(since, LEAVING, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if told {
            self.wake();
        }
        told && !self.chosen.swap(true, Ordering::Relaxed)
    }

    /// Whether it was ever chosen to make room.
    pub(super) fn was_chosen(&self) -> bool {
        self.chosen.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether bytes have come that were not answered yet.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Bytes have come.
    pub(super) fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }

    /// The socket has taken so many bytes.
    pub(super) fn took(&self, bytes: usize) {
        // Its own task alone writes this.
        let written = self.written.load(Ordering::Relaxed) + bytes as u64;
        self.written.store(written, Ordering::Relaxed);
        self.blocked.store(false, Ordering::Relaxed);
    }

    /// The socket has taken nothing.
    pub(super) fn took_nothing(&self) {
        self.blocked.store(true, Ordering::Relaxed);
    }

    /// How many bytes the socket has taken so far, if it takes no more now.
    pub(super) fn blocked_at(&self) -> Option<u64> {
        self.blocked.load(Ordering::Relaxed).then(|| self.written.load(Ordering::Relaxed))
    }
}
