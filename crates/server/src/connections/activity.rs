//! The state of one connection, written by its own task and read by others.
//!
//! A request costs a few stores to atomics, and the search for the idlest connection disturbs no connection.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// The unit of the bound by address: an address, or the first half of one of IPv6.
pub(super) type Group = IpAddr;

/// In place of the moment: the server works on a request.
const BUSY: u64 = u64::MAX;

/// In place of the moment: the connection is to be closed, because a new one needs its slot.
const LEAVING: u64 = u64::MAX - 1;

/// Since when a connection waits for its peer, and for what; ordered by the moment.
///
/// Twice the moment in microseconds, plus 1 if a request is under way.
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

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// The [`Waiting`] for the peer, or [`BUSY`], or [`LEAVING`].
    waiting: AtomicU64,
    /// Whether the connection was ever chosen to make room for another.
    chosen: AtomicBool,
    /// Whether the choice coincided with a request, or the body of one, that arrived.
    must_close: AtomicBool,
    /// Whether the request under way needs more of its body.
    wants_body: AtomicBool,
    /// Whether bytes have arrived since the last answer.
    heard: AtomicBool,
    /// Whether the socket accepts no bytes.
    blocked: AtomicBool,
    /// Number of bytes that the socket has accepted.
    written: AtomicU64,
    /// Number of requests answered.
    answered: AtomicU32,
    /// Wakes the connection's task.
    waker: Mutex<Option<Waker>>,
    /// Positions in the lists of the node and of the address.
    pub(super) positions: [AtomicUsize; 2],
    /// The group that the connection counts in, besides the whole node.
    pub(super) group: Option<Group>,
}

impl Activity {
    /// The state of a new connection.
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

    /// Stores the waker of the connection's task.
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

    /// The server works on a request, or the connection has ended: the connection cannot be chosen from here on.
    pub(super) fn begin(&self) {
        if self.waiting.swap(BUSY, Ordering::AcqRel) == LEAVING {
            self.must_close.store(true, Ordering::Relaxed);
        }
    }

    /// The answer to a request is ready to be written.
    pub(super) fn end(&self, now: u64) {
        self.heard.store(false, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.waiting.store(Waiting::for_request(now).0, Ordering::Release);
    }

    /// The request under way needs more of its body.
    pub(super) fn want_body(&self) {
        self.wants_body.store(true, Ordering::Relaxed);
    }

    /// The request under way has read enough of its body, or goes on without the rest.
    pub(super) fn want_no_body(&self) {
        // Only the connection's own task writes the field.
        if self.wants_body.load(Ordering::Relaxed) {
            self.wants_body.store(false, Ordering::Relaxed);
            self.begin();
        }
    }

    /// Whether the request under way needs more of its body.
    pub(super) fn wants_body(&self) -> bool {
        self.wants_body.load(Ordering::Relaxed)
    }

    /// The connection has waited for its peer since then, though a request is under way: for more of its body, or for
    /// the end of a farewell.
    pub(super) fn wait_for_peer(&self, since: u64) {
        let waiting = Waiting::amid_request(since).0;
        // The connection may have been chosen meanwhile.
        let _ = self.waiting.compare_exchange(BUSY, waiting, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// What the connection waits for, if the peer is to act.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let waiting = self.waiting.load(Ordering::Acquire);
        (waiting < LEAVING).then_some(Waiting(waiting))
    }

    /// Since when no request is under way, in microseconds; `None` during a request.
    pub(super) fn quiet_since(&self) -> Option<u64> {
        let waiting = self.waiting()?;
        let since = waiting.0 >> 1;
        (waiting == Waiting::for_request(since)).then_some(since)
    }

    /// Whether the connection is to be closed, because another needs its slot.
    pub(super) fn is_leaving(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == LEAVING
    }

    /// Chooses the connection to make room, if `waiting` has not changed meanwhile.
    pub(super) fn choose(&self, waiting: Waiting) -> bool {
        let told =
            self.waiting.compare_exchange(waiting.0, LEAVING, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if told {
            self.wake();
        }
        told && !self.chosen.swap(true, Ordering::Relaxed)
    }

    /// Whether the connection was chosen at the moment that a request, or its body, arrived.
    pub(super) fn must_close(&self) -> bool {
        self.must_close.load(Ordering::Relaxed)
    }

    /// Whether the connection was ever chosen to make room.
    pub(super) fn was_chosen(&self) -> bool {
        self.chosen.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether bytes have arrived that are not answered yet.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Bytes have arrived.
    pub(super) fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }

    /// The socket has accepted this many bytes.
    pub(super) fn took(&self, bytes: usize) {
        // Only the connection's own task writes the field.
        let written = self.written.load(Ordering::Relaxed) + bytes as u64;
        self.written.store(written, Ordering::Relaxed);
        self.blocked.store(false, Ordering::Relaxed);
    }

    /// The socket has accepted no bytes.
    pub(super) fn took_nothing(&self) {
        self.blocked.store(true, Ordering::Relaxed);
    }

    /// Number of bytes that the socket has accepted so far, if the socket accepts no more now.
    pub(super) fn blocked_at(&self) -> Option<u64> {
        self.blocked.load(Ordering::Relaxed).then(|| self.written.load(Ordering::Relaxed))
    }
}
