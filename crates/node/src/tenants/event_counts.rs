//! What an event costs, and who it is of.

use fanfare_protocol::frame::Frame;

/// The source of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The HTTP API.
    BackEnd,
    /// A client.
    Client,
}

/// The cost of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Number of channels.
    pub messages: u64,
    /// Number of connections that took the event, summed over its channels.
    pub deliveries: u64,
    /// Bytes of the delivered frames.
    pub bytes: u64,
}

impl EventCounts {
    /// Adds the deliveries of a frame to `took` connections.
    pub fn add_deliveries(&mut self, took: usize, frame: &Frame) {
        self.deliveries += took as u64;
        self.bytes += (took * frame.bytes().len()) as u64;
    }
}
