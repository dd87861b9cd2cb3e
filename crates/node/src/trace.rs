//! Where events went: what is answered to whoever asks about a publish, and the last publishes of apps with `trace = true`
//! (CON-042, CON-043).
//!
//! Holds no event's data. What nobody asks about is not traced.

mod fresh;
pub mod hint;
mod kept;
mod ring;
mod shown;

use std::collections::BTreeMap;

use fanfare_hub::EventReach;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::shortened;
use fanfare_protocol::event_id::EventId;

use self::hint::TraceHint;

pub(crate) use self::fresh::FreshTraces;
pub(crate) use self::kept::KeptTrace;
pub use self::kept::{MOST_TRACES, TRACES_BYTES};
pub(crate) use self::ring::{LastTraces, NumberedTrace};
pub use self::shown::{ShownChannel, ShownHint, ShownRefusal, ShownTrace};

/// Longest kept part of an event's name and of a refusal's sentence, in bytes.
const MOST_TEXT: usize = 200;

/// What became of one event.
#[derive(Clone, Debug)]
pub struct EventTrace {
    /// The id of the publish; none for a refused one.
    pub id: Option<EventId>,
    /// The trace's number among those that the app keeps, if it keeps any.
    pub number: Option<u64>,
    /// When the publish came, in milliseconds since 1970.
    pub at: u64,
    /// The event's name; long names are cut.
    pub event: String,
    /// Who has published: `key:0e1f`, `feed` or `console`.
    pub by: String,
    /// Bytes of the event's data.
    pub bytes: usize,
    /// The channels, in the order given.
    pub channels: Vec<ChannelTrace>,
    /// Channels that are left out of the list, because they are too many to be kept.
    pub left_out: usize,
    /// Why the event was refused, if it was.
    pub refused: Option<RefusedPublish>,
    /// What has been found out behind the publish.
    pub known: Known,
}

/// How much of a trace is known. What is known stays as it was found (CON-043).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// What the publish itself has met on this node.
    Publish,
    /// The hints, too.
    Hints,
    /// The hints and what the other nodes have answered.
    Cluster,
}

/// What became of an event on one channel.
#[derive(Clone, Debug)]
pub struct ChannelTrace {
    /// The channel.
    pub channel: ChannelName,
    /// Whom the event has reached on the nodes that are known.
    pub reach: EventReach,
    /// Subscribers by the node's name.
    pub nodes: BTreeMap<String, usize>,
    /// Why nobody got the event.
    pub hint: Option<TraceHint>,
}

/// Why a publish was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPublish {
    /// The status of the answer; none for a message of a Redis, which nobody answers.
    pub status: Option<u16>,
    /// The reason, as answered or logged; long sentences are cut.
    pub text: String,
}

impl EventTrace {
    /// A trace without channels.
    #[must_use]
    pub fn new(id: EventId, event: &str, by: String, bytes: usize) -> Self {
        let event = shortened(event, MOST_TEXT).into_owned();
        let (at, channels) = (id.milliseconds(), Vec::new());
        let (number, refused, known) = (None, None, Known::Publish);
        Self { id: Some(id), number, at, event, by, bytes, channels, left_out: 0, refused, known }
    }

    /// The trace of a publish that was refused; of its event, the name as far as there was one.
    #[must_use]
    pub fn refused(at: u64, event: &str, by: String, (status, text): (Option<u16>, &str)) -> Self {
        let refused = RefusedPublish { status, text: shortened(text, MOST_TEXT).into_owned() };
        let event = shortened(event, MOST_TEXT).into_owned();
        let (number, channels, refused, known) = (None, Vec::new(), Some(refused), Known::Hints);
        Self { id: None, number, at, event, by, bytes: 0, channels, left_out: 0, refused, known }
    }
}

impl ChannelTrace {
    /// The trace on this node alone.
    #[must_use]
    pub const fn new(channel: ChannelName, reach: EventReach) -> Self {
        Self { channel, reach, nodes: BTreeMap::new(), hint: None }
    }

    /// So many outboxes have taken the event; an event of a cache channel may still be on its way through Redis to those that
    /// are going to take it. Subscribers who came in the last moment count.
    pub(crate) fn took(&mut self, took: usize) {
        let EventReach { subscribers, excluded, .. } = self.reach;
        self.reach.took = if self.channel.is_cached() { took.max(self.reach.took) } else { took };
        self.reach.subscribers = subscribers.max(self.reach.took + excluded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_043_long_names_and_sentences_are_cut() {
        let long = "é".repeat(1000);
        let trace = EventTrace::refused(7, &long, "feed".to_owned(), (None, &long));
        assert!(trace.event.len() <= MOST_TEXT + 8, "{}", trace.event.len());
        assert!(trace.refused.is_some_and(|refused| refused.text.len() <= MOST_TEXT + 8));
    }
}
