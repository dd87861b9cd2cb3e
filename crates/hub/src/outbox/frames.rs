//! Frames in the order in which they came; one alone needs no memory of its own.
//!
//! Most connections wait for one frame at a time: theirs then lies where the rest of the outbox does,
//! and is touched with it.

use std::collections::VecDeque;

use fanfare_protocol::frame::Frame;

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

    pub(super) fn push(&mut self, frame: Frame) {
        if self.is_empty() {
            self.first = Some(frame);
        } else {
            self.more.push_back(frame);
        }
    }

    /// Moves up to `most` frames to the end of `into`; returns how many bytes they have.
    pub(super) fn take(&mut self, into: &mut Vec<Frame>, most: usize) -> usize {
        let begins = into.len();
        into.extend(self.first.take_if(|_| most > 0));
        let left = self.more.len().min(most - (into.len() - begins));
        if left > 0 {
            into.extend(self.more.drain(..left));
            if self.more.is_empty() && self.more.capacity() > SLOTS_KEPT {
                self.more = VecDeque::new();
            }
        }
        into[begins..].iter().map(|frame| frame.bytes().len()).sum()
    }

    /// Slots that are kept.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.more.capacity()
    }
}
