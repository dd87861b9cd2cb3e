//! The memory of frames: counted from a frame's creation until its last copy is dropped.
//!
//! One count for the whole process, as memory is. A frame that waits in ten thousand outboxes is counted once.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes of a frame's memory beyond its buffer: the reference count, and the allocator's rounding.
pub(super) const AROUND: usize = 64;

/// The sum over all frames.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory that all frames of this process hold now, except copies of
/// [`Frame::to_exact`](super::Frame::to_exact).
#[must_use]
pub fn held_bytes() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// The memory of one frame, counted until its drop.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where the frame begins.
    start: usize,
}

impl Buffer {
    /// The bytes from `start` on.
    pub(super) fn into_bytes(bytes: Vec<u8>, start: usize) -> Bytes {
        let buffer = Self { bytes, start };
        HELD.fetch_add(buffer.cost(), Ordering::Relaxed);
        Bytes::from_owner(buffer)
    }

    fn cost(&self) -> usize {
        AROUND + self.bytes.capacity()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        HELD.fetch_sub(self.cost(), Ordering::Relaxed);
    }
}
