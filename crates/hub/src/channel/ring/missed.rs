//! What a client missed, frame by frame, and the runs that the frames are for its new subscription.

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use super::entry::Entry;
use super::runs::Run;

/// What a client missed.
#[derive(Debug, Default)]
pub(in crate::channel) struct Missed {
    /// The frames, in order.
    pub(in crate::channel) frames: Vec<Frame>,
    /// So many of them, the first, were brought by another node.
    pub(super) brought: usize,
    /// All that was missed can be replayed.
    pub(in crate::channel) is_complete: bool,
    pub(super) runs: Vec<Run>,
    /// The client's sockets: their own events are not replayed.
    pub(super) own: Vec<SocketId>,
    /// One more than the serial up to which nothing that belongs to a replayed run lies behind the last one.
    pub(super) reach: u64,
}

impl Missed {
    /// Whether this frame is among those to be replayed.
    pub(in crate::channel) fn holds(&self, frame: &Frame) -> bool {
        self.frames.iter().any(|missed| missed.bytes() == frame.bytes())
    }

    /// The frames that another node has brought.
    pub(super) fn brought(&self) -> &[Frame] {
        self.frames.get(..self.brought).unwrap_or_default()
    }

    /// The client's former connections.
    pub(in crate::channel) fn own(&self) -> &[SocketId] {
        &self.own
    }

    /// Adds frames that this ring does not hold, before all others.
    pub(super) fn bring(&mut self, frames: &[Frame]) {
        self.frames.splice(self.brought..self.brought, frames.iter().cloned());
        self.brought += frames.len();
    }

    /// Whether the entry belongs to no replayed run, and so does not end one.
    pub(super) fn passes_over(&self, entry: &Entry) -> bool {
        entry.frame.is_none() || entry.excludes(&self.own)
    }

    /// Adds an entry behind all others, if it is replayed.
    pub(super) fn add(&mut self, serial: u64, entry: &Entry, is_replayed: bool) {
        let is_next = !self.runs.is_empty() && serial == self.reach;
        let is_own = entry.excludes(&self.own);
        let Some(frame) = entry.frame.as_ref().filter(|_| is_replayed) else {
            self.reach += u64::from(is_next && self.passes_over(entry));
            return;
        };
        self.frames.push(frame.clone());
        match self.runs.last_mut().filter(|last| is_next && last.is_replayed && !is_own) {
            Some(last) => last.extend(serial),
            None if is_own => self.runs.push(Run::one(serial)),
            None => self.runs.push(Run::replayed(serial)),
        }
        self.reach = serial + 1;
    }
}
