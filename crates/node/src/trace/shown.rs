//! Traces as they are shown, and as nodes tell them to each other: in JSON, of which a field of another release is ignored.
//!
//! Knows no node and no lock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hint::TraceHint;
use super::{ChannelTrace, EventTrace, RefusedPublish};

/// What became of one event, as in [`EventTrace`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownTrace {
    /// The id of the publish; none for a refused one.
    pub event_id: Option<String>,
    /// The trace's number among those that the app keeps on the node, if it keeps any.
    pub number: Option<u64>,
    /// When the publish came, in milliseconds since 1970.
    pub at: u64,
    /// The event's name; long names are cut.
    pub event: String,
    /// Who has published.
    pub by: String,
    /// Bytes of the event's data.
    pub bytes: usize,
    /// The channels, in the order given.
    pub channels: Vec<ShownChannel>,
    /// Channels that are left out of the list.
    pub left_out: usize,
    /// Why the event was refused, if it was.
    pub refused: Option<ShownRefusal>,
}

/// What became of an event on one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownChannel {
    /// The channel.
    pub channel: String,
    /// Subscribed connections.
    pub subscribers: usize,
    /// Subscribed connections by the node's name.
    pub nodes: BTreeMap<String, usize>,
    /// Connections that took the event.
    pub took: usize,
    /// Connections that the publisher has excluded.
    pub excluded: usize,
    /// Connections that read too slowly.
    pub slow: usize,
    /// Why nobody got the event.
    pub hint: Option<ShownHint>,
}

/// A hint, as in [`TraceHint`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownHint {
    /// What the hint is about, in one word.
    pub kind: String,
    /// The sentence.
    pub text: String,
    /// The channel that the hint names.
    pub channel: Option<String>,
    /// Subscribers of that channel.
    pub subscribers: usize,
}

/// A refusal, as in [`RefusedPublish`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownRefusal {
    /// The status of the answer; none for a message of a Redis.
    pub status: Option<u16>,
    /// The reason.
    pub text: String,
}

impl From<EventTrace> for ShownTrace {
    fn from(trace: EventTrace) -> Self {
        let EventTrace { id, number, at, event, by, bytes, channels, left_out, refused, known: _ } = trace;
        let refused = refused.map(|RefusedPublish { status, text }| ShownRefusal { status, text });
        let event_id = id.map(|id| id.to_string());
        let channels = channels.into_iter().map(ShownChannel::from).collect();
        Self { event_id, number, at, event, by, bytes, channels, left_out, refused }
    }
}

impl From<ChannelTrace> for ShownChannel {
    fn from(ChannelTrace { channel, reach, nodes, hint }: ChannelTrace) -> Self {
        Self {
            channel: channel.as_str().to_owned(),
            subscribers: reach.subscribers,
            nodes,
            took: reach.took,
            excluded: reach.excluded,
            slow: reach.slow,
            hint: hint.map(|TraceHint { cause: _, kind, text, channel, subscribers }| ShownHint {
                kind: kind.name().to_owned(),
                text,
                channel,
                subscribers,
            }),
        }
    }
}
