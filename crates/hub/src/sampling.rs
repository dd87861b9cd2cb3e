//! Moments of sampled events: how long frames wait in outboxes, without a clock call for each delivery.
//!
//! The publisher of a sampled event opens a window with the moment by its own clock. An outbox that gets a frame within
//! the window, and holds no moment yet, keeps the moment until its frames are taken. A writer tells when a socket has taken them, and the
//! taker reads the clock. Outside of windows a push is one load more, and a batch is one comparison more.

use std::fmt::{self, Debug, Formatter};

use crate::sync::{AtomicU32, Ordering};

/// Hears the moment of frames that a socket has just taken. Called without a lock.
pub type MomentTaker = Box<dyn Fn(u32) + Send + Sync>;

/// The open window, and who hears of written frames.
#[derive(Default)]
pub(crate) struct Sampling {
    /// The moment of the window; 0 while none is open.
    moment: AtomicU32,
    taker: Option<MomentTaker>,
}

impl Debug for Sampling {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Sampling")
    }
}

impl Sampling {
    pub(crate) const fn new() -> Self {
        Self { moment: AtomicU32::new(0), taker: None }
    }

    pub(crate) fn set_taker(&mut self, taker: MomentTaker) {
        self.taker = Some(taker);
    }

    /// The moment of the open window, or 0.
    pub(crate) fn moment(&self) -> u32 {
        self.moment.load(Ordering::Relaxed)
    }

    /// Opens a window with this moment; 0 is told as 1.
    pub(crate) fn open(&self, moment: u32) -> SampleWindow<'_> {
        self.moment.store(moment.max(1), Ordering::Relaxed);
        SampleWindow(self)
    }

    /// A socket has taken the frames of an outbox that held this moment.
    pub(crate) fn written(&self, moment: u32) {
        if let Some(taker) = &self.taker {
            taker(moment);
        }
    }
}

/// An open window; closed on drop. Of windows that overlap the newest counts, and the first to end ends both.
#[derive(Debug)]
pub struct SampleWindow<'a>(&'a Sampling);

impl Drop for SampleWindow<'_> {
    fn drop(&mut self) {
        self.0.moment.store(0, Ordering::Relaxed);
    }
}
