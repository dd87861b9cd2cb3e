//! The state of one connection, written by its own task and read by others.
//!
//! A request costs a few stores to atomics, and the search for the idlest connection disturbs no connection.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// The unit of the bound by address: an address, or the first half of one of IPv6.
pub(super) type Group = IpAddr;

/// In place of the moment: the server works on a request.
const BUSY: u64 = u64::MAX;

/// In place of the moment: the connection is to be closed, because a new one needs its slot.
const LEAVING: u64 = u64::MAX - 1;

/// The peer's end was not read, or HTTP has seen it.
const NO_END: u8 = 0;

/// The peer's end was read, and is kept from HTTP.
const END_HELD: u8 = 1;

/// The same, and HTTP is to look again.
const END_DUE: u8 = 2;

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
    /// Number of requests under way: at most one, but over HTTP/2.
    under_way: AtomicU32,
    /// Of the requests under way, how many need more of their body.
    wanting: AtomicU32,
    /// Of the requests under way, how many have a chunk of their answer that HTTP has not taken.
    unsent: AtomicU32,
    /// Of the requests under way, how many go on as long as the body of their answer.
    streams: AtomicU32,
    /// Whether HTTP waits for more bytes of the peer, and so for the peer's end.
    listens: AtomicBool,
    /// [`NO_END`], [`END_HELD`] or [`END_DUE`].
    end: AtomicU8,
    /// Whether bytes have arrived since the last answer.
    heard: AtomicBool,
    /// Whether all that is unsent is to be thrown away with the connection.
    is_cut_off: AtomicBool,
    /// Whether the socket accepts no bytes.
    blocked: AtomicBool,
    /// Number of bytes that the socket has accepted.
    written: AtomicU64,
    /// Number of requests answered.
    answered: AtomicU32,
    /// Number of requests answered, and of chunks taken.
    steps: AtomicU32,
    /// Number of [`super::Lending`]s; written under the lock of all connections.
    lendings: AtomicU32,
    /// Whether the slot has been released; written under the lock of all connections.
    is_gone: AtomicBool,
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
            under_way: AtomicU32::new(0),
            wanting: AtomicU32::new(0),
            unsent: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            listens: AtomicBool::new(false),
            end: AtomicU8::new(NO_END),
            heard: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            answered: AtomicU32::new(0),
            steps: AtomicU32::new(0),
            lendings: AtomicU32::new(0),
            is_gone: AtomicBool::new(false),
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

    /// The server works on a request.
    pub(super) fn begin(&self) {
        // Only the connection's own task writes the field.
        self.under_way.store(self.under_way.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.work();
    }

    /// The server has something to do, or the connection has ended: the connection cannot be chosen from here on.
    pub(super) fn work(&self) {
        if self.waiting.swap(BUSY, Ordering::AcqRel) == LEAVING {
            self.must_close.store(true, Ordering::Relaxed);
        }
    }

    /// The answer to a request is ready to be written; of a stream, its end.
    pub(super) fn end(&self, now: u64) {
        self.heard.store(false, Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
        let left = self.under_way.load(Ordering::Relaxed).saturating_sub(1);
        self.under_way.store(left, Ordering::Relaxed);
        if left == 0 {
            self.waiting.store(Waiting::for_request(now).0, Ordering::Release);
        }
    }

    /// A request under way goes on as long as the body of its answer.
    pub(super) fn begin_stream(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// The end of such a body, and of its request.
    pub(super) fn end_stream(&self, now: u64) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
        self.end(now);
    }

    /// HTTP waits for more bytes of the peer, or does not look for any.
    pub(super) fn set_listens(&self, listens: bool) {
        self.listens.store(listens, Ordering::Relaxed);
    }

    /// Whether a stream goes on, and the end of its peer would not be noticed.
    pub(super) fn streams_unheard(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0 && !self.listens.load(Ordering::Relaxed)
    }

    /// Whether HTTP, which has read the peer's end, may see the end. HTTP drops the request under way then, though a peer that
    /// has only finished sending waits for its answer. The first look comes before the request is begun.
    pub(super) fn may_see_end(&self) -> bool {
        let may_see = self.end.swap(END_HELD, Ordering::Relaxed) != NO_END && self.end_matters();
        if may_see {
            self.end.store(NO_END, Ordering::Relaxed);
        }
        may_see
    }

    /// Whether HTTP is to look again, because the end that was kept from it matters now; once for each look.
    pub(super) fn is_to_see_end(&self) -> bool {
        let is_due = self.end.load(Ordering::Relaxed) == END_HELD && self.end_matters();
        if is_due {
            self.end.store(END_DUE, Ordering::Relaxed);
        }
        is_due
    }

    /// Nothing is under way or unsent, or a request cannot go on without its peer: its body is incomplete, or its answer a stream,
    /// whose peer has gone for all that can be known.
    fn end_matters(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0
            || self.wanting.load(Ordering::Relaxed) > 0
            || (self.under_way.load(Ordering::Relaxed) == 0 && self.blocked_at().is_none())
    }

    /// A request under way needs more of its body, as it did not before.
    pub(super) fn want_body(&self) {
        self.wanting.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that needed more of its body has read enough, or goes on without the rest.
    pub(super) fn want_no_body(&self) {
        self.wanting.fetch_sub(1, Ordering::Relaxed);
        self.work();
    }

    /// A stream has a chunk for HTTP.
    pub(super) fn offer_chunk(&self) {
        self.unsent.fetch_add(1, Ordering::Relaxed);
    }

    /// HTTP has taken the chunk of a stream, or the stream is over without.
    pub(super) fn take_chunk(&self) {
        self.unsent.fetch_sub(1, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.work();
    }

    /// Whether requests are under way, and each waits for its peer: for more of its body, or for a chunk to be taken.
    pub(super) fn waits_for_peer_alone(&self) -> bool {
        let waiting = self.wanting.load(Ordering::Relaxed) + self.unsent.load(Ordering::Relaxed);
        waiting > 0 && waiting >= self.under_way.load(Ordering::Relaxed)
    }

    /// Whether a stream has a chunk that HTTP has not taken.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.load(Ordering::Relaxed) > 0
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

    /// A number that differs after each answer and each chunk.
    pub(super) fn steps(&self) -> u32 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Counts a lending; returns whether the connection has to leave the crowds for it.
    pub(super) fn lend(&self) -> bool {
        let before = self.lendings.load(Ordering::Relaxed);
        self.lendings.store(before + 1, Ordering::Relaxed);
        before == 0 && !self.is_gone.load(Ordering::Relaxed)
    }

    /// The end of a lending; returns whether the connection has to return to the crowds.
    pub(super) fn take_back(&self) -> bool {
        let left = self.lendings.load(Ordering::Relaxed) - 1;
        self.lendings.store(left, Ordering::Relaxed);
        left == 0 && !self.is_gone.load(Ordering::Relaxed)
    }

    pub(super) fn is_lent(&self) -> bool {
        self.lendings.load(Ordering::Relaxed) > 0
    }

    /// The slot has been released.
    pub(super) fn go(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
        self.work();
    }

    /// Whether bytes have arrived that are not answered yet.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Bytes have arrived.
    pub(super) fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }

    /// The next use of the socket fails, and closes the socket without sending the rest.
    pub(super) fn cut_off(&self) {
        self.is_cut_off.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
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
