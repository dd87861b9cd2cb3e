//! What a connection is doing right now, as its own task writes it down and others read it.
//!
//! A request costs a few stores to atomics, and a look for the idlest connection disturbs none.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// What is counted together: an address, or the first half of one.
pub(super) type Group = IpAddr;

/// In place of the moment since when a connection waits for its peer: the server works on a request.
const BUSY: u64 = u64::MAX;

/// In place of that moment: the connection is to end, because others need its place.
const LEAVING: u64 = u64::MAX - 1;

/// Since when a connection waits for its peer, and for what; in the order of the moments.
///
/// Twice the moment in microseconds, and one more if a request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting(u64);

impl Waiting {
    const fn for_request(since: u64) -> Self {
        Self(since << 1)
    }

    const fn amid_request(since: u64) -> Self {
        Self(since << 1 | 1)
    }
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// What is [`Waiting`] for the peer; or [`BUSY`], or [`LEAVING`].
    waiting: AtomicU64,
    /// Whether it was ever chosen to make room for another.
    chosen: AtomicBool,
    /// Whether it was chosen when a request, or the body of one, came in that very moment.
    must_close: AtomicBool,
    /// Whether the request under way needs more of its body.
    wants_body: AtomicBool,
    /// Whether bytes have come since the last answer.
    heard: AtomicBool,
    /// Whether the socket takes no bytes.
    blocked: AtomicBool,
    /// How many bytes the socket has taken.
    written: AtomicU64,
    /// How many requests were answered.
    answered: AtomicU32,
    /// Wakes the connection's task.
    waker: Mutex<Option<Waker>>,
    /// Where it stands in the lists of the node and of its address.
    pub(super) positions: [AtomicUsize; 2],
    /// Which connections it is counted with, besides all of the node.
    pub(super) group: Option<Group>,
}

impl Activity {
    /// Of a connection that has come now.
    pub(super) fn new(group: Option<Group>, now: u64) -> Self {
        Self {
            waiting: AtomicU64::new(Waiting::for_request(now).0),
            chosen: AtomicBool::new(false),
            must_close: AtomicBool::new(false),
            wants_body: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            answered: AtomicU32::new(0),
            waker: Mutex::new(None),
            positions: [AtomicUsize::new(0), AtomicUsize::new(0)],
            group,
        }
    }

    /// Remembers how to wake the connection's task.
    pub(super) fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.lock();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    /// The server works on a request, or the connection has gone: it cannot be chosen from here on.
    pub(super) fn begin(&self) {
        if self.waiting.swap(BUSY, Ordering::AcqRel) == LEAVING {
            self.must_close.store(true, Ordering::Relaxed);
        }
    }

    /// The answer to a request is there, to be written.
    pub(super) fn end(&self, now: u64) {
        self.heard.store(false, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.waiting.store(Waiting::for_request(now).0, Ordering::Release);
    }

    /// The request under way needs more of its body.
    pub(super) fn want_body(&self) {
        self.wants_body.store(true, Ordering::Relaxed);
    }

    /// The request under way has what it needed of its body, or goes on without.
    pub(super) fn want_no_body(&self) {
        // Its own task alone writes this.
        if self.wants_body.load(Ordering::Relaxed) {
            self.wants_body.store(false, Ordering::Relaxed);
            self.begin();
        }
    }

    /// Whether the request under way needs more of its body.
    pub(super) fn wants_body(&self) -> bool {
        self.wants_body.load(Ordering::Relaxed)
    }

    /// The peer is waited for since then, though a request is under way: for more of its body, or for the end of a
    /// farewell.
    pub(super) fn wait_for_peer(&self, since: u64) {
        let waiting = Waiting::amid_request(since).0;
        // The connection may have been chosen since the last time.
        let _ = self.waiting.compare_exchange(BUSY, waiting, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// What is waited for, if it is the peer's turn.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let waiting = self.waiting.load(Ordering::Acquire);
        (waiting < LEAVING).then_some(Waiting(waiting))
    }

    /// Since when no request is under way, in microseconds, if none is.
    pub(super) fn quiet_since(&self) -> Option<u64> {
        let waiting = self.waiting()?;
        let since = waiting.0 >> 1;
        (waiting == Waiting::for_request(since)).then_some(since)
    }

    /// Whether the connection is to end, because others need its place.
    pub(super) fn is_leaving(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == LEAVING
    }

    /// Has the connection make room, if it has waited for this all along.
    pub(super) fn choose(&self, waiting: Waiting) -> bool {
        let told =
            self.waiting.compare_exchange(waiting.0, LEAVING, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if told {
            self.wake();
        }
        told && !self.chosen.swap(true, Ordering::Relaxed)
    }

    /// Whether the connection was told to leave in the moment that a request, or its body, came.
    pub(super) fn must_close(&self) -> bool {
        self.must_close.load(Ordering::Relaxed)
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
