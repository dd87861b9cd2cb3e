//! A trace as it is kept: without gaps, the texts one behind the other. Of a hint its cause is kept, of which the sentence is made.
//!
//! Never changed once made, so that it is read without a lock.

use fanfare_hub::EventReach;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::event_id::EventId;

use super::hint::HintCause;
use super::{ChannelTrace, EventTrace, Known, RefusedPublish};

/// Most traces of an app.
pub const MOST_TRACES: usize = 200;

/// Most bytes of an app's traces: 256 each.
pub const TRACES_BYTES: usize = 256 * MOST_TRACES;

/// Most bytes of one trace, so that one publish to many channels leaves room for others.
pub(super) const MOST_OF_ONE: usize = TRACES_BYTES / 4;

/// Memory around a trace: its counts of references, and its place among the others.
const AROUND: usize = 32;

/// A trace as it is kept.
#[derive(Debug)]
pub(crate) struct KeptTrace {
    /// The id of the publish; none for a refused one.
    pub id: Option<EventId>,
    /// When the publish came, in milliseconds since 1970.
    pub at: u64,
    bytes: u32,
    left_out: u32,
    /// Whether the publish was refused, and the status of the answer if somebody was answered.
    status: Option<Option<u16>>,
    /// Lengths of the event's name, of its publisher and of the refusal's sentence in `texts`; then come the channels' names.
    lengths: [u16; 3],
    texts: Box<str>,
    channels: Box<[KeptChannel]>,
}

/// A channel of a kept trace.
#[derive(Debug)]
struct KeptChannel {
    name_length: u16,
    excluded: bool,
    subscribers: u32,
    took: u32,
    slow: u32,
    found: Option<Box<FoundOut>>,
}

/// What was found out of a channel behind the publish.
#[derive(Debug)]
struct FoundOut {
    hint: Option<HintCause>,
    /// Subscribers by the node's name.
    nodes: Box<[(Box<str>, u32)]>,
}

impl KeptTrace {
    /// Of very many channels the first are kept. Allocates what is kept, and no more.
    pub fn of(trace: &EventTrace) -> Self {
        let refusal = trace.refused.as_ref().map_or("", |refused| &refused.text);
        let texts = [&*trace.event, &*trace.by, refusal];
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let (fitting, of_names) =
            fitting(trace, MOST_OF_ONE.saturating_sub(AROUND + size_of::<Self>() + bytes));
        let mut all = String::with_capacity(bytes + of_names);
        let lengths = texts.map(|text| {
            all.push_str(text);
            length(text)
        });
        let mut channels = Vec::with_capacity(fitting);
        for traced in &trace.channels[..fitting] {
            let ChannelTrace { channel, reach, .. } = traced;
            all.push_str(channel.as_str());
            channels.push(KeptChannel {
                name_length: length(channel.as_str()),
                excluded: reach.excluded > 0,
                subscribers: small(reach.subscribers),
                took: small(reach.took),
                slow: small(reach.slow),
                found: FoundOut::of(traced),
            });
        }
        Self {
            id: trace.id,
            at: trace.at,
            bytes: small(trace.bytes),
            left_out: small(trace.left_out + trace.channels.len() - fitting),
            status: trace.refused.as_ref().map(|refused| refused.status),
            lengths,
            texts: all.into(),
            channels: channels.into(),
        }
    }

