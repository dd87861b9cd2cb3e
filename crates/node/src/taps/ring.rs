//! What a tap keeps: entries that its reader has not got yet, and behind them some that it has, for a reader that comes back.
//!
//! Bounded in entries and in bytes. What has been read makes room first; what then does not fit is counted by kind at its
//! place. When much waits, only a sample is admitted, so that it is spread over time. Knows no clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::LiveEntry;
use super::kind::{KindCounts, LiveKind};

/// Most entries of a ring (CON-031).
const MOST_ENTRIES: usize = 1000;

/// Most bytes of a ring (CON-031).
const MOST_BYTES: usize = 1 << 20;

/// Entries that may wait before only a sample is admitted, or, after the ring was full, before entries are admitted again.
const MANY: usize = MOST_ENTRIES / 2;

/// Most entries of a tap in a second (CON-031).
const MOST_IN_A_SECOND: u64 = 500;

/// Most entries at once.
pub(super) const AT_ONCE: usize = 50;

/// Entries a second of a steady stream: with those at once, the most in any second.
pub(super) const STEADY: u64 = MOST_IN_A_SECOND - AT_ONCE as u64;

/// Time between two entries of a sample, in nanoseconds.
const BETWEEN: u64 = 1_000_000_000 / STEADY;

/// Time between two notes of what a sample leaves out, in nanoseconds.
const BETWEEN_NOTES: u64 = 1_000_000_000;

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum LiveItem {
    /// An entry.
    Entry(Arc<LiveEntry>),
    /// Here entries are missing.
    LeftOut(Arc<LeftOut>),
}

/// Entries that a tap has left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The number of the place among those of the entries.
    pub id: u64,
    /// How many of each kind; `None` if that is not known.
    pub kinds: Option<KindCounts>,
    /// The entries around are a sample, because there were too many for the most in a second.
    pub is_sample: bool,
}

/// The ring of one tap.
#[derive(Debug)]
pub(super) struct LiveRing {
    items: VecDeque<LiveItem>,
    /// Items at the front that the reader has got.
    read: usize,
    bytes: usize,
    /// Bytes of what waits.
    waiting_bytes: usize,
    /// Nothing is admitted until much less waits.
    is_full: bool,
    /// When the last entry was admitted.
    admitted_at: u64,
    sampled: KindCounts,
    /// When it was last noted what the sample left out.
    noted_at: u64,
    /// Up to this number, entries may have left the ring.
    gone: u64,
}

impl LiveRing {
    /// An empty ring; its entries have greater numbers than this.
    pub(super) fn after(id: u64) -> Self {
        Self {
            items: VecDeque::new(),
            read: 0,
            bytes: 0,
            waiting_bytes: 0,
            is_full: false,
            admitted_at: 0,
            sampled: KindCounts::default(),
            noted_at: 0,
            gone: id,
        }
    }

    /// Offers an entry at this moment, with the number that it is going to have. Returns whether the reader is to be woken.
    pub(super) fn offer(
        &mut self,
        kind: LiveKind,
        (now, id): (u64, u64),
        entry: impl FnOnce() -> Arc<LiveEntry>,
    ) -> bool {
        let waiting = self.waiting();
        if self.is_full {
            self.leave_out(kind, id);
        } else if waiting >= MANY && now.saturating_sub(self.admitted_at) < BETWEEN {
            self.sampled.add(kind, 1);
        } else {
            self.note_sample(now, id);
            self.admit(kind, id, entry());
            self.admitted_at = now;
        }
        waiting == 0 && self.waiting() > 0
    }

    fn admit(&mut self, kind: LiveKind, id: u64, entry: Arc<LiveEntry>) {
        let bytes = entry.bytes();
        self.make_room(bytes);
        if self.items.len() < MOST_ENTRIES && self.bytes + bytes <= MOST_BYTES {
            self.push(LiveItem::Entry(entry));
        } else {
            self.is_full = true;
            self.leave_out(kind, id);
        }
    }

    /// Counts an entry at the end of the ring, which may get one item longer by that than its most.
    fn leave_out(&mut self, kind: LiveKind, id: u64) {
        let is_waiting = self.waiting() > 0;
        if let Some(LiveItem::LeftOut(left_out)) = self.items.back_mut().filter(|_| is_waiting) {
            match Arc::make_mut(left_out) {
                LeftOut { kinds: Some(kinds), is_sample: false, .. } => return kinds.add(kind, 1),
                // An unknown number stays one.
                LeftOut { kinds: None, .. } if self.is_full => return,
                LeftOut { .. } => {}
            }
        }
        let mut kinds = KindCounts::default();
        kinds.add(kind, 1);
        self.push(LiveItem::LeftOut(Arc::new(LeftOut { id, kinds: Some(kinds), is_sample: false })));
    }

