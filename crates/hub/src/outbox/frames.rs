//! Frames in the order in which they came; one alone needs no memory of its own.
//!
//! Most connections wait for one frame at a time: theirs then lies where the rest of the outbox does,
//! and is touched with it.

use std::collections::VecDeque;

use fanfare_protocol::frame::Frame;

use crate::budget::Budget;

/// What a frame that waits takes besides its bytes: its place in a queue that doubles as it grows, and what is
/// around its buffer.
pub const FRAME_COST: usize = 192;

/// What a frame counts in an outbox.
pub(super) fn cost(frame: &Frame) -> usize {
    FRAME_COST + frame.bytes().len()
}

/// A queue that has grown past this many slots gives its memory back when it is empty.
pub(super) const SLOTS_KEPT: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Before all of `more`.
    first: Option<Frame>,
    more: VecDeque<Frame>,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { first: None, more: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    pub(super) fn push(&mut self, frame: Frame, budget: &Budget) {
        if self.is_empty() {
            self.first = Some(frame);
        } else {
            let slots = self.more.capacity();
            self.more.push_back(frame);
            if self.more.capacity() > slots {
                budget.take(bytes(self.more.capacity() - slots));
            }
        }
    }

    /// Moves up to `most` frames to the end of `into`; returns what they count.
    pub(super) fn take(&mut self, into: &mut Vec<Frame>, most: usize, budget: &Budget) -> usize {
        let begins = into.len();
        into.extend(self.first.take_if(|_| most > 0));
        let left = self.more.len().min(most - (into.len() - begins));
        if left > 0 {
            into.extend(self.more.drain(..left));
            if self.more.is_empty() && self.more.capacity() > SLOTS_KEPT {
                self.free(budget);
            }
        }
        into[begins..].iter().map(cost).sum()
    }

    /// Drops everything, and gives the memory back.
    pub(super) fn free(&mut self, budget: &Budget) {
        let slots = self.more.capacity();
        *self = Self::new();
        if slots > 0 {
            budget.give_back(bytes(slots));
        }
    }

    /// Slots that are kept.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.more.capacity()
    }
}

/// Memory of so many slots.
const fn bytes(slots: usize) -> usize {
    slots * size_of::<Frame>()
}
