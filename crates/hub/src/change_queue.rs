//! The queue of an app's changes for the cluster.
//!
//! Changes are pushed under the lock of a channel's shard, or of the users, so in the order in which they happened.
//! Bounded: a change that finds the queue full empties the queue, and the taker is told to look at the channels
//! themselves. The queue's locks are leaves.

use std::sync::Arc;

use fanfare_protocol::cluster::Change;
use fanfare_protocol::frame::FRAME_COST;
use fanfare_protocol::ids::AppId;

use crate::bell::Bell;
use crate::waking_queue::{WakingQueue, Weighed};

/// The queue of one app.
#[derive(Debug)]
pub(crate) struct ChangeQueue(WakingQueue<Change, Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// Changes dropped since the last `take`.
    lost: u64,
    /// The taker has to look at the channels themselves.
    is_stale: bool,
    /// Changes were dropped since the last look.
    has_gap: bool,
}

/// What was dropped, and whether more waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenChanges {
    /// Changes dropped because the queue was full.
    pub lost: u64,
    /// What was told before is no longer the truth: [`AppHub::snapshot`](crate::AppHub::snapshot) is to be told, before
    /// the changes taken. Changes were lost, or the app has other settings.
    pub is_stale: bool,
    /// More changes wait, and no further wake-up comes for them.
    pub more: bool,
}

impl ChangeQueue {
    pub(crate) fn new(app: AppId, bell: Arc<Bell>) -> Self {
        Self(WakingQueue::new(app, bell))
    }

    /// Queues a change; the closure is called under the queue's lock, so that it reads what is true at that place.
    pub(crate) fn push(&self, make: impl FnOnce() -> Change) {
        self.0.change(|queue| {
            if !queue.push(make()) {
                queue.notes.lost += queue.clear() + 1;
                (queue.notes.is_stale, queue.notes.has_gap) = (true, true);
            }
        });
    }

    /// Has the taker look at the channels themselves.
    pub(crate) fn make_stale(&self) {
        self.0.change(|queue| queue.notes.is_stale = true);
    }

    /// Notes that changes were lost behind the queue.
    pub(crate) fn note_gap(&self) {
        self.0.note(|notes| notes.has_gap = true);
    }

    /// Whether changes were dropped since the last call.
    pub(crate) fn take_gap(&self) -> bool {
        self.0.note(|notes| std::mem::take(&mut notes.has_gap))
    }

    /// Moves up to `most` changes to the end of `into`, the oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Change>, most: usize) -> TakenChanges {
        self.0.take(into, most, |notes, more| {
            let (lost, is_stale) = (std::mem::take(&mut notes.lost), std::mem::take(&mut notes.is_stale));
            TakenChanges { lost, is_stale, more }
        })
    }

    /// Whether nothing is to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Weighed for Change {
    const BOUNDS: (usize, usize) = (100_000, 32 << 20);

    fn weight(&self) -> usize {
        cost(self)
    }
}

/// Bytes that a waiting change takes. Names count although others may hold them too, for the queue may be the last.
fn cost(change: &Change) -> usize {
    let beside = match change {
        Change::Opened { channel, .. }
        | Change::Closed { channel, .. }
        | Change::Counted { channel, .. }
        | Change::Missed { channel } => channel.as_str().len(),
        Change::Joined(joined) => {
            let info = joined.info.as_ref().map_or(0, |info| info.get().len());
            joined.channel.as_str().len() + joined.user.as_str().len() + info
        }
        Change::Left { channel, user, .. } => channel.as_str().len() + user.as_str().len(),
        Change::Kept(kept) => kept.channel.as_str().len() + kept.frame.bytes().len() + FRAME_COST,
    };
    size_of::<Change>() + beside
}
