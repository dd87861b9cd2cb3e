//! The last events of cache channels, and the bound on the memory of those without subscribers (WS-170).
//!
//! Knows no clock: callers give the present and the expiry, in milliseconds of their own clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::socket_io;

use crate::dialect::Dialect;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// Estimated bytes of a channel without subscribers, beside its name and its event.
const CHANNEL: usize = 256;

/// The last event of a cache channel.
#[derive(Debug)]
pub(crate) struct Last {
    frame: Frame,
    /// The event for clients of Socket.IO, made for the first of them.
    socket_io: Option<Frame>,
    until: u64,
    /// Set while the channel has no subscribers.
    parked: Option<Parked>,
}

/// All parked events of an app: one entry for each [`Parked`] that exists.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParkedEvents(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    /// The sum over the queue, to be read without its lock.
    bytes: AtomicUsize,
    /// Guards the queue; a leaf, locked under the shard of the channel that is parked or unparked.
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    oldest_first: BTreeMap<ExpiryKey, ChannelName>,
    numbers: u64,
}

/// An event's expiry, and a number that makes the key unique; the oldest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpiryKey {
    until: u64,
    number: u64,
}

/// A parked event's entry in the table, removed on drop.
#[derive(Debug)]
struct Parked {
    turn: ExpiryKey,
    bytes: usize,
    of: ParkedEvents,
}

impl Last {
    /// Keeps a frame until its expiry; the bytes are copied, for a frame's own buffer may be larger.
    pub(crate) fn new(frame: &Frame, until: u64) -> Self {
        Self { frame: frame.to_exact(), socket_io: None, until, parked: None }
    }

    /// The event, if the event has not expired.
    pub(crate) fn at(&self, now: u64) -> Option<&Frame> {
        (self.until > now).then_some(&self.frame)
    }

    /// The event in the form of a dialect.
    pub(crate) fn in_dialect(&mut self, dialect: Dialect) -> Option<&Frame> {
        if dialect == Dialect::Pusher {
            return Some(&self.frame);
        }
        if self.socket_io.is_none() {
            self.socket_io = socket_io::event(&self.frame).map(|event| event.to_exact());
        }
        self.socket_io.as_ref()
    }

    /// The event, expired or not.
    pub(crate) const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The expiry.
    pub(crate) const fn until(&self) -> u64 {
        self.until
    }

    /// Counts the event against `limits.cache_bytes`, for its channel has no subscribers now.
    pub(crate) fn park(&mut self, name: &ChannelName, of: &ParkedEvents) {
        self.socket_io = None;
        let bytes = self.frame.bytes().len() + name.as_str().len() + CHANNEL;
        self.parked = Some(of.add(name, self.until, bytes));
    }

    /// Ends the count against `limits.cache_bytes`: the channel has a subscriber again.
    pub(crate) fn unpark(&mut self) {
        self.parked = None;
    }

    /// Whether the event is parked under this key.
    pub(crate) fn is_parked_as(&self, turn: ExpiryKey) -> bool {
        self.parked.as_ref().is_some_and(|parked| parked.turn == turn)
    }
}

impl ParkedEvents {
    fn add(&self, name: &ChannelName, until: u64, bytes: usize) -> Parked {
        let mut queue = self.0.queue.lock();
        queue.numbers += 1;
        let turn = ExpiryKey { until, number: queue.numbers };
        queue.oldest_first.insert(turn, name.clone());
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Parked { turn, bytes, of: self.clone() }
    }

    /// Bytes of all parked events.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// The next event to be evicted.
    pub(crate) fn oldest(&self) -> Option<(ExpiryKey, ChannelName)> {
        self.0.queue.lock().oldest_first.first_key_value().map(|(turn, name)| (*turn, name.clone()))
    }
}

impl ExpiryKey {
    /// Whether the event has expired.
    pub(crate) const fn has_expired(self, now: u64) -> bool {
        self.until <= now
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut queue = self.of.0.queue.lock();
        queue.oldest_first.remove(&self.turn);
        self.of.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
