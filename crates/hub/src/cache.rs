//! The last events of cache channels, and how much memory those of empty channels may take (WS-170).
//!
//! Knows no clock: the present and the moment of expiry are given, in milliseconds of the caller's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;

/// What a channel without subscribers takes beside its name and its event, roughly.
const CHANNEL: usize = 256;

/// The last event of a cache channel.
#[derive(Debug)]
pub(crate) struct Last {
    frame: Frame,
    until: u64,
    /// There while nobody is subscribed to the channel.
    parked: Option<Parked>,
}

/// Bytes of all parked events of an app; the sum of the [`Parked`] that exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParkedBytes(Arc<AtomicUsize>);

/// The bytes of one of them, given back when dropped.
#[derive(Debug)]
struct Parked {
    bytes: usize,
    of: ParkedBytes,
}

impl Last {
    /// Keeps a frame until a moment; the bytes are copied, for a frame's own buffer may be larger.
    pub(crate) fn new(frame: &Frame, until: u64) -> Self {
        Self { frame: frame.to_exact(), until, parked: None }
    }

    /// The event, if it has not expired.
    pub(crate) fn at(&self, now: u64) -> Option<&Frame> {
        (self.until > now).then_some(&self.frame)
    }

    /// When it expires.
    pub(crate) const fn until(&self) -> u64 {
        self.until
    }

    /// Counts it as one that nobody is subscribed to.
    pub(crate) fn park(&mut self, name: &ChannelName, of: &ParkedBytes) {
        let bytes = self.frame.bytes().len() + name.as_str().len() + CHANNEL;
        of.0.fetch_add(bytes, Ordering::Relaxed);
        self.parked = Some(Parked { bytes, of: of.clone() });
    }

    /// Somebody has subscribed.
    pub(crate) fn unpark(&mut self) {
        self.parked = None;
    }
}

impl ParkedBytes {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
