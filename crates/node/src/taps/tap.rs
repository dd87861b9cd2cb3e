//! One tap: what it wants, whose it is, and what waits for its reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::entry::LiveEntry;
use super::filter::LiveFilter;
use super::kind::{KindCounts, LiveKind};
use super::lease::TapLease;
use super::ring::LiveRing;

/// Whose a tap is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapHolder {
    /// The token's number.
    pub token: i64,
    /// What tells the session from others; `None` where the token was sent itself.
    pub session: Option<String>,
    /// The token's name.
    pub name: String,
    /// Whether the token is bound to apps.
    pub is_bound: bool,
}

/// A tap.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) app: AppId,
    pub(super) filter: LiveFilter,
    /// Whether the reader may see what events carry.
    pub(super) shows_data: bool,
    pub(super) holder: TapHolder,
    /// Whether the reader is gone, and may come back.
    pub(super) is_away: AtomicBool,
    is_ended: AtomicBool,
    /// What the other nodes are told of the tap; `None` where there are none, and for a tap of another node.
    pub(super) lease: Option<Arc<TapLease>>,
    /// Guards the ring alone, and is held while entries are put in or taken out, never while they are written.
    pub(super) ring: Mutex<LiveRing>,
    pub(super) bell: Notify,
}

impl Tap {
    pub(super) fn new(
        app: AppId,
        (filter, shows_data): (LiveFilter, bool),
        holder: TapHolder,
        (ring, lease): (LiveRing, Option<Arc<TapLease>>),
    ) -> Self {
        let (is_away, is_ended) = (AtomicBool::new(false), AtomicBool::new(false));
        Self {
            app,
            filter,
            shows_data,
            holder,
            is_away,
            is_ended,
            lease,
            ring: Mutex::new(ring),
            bell: Notify::new(),
        }
    }

    /// Offers an entry; never waits for the reader.
    pub(super) fn offer(&self, kind: LiveKind, at: (u64, u64), entry: impl FnOnce() -> Arc<LiveEntry>) {
        if !self.is_ended() && self.ring.lock().offer(kind, at, entry) {
            self.bell.notify_one();
        }
    }

    /// Puts in what another node has left out, or lost.
    pub(super) fn leave_out_there(&self, kinds: Option<KindCounts>, is_sample: bool, id: u64) {
        if self.ring.lock().leave_out_there(kinds, is_sample, id) {
            self.bell.notify_one();
        }
    }

    /// Whether the other nodes are told of the tap under this lease.
    pub(super) fn is_under(&self, lease: &Arc<TapLease>) -> bool {
        self.lease.as_ref().is_some_and(|own| Arc::ptr_eq(own, lease))
    }

    /// Ends the tap: its reader gets nothing that happens from now on.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Whether the tap has ended.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }
}
