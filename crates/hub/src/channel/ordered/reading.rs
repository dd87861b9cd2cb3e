//! Events of a cache channel that come while Redis is asked what it keeps.
//!
//! Bounded in bytes, as an outbox is: over the bound the oldest events are dropped, and an answer that lacks one of
//! them is no answer.

use std::collections::VecDeque;

use fanfare_protocol::frame::{FRAME_COST, Frame};
use fanfare_protocol::ids::SocketId;

use crate::sharing::InCluster;

/// Events in the order in which this node published or heard them.
#[derive(Debug, Default)]
pub(super) struct Reading {
    events: VecDeque<Pending>,
    bytes: usize,
    /// The greatest version among the dropped events of other nodes.
    dropped: u64,
    /// An own event was dropped: no answer has it, for it was sent behind the question.
    has_dropped_own: bool,
}

/// An event that waits.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) origin: Origin,
    pub(super) frame: Frame,
    pub(super) except: Option<SocketId>,
    pub(super) until: u64,
}

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Published on this node, behind the question.
    Here,
    /// Heard by every node itself (CL-068).
    Fed,
    /// An event of this node that has come back from Redis.
    Echo { version: u64 },
    /// Heard from another node.
    Other { version: u64, is_quiet: bool },
}

impl Reading {
    /// Adds an event behind all others.
    pub(super) fn push(&mut self, event: Pending, at: &InCluster<'_>) {
        self.bytes += cost(&event);
        self.events.push_back(event);
        while self.bytes > at.sharing.outbox_bytes()
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= cost(&oldest);
            match oldest.origin {
                Origin::Here => self.has_dropped_own = true,
                // Not accepted here, and promised to nobody who waits.
                Origin::Fed => {}
                Origin::Echo { version } | Origin::Other { version, .. } => {
                    self.dropped = self.dropped.max(version);
                }
            }
        }
    }

    /// Whether an answer as of this version has all that was dropped.
    pub(super) const fn is_covered_by(&self, version: u64) -> bool {
        self.dropped <= version && !self.has_dropped_own
    }

    /// The events that wait.
    pub(super) const fn events(&self) -> &VecDeque<Pending> {
        &self.events
    }

    pub(super) fn into_events(self) -> VecDeque<Pending> {
        self.events
    }
}

/// Bytes that a waiting event takes.
fn cost(event: &Pending) -> usize {
    size_of::<Pending>() + FRAME_COST + event.frame.bytes().len()
}