    /// The trace to show, of which so much is known.
    pub fn event_trace(&self, known: Known) -> EventTrace {
        let [event, by, text] = self.first_texts().map(str::to_owned);
        let channel = |(name, kept): (&str, &KeptChannel)| {
            let reach = EventReach {
                subscribers: kept.subscribers as usize,
                took: kept.took as usize,
                excluded: kept.excluded.into(),
                slow: kept.slow as usize,
            };
            let mut traced = ChannelTrace::new(ChannelName::trusted(name), reach);
            if let Some(found) = &kept.found {
                let told = |cause: &HintCause| cause.clone().told(traced.channel.as_str(), &event);
                traced.hint = found.hint.as_ref().map(told);
                let nodes = found.nodes.iter().map(|(node, count)| (node.to_string(), *count as usize));
                traced.nodes = nodes.collect();
            }
            traced
        };
        let channels = self.with_names().map(channel).collect();
        EventTrace {
            id: self.id,
            number: None,
            at: self.at,
            event,
            by,
            bytes: self.bytes as usize,
            channels,
            known,
            left_out: self.left_out as usize,
            refused: self.status.map(|status| RefusedPublish { status, text }),
        }
    }

    /// The event's name.
    pub fn event(&self) -> &str {
        self.first_texts()[0]
    }

    /// The channels, each with its subscribers.
    pub fn channels(&self) -> impl Iterator<Item = (&str, usize)> {
        self.with_names().map(|(name, kept)| (name, kept.subscribers as usize))
    }

    /// The event's name, its publisher, and the refusal's sentence.
    fn first_texts(&self) -> [&str; 3] {
        let mut rest = &*self.texts;
        self.lengths.map(|length| next(&mut rest, length))
    }

    fn with_names(&self) -> impl Iterator<Item = (&str, &KeptChannel)> {
        let behind = self.lengths.iter().map(|length| usize::from(*length)).sum();
        let mut rest = self.texts.get(behind..).unwrap_or_default();
        self.channels.iter().map(move |kept| (next(&mut rest, kept.name_length), kept))
    }

    /// Memory of the trace.
    pub fn cost(&self) -> usize {
        let found = self.channels.iter().filter_map(|channel| channel.found.as_deref().map(FoundOut::cost));
        AROUND + size_of::<Self>() + self.texts.len() + size_of_val(&*self.channels) + found.sum::<usize>()
    }
}

/// How many channels have room, and the bytes of their names.
fn fitting(trace: &EventTrace, mut room: usize) -> (usize, usize) {
    let (mut channels, mut of_names) = (0, 0);
    for traced in &trace.channels {
        let name = traced.channel.as_str().len();
        let Some(left) = room.checked_sub(size_of::<KeptChannel>() + name + FoundOut::cost_of(traced)) else {
            break;
        };
        room = left;
        channels += 1;
        of_names += name;
    }
    (channels, of_names)
}

/// The next text of so many bytes.
fn next<'a>(rest: &mut &'a str, length: u16) -> &'a str {
    let (text, behind) = rest.split_at_checked(length.into()).unwrap_or_default();
    *rest = behind;
    text
}

impl FoundOut {
    /// What is known of the channel, if anything is.
    fn of(traced: &ChannelTrace) -> Option<Box<Self>> {
        let ChannelTrace { nodes, hint, .. } = traced;
        if nodes.is_empty() && hint.is_none() {
            return None;
        }
        let nodes = nodes.iter().map(|(node, count)| (Box::from(&**node), small(*count))).collect();
        Some(Box::new(Self { hint: hint.as_ref().map(|hint| hint.cause.clone()), nodes }))
    }

    fn cost(&self) -> usize {
        let names: usize = self.nodes.iter().map(|(node, _)| node.len()).sum();
        let hint = self.hint.as_ref().map_or(0, HintCause::heap_bytes);
        size_of::<Self>() + size_of_val(&*self.nodes) + names + hint
    }

    /// The cost of what is known of the channel.
    fn cost_of(ChannelTrace { nodes, hint, .. }: &ChannelTrace) -> usize {
        if nodes.is_empty() && hint.is_none() {
            return 0;
        }
        let names: usize = nodes.keys().map(|node| size_of::<(Box<str>, u32)>() + node.len()).sum();
        let hint = hint.as_ref().map_or(0, |hint| hint.cause.heap_bytes());
        size_of::<Self>() + names + hint
    }
}

/// The length of a text that is cut before it comes here, or of a channel's name.
fn length(text: &str) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