    /// Puts in what another node has left out, or lost; of unknown kinds if that is so.
    pub(super) fn leave_out_there(&mut self, kinds: Option<KindCounts>, is_sample: bool, id: u64) -> bool {
        let waiting = self.waiting();
        self.make_room(0);
        if let Some(LiveItem::LeftOut(last)) = self.items.back_mut().filter(|_| waiting > 0)
            && (self.is_full || last.is_sample == is_sample && last.kinds.is_some() == kinds.is_some())
        {
            let last = Arc::make_mut(last);
            match (&mut last.kinds, &kinds) {
                (Some(own), Some(more)) => own.add_all(more),
                // What is not known is more than what is.
                _ => last.kinds = None,
            }
            return false;
        }
        self.is_full |= self.items.len() >= MOST_ENTRIES;
        self.push(LiveItem::LeftOut(Arc::new(LeftOut { id, kinds, is_sample })));
        waiting == 0
    }

    /// Notes now and then what the sample has left out, before the entry with this number.
    fn note_sample(&mut self, now: u64, id: u64) {
        if self.sampled.total() > 0 && now.saturating_sub(self.noted_at) >= BETWEEN_NOTES {
            self.noted_at = now;
            let kinds = Some(std::mem::take(&mut self.sampled));
            self.make_room(0);
            self.push(LiveItem::LeftOut(Arc::new(LeftOut { id: id - 1, kinds, is_sample: true })));
        }
    }

    fn push(&mut self, item: LiveItem) {
        let bytes = item.bytes();
        self.bytes += bytes;
        self.waiting_bytes += bytes;
        self.items.push_back(item);
    }

    /// Drops what has been read, as far as room is needed for one item of so many bytes.
    fn make_room(&mut self, bytes: usize) {
        while self.read > 0 && (self.items.len() >= MOST_ENTRIES || self.bytes + bytes > MOST_BYTES) {
            self.read -= 1;
            if let Some(item) = self.items.pop_front() {
                self.bytes -= item.bytes();
                self.gone = item.id();
            }
        }
    }

    fn waiting(&self) -> usize {
        self.items.len() - self.read
    }

    /// The oldest that waits, so many at most; empty if nothing waits.
    pub(super) fn take(&mut self, most: usize) -> Vec<LiveItem> {
        let mut taken: Vec<LiveItem> = self.items.range(self.read..).take(most).cloned().collect();
        self.read += taken.len();
        self.waiting_bytes -= taken.iter().map(LiveItem::bytes).sum::<usize>();
        if self.waiting() < MANY && self.waiting_bytes < MOST_BYTES / 2 {
            self.is_full = false;
        }
        if self.waiting() == 0 && self.sampled.total() > 0 {
            // What was left out has passed numbers, so that none of an entry is taken.
            let id = 1 + self.items.back().map_or(self.gone, LiveItem::id);
            let kinds = Some(std::mem::take(&mut self.sampled));
            let note = LiveItem::LeftOut(Arc::new(LeftOut { id, kinds, is_sample: true }));
            self.make_room(note.bytes());
            self.push(note.clone());
            self.waiting_bytes -= note.bytes();
            self.read += 1;
            taken.push(note);
        }
        taken
    }

    /// Whether all that came after the entry with this number is here.
    pub(super) const fn has_all_after(&self, id: u64) -> bool {
        id >= self.gone
    }

    /// A ring for the reader who has got everything up to this number, with what came then.
    pub(super) fn copy_after(&self, id: u64) -> Self {
        let mut copy = Self { sampled: self.sampled.clone(), ..Self::after(id) };
        self.items.iter().filter(|item| item.id() > id).cloned().for_each(|item| copy.push(item));
        copy
    }

    /// Begins with a place where it is not known what is missing.
    pub(super) fn begin_with_gap(&mut self, id: u64) {
        self.push(LiveItem::LeftOut(Arc::new(LeftOut { id, kinds: None, is_sample: false })));
    }
}

impl LiveItem {
    fn bytes(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.bytes(),
            Self::LeftOut(_) => size_of::<LeftOut>() + size_of::<Self>(),
        }
    }

    /// The item's number.
    #[must_use]
    pub fn id(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.id,
            Self::LeftOut(left_out) => left_out.id,
        }
    }
}

#[cfg(test)]
mod tests;
