//! Frames that one subscriber got from another node, for a second cut: this node's ring does not hold them.

use std::sync::Arc;

use fanfare_protocol::frame::Frame;

use crate::resume::Rings;

/// The frames of one subscription, which count in the bounds of what is kept.
#[derive(Debug)]
pub(super) struct Brought {
    rings: Arc<Rings>,
    frames: Box<[Frame]>,
    /// Counted bytes, and those of them that are the frames' own.
    bytes: (usize, usize),
}

impl Brought {
    /// Keeps the frames, if there is room.
    pub(super) fn keep(rings: &Arc<Rings>, frames: &[Frame]) -> Option<Self> {
        let of_frames: usize = frames.iter().map(Frame::exact_bytes).sum();
        let bytes = size_of::<Self>() + size_of_val(frames) + of_frames;
        let is_kept = rings.take(bytes, of_frames);
        is_kept.then(|| Self { rings: Arc::clone(rings), frames: frames.into(), bytes: (bytes, of_frames) })
    }

    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        self.rings.give_back(self.bytes.0, self.bytes.1);
    }
}
