//! One frame of a ring.

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use crate::resume::ResumeMistake;

/// A frame that was sent to the subscribers.
#[derive(Debug)]
pub(super) struct Entry {
    /// Absent for what is not replayed (RES-010).
    pub(super) frame: Option<Frame>,
    /// The connection that the event left out.
    pub(super) except: Option<SocketId>,
    /// When the frame was sent, as of the last sweep.
    pub(super) at: u64,
}

impl Entry {
    /// Whether the event left out one of these.
    pub(super) fn excludes(&self, sockets: &[SocketId]) -> bool {
        let is_noted = !ResumeMistake::OwnEventsAreReplayed.is_made();
        self.except.is_some_and(|except| is_noted && sockets.contains(&except))
    }
}
