//! A queue of one app, bounded in number and bytes, that wakes its taker.
//!
//! Never decides what a full queue means: who pushes says so. The queue's locks are leaves.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::ids::AppId;

use crate::bell::Bell;
use crate::sync::Mutex;

/// Capacity that is kept when nothing waits.
const SLOTS_KEPT: usize = 64;

/// What waits in a queue.
pub(crate) trait Weighed {
    /// Most that may wait, in number and in bytes.
    const BOUNDS: (usize, usize);

    /// Bytes that this one takes.
    fn weight(&self) -> usize;
}

/// A queue, with notes of its own for the taker.
#[derive(Debug)]
pub(crate) struct WakingQueue<T, N> {
    app: AppId,
    bell: Arc<Bell>,
    /// Guards the queue.
    queue: Mutex<Waiting<T, N>>,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Waiting<T, N> {
    items: VecDeque<T>,
    bytes: usize,
    /// The bell has the app.
    is_due: bool,
    /// What the taker is told beside.
    pub notes: N,
}

impl<T: Weighed, N: Default> WakingQueue<T, N> {
    pub(crate) fn new(app: AppId, bell: Arc<Bell>) -> Self {
        let waiting = Waiting { items: VecDeque::new(), bytes: 0, is_due: false, notes: N::default() };
        Self { app, bell, queue: Mutex::new(waiting) }
    }

    /// Changes the queue, and wakes the taker.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Waiting<T, N>)) {
        let mut queue = self.queue.lock();
        change(&mut queue);
        let is_due = std::mem::replace(&mut queue.is_due, true);
        drop(queue);
        if !is_due {
            self.bell.ring(&self.app);
        }
    }

    /// Reads or changes the notes, and wakes nobody.
    pub(crate) fn note<R>(&self, note: impl FnOnce(&mut N) -> R) -> R {
        note(&mut self.queue.lock().notes)
    }

    /// Moves up to `most` to the end of `into`, the oldest first. `note` is called under the queue's lock with whether
    /// more waits, and the answer is given back.
    pub(crate) fn take<R>(&self, into: &mut Vec<T>, most: usize, note: impl FnOnce(&mut N, bool) -> R) -> R {
        let mut queue = self.queue.lock();
        let count = queue.items.len().min(most);
        let before = into.len();
        into.extend(queue.items.drain(..count));
        queue.bytes -= into[before..].iter().map(T::weight).sum::<usize>();
        let more = !queue.items.is_empty();
        if !more {
            // Frees the capacity that a burst needed.
            queue.items.shrink_to(SLOTS_KEPT);
        }
        queue.is_due = more;
        note(&mut queue.notes, more)
    }

    /// Whether nothing is to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        !self.queue.lock().is_due
    }
}

impl<T: Weighed, N> Waiting<T, N> {
    /// Queues the item, if there is room.
    pub(crate) fn push(&mut self, item: T) -> bool {
        let (most, most_bytes) = T::BOUNDS;
        let weight = item.weight();
        let has_room = self.items.len() < most && self.bytes + weight <= most_bytes;
        if has_room {
            self.bytes += weight;
            self.items.push_back(item);
        }
        has_room
    }

    /// Drops all that waits, and says how many there were.
    pub(crate) fn clear(&mut self) -> u64 {
        self.bytes = 0;
        std::mem::take(&mut self.items).len() as u64
    }
}
