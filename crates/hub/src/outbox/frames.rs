//! Frames in the order of arrival; a single frame needs no memory of its own.
//!
//! Most connections have one waiting frame at a time: the frame then lies beside the rest of the outbox, in the
//! same memory. A long queue grows by pieces and is never moved, so that the queue never takes more than its frames
//! need, not even for a moment.

use std::collections::VecDeque;

use fanfare_protocol::frame::{FRAME_COST, Frame};

use crate::budget::Budget;

/// Bytes that a frame counts in an outbox.
pub(super) fn cost(frame: &Frame) -> usize {
    FRAME_COST + frame.bytes().len()
}

/// A piece with more slots than this frees its memory when the piece is empty.
pub(super) const SLOTS_KEPT: usize = 16;

/// Slots of a whole piece.
const PIECE: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The frame before all of `more`.
    first: Option<Frame>,
    /// The piece that frames are taken from; empty only if the queue holds no frame besides `first`.
    more: VecDeque<Frame>,
    /// Whole pieces behind `more`, the last of which is being filled; boxed, for hardly any queue is so long.
    #[expect(clippy::box_collection, reason = "a box is a quarter as large, and every connection has this")]
    pieces: Option<Box<VecDeque<VecDeque<Frame>>>>,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { first: None, more: VecDeque::new(), pieces: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    pub(super) fn push(&mut self, frame: Frame, budget: &Budget) {
        if self.is_empty() {
            self.first = Some(frame);
        } else if self.pieces.is_none() && self.more.len() < PIECE {
            let slots = self.more.capacity();
            self.more.push_back(frame);
            if self.more.capacity() > slots {
                budget.take(bytes(self.more.capacity() - slots));
            }
        } else {
            self.push_to_pieces(frame, budget);
        }
    }

    fn push_to_pieces(&mut self, frame: Frame, budget: &Budget) {
        let pieces = self.pieces.get_or_insert_default();
        match pieces.back_mut().filter(|last| last.len() < PIECE) {
            Some(last) => last.push_back(frame),
            None => {
                let mut piece = VecDeque::with_capacity(PIECE);
                piece.push_back(frame);
                budget.take(bytes(piece.capacity()));
                pieces.push_back(piece);
            }
        }
    }

    /// Moves up to `most` frames to the end of `into`; returns the bytes that the frames count.
    pub(super) fn take(&mut self, into: &mut Vec<Frame>, most: usize, budget: &Budget) -> usize {
        let begins = into.len();
        into.extend(self.first.take_if(|_| most > 0));
        while !self.more.is_empty() && into.len() - begins < most {
            let left = self.more.len().min(most - (into.len() - begins));
            into.extend(self.more.drain(..left));
            if self.more.is_empty() {
                self.next_piece(budget);
            }
        }
        into[begins..].iter().map(cost).sum()
    }

    /// Goes on with the piece behind the empty piece.
    fn next_piece(&mut self, budget: &Budget) {
        let next = self.pieces.as_mut().and_then(|pieces| pieces.pop_front());
        if next.is_none() && self.more.capacity() <= SLOTS_KEPT {
            return;
        }
        budget.give_back(bytes(self.more.capacity()));
        self.more = next.unwrap_or_default();
        if self.pieces.as_ref().is_some_and(|pieces| pieces.is_empty()) {
            self.pieces = None;
        }
    }

    /// Drops all frames, and frees the memory.
    pub(super) fn free(&mut self, budget: &Budget) {
        let slots = self.capacity();
        *self = Self::new();
        if slots > 0 {
            budget.give_back(bytes(slots));
        }
    }

    /// Number of slots.
    pub(super) fn capacity(&self) -> usize {
        let pieces = self.pieces.iter().flat_map(|pieces| pieces.iter());
        self.more.capacity() + pieces.map(VecDeque::capacity).sum::<usize>()
    }
}

/// Bytes of so many slots.
const fn bytes(slots: usize) -> usize {
    slots * size_of::<Frame>()
}
