//! The queue of an app's changes for the cluster.
//!
//! Changes are pushed under the lock of a channel's shard, or of the users, so in the order in which they happened.
//! Bounded: a change that finds the queue full empties the queue, and the taker is told to look at the channels
//! themselves. The queue's locks are leaves.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::cluster::Change;
use fanfare_protocol::frame::FRAME_COST;
use fanfare_protocol::ids::AppId;

use crate::bell::Bell;
use crate::sync::Mutex;

/// Bounds on waiting changes, and on their bytes.
const MOST: usize = 100_000;
const MOST_BYTES: usize = 32 << 20;

/// Capacity that is kept when nothing waits.
const SLOTS_KEPT: usize = 64;

/// The queue of one app.
#[derive(Debug)]
pub(crate) struct ChangeQueue {
    app: AppId,
    bell: Arc<Bell>,
    /// Guards the queue.
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Change>,
    bytes: usize,
    /// Changes dropped since the last `take`.
    lost: u64,
    /// The taker has to look at the channels themselves.
    is_stale: bool,
    /// Changes were dropped since the last look.
    has_gap: bool,
    /// The bell has the app.
    is_due: bool,
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
        Self { app, bell, queue: Mutex::default() }
    }

    /// Queues a change; the closure is called under the queue's lock, so that it reads what is true at that place.
    pub(crate) fn push(&self, make: impl FnOnce() -> Change) {
        self.change(|queue| {
            let change = make();
            let bytes = cost(&change);
            if queue.waiting.len() < MOST && queue.bytes + bytes <= MOST_BYTES {
                queue.bytes += bytes;
                queue.waiting.push_back(change);
                return;
            }
            queue.lost += queue.waiting.len() as u64 + 1;
            queue.waiting = VecDeque::new();
            queue.bytes = 0;
            queue.is_stale = true;
            queue.has_gap = true;
        });
    }

    /// Has the taker look at the channels themselves.
    pub(crate) fn make_stale(&self) {
        self.change(|queue| queue.is_stale = true);
    }

    /// Notes that changes were lost behind the queue.
    pub(crate) fn note_gap(&self) {
        self.queue.lock().has_gap = true;
    }

    /// Whether changes were dropped since the last call.
    pub(crate) fn take_gap(&self) -> bool {
        std::mem::take(&mut self.queue.lock().has_gap)
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock();
        change(&mut queue);
        let is_due = std::mem::replace(&mut queue.is_due, true);
        drop(queue);
        if !is_due {
            self.bell.ring(&self.app);
        }
    }

    /// Moves up to `most` changes to the end of `into`, the oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Change>, most: usize) -> TakenChanges {
        let mut queue = self.queue.lock();
        let count = queue.waiting.len().min(most);
        let before = into.len();
        into.extend(queue.waiting.drain(..count));
        queue.bytes -= into[before..].iter().map(cost).sum::<usize>();
        let more = !queue.waiting.is_empty();
        if !more {
            // Frees the capacity that a burst needed.
            queue.waiting.shrink_to(SLOTS_KEPT);
        }
        queue.is_due = more;
        let (lost, is_stale) = (std::mem::take(&mut queue.lost), std::mem::take(&mut queue.is_stale));
        TakenChanges { lost, is_stale, more }
    }

    /// Whether nothing is to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        !self.queue.lock().is_due
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
