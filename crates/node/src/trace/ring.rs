//! The last traces of one app: bounded in number and in bytes, the oldest go (CON-043).
//!
//! Kept without gaps: of each trace the texts stand one behind the other. Of a hint its cause is kept, of which the sentence is made.

use std::collections::VecDeque;

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
const MOST_OF_ONE: usize = TRACES_BYTES / 4;

/// The last traces, each with a number that only grows.
#[derive(Debug, Default)]
pub struct LastTraces {
    traces: VecDeque<KeptTrace>,
    bytes: usize,
    /// How many traces have gone, and so the number of the oldest one.
    gone: u64,
}

/// A trace as it is kept.
#[derive(Debug)]
struct KeptTrace {
    id: Option<EventId>,
    at: u64,
    bytes: u32,
    left_out: u32,
    known: Known,
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

impl LastTraces {
    /// Adds the trace of a publish; of very many channels the first stay. Returns the trace's number.
    pub fn push(&mut self, trace: &EventTrace) -> u64 {
        let number = self.gone + self.traces.len() as u64;
        let kept = KeptTrace::of(trace);
        self.bytes += kept.cost();
        self.traces.push_back(kept);
        self.make_room();
        number
    }

    /// Keeps what has been found out of a trace, where no more is known of it; the oldest traces go for it if they must.
    pub fn know(&mut self, number: u64, trace: &EventTrace) {
        let at = number.checked_sub(self.gone).and_then(|at| usize::try_from(at).ok());
        let Some(kept) = at.and_then(|at| self.traces.get_mut(at)) else { return };
        if kept.known as u8 >= trace.known as u8 {
            return;
        }
        let known = KeptTrace::of(trace);
        self.bytes = self.bytes - kept.cost() + known.cost();
        *kept = known;
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.traces.len() > MOST_TRACES || self.bytes > TRACES_BYTES {
            let Some(oldest) = self.traces.pop_front() else { break };
            self.bytes -= oldest.cost();
            self.gone += 1;
        }
    }

    /// The traces, each with its number, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = (u64, EventTrace)> {
        self.traces.iter().enumerate().rev().map(|(at, kept)| (self.gone + at as u64, kept.trace()))
    }
}

impl KeptTrace {
    fn of(trace: &EventTrace) -> Self {
        let refusal = trace.refused.as_ref().map_or("", |refused| &refused.text);
        let mut texts = String::new();
        let lengths = [&*trace.event, &*trace.by, refusal].map(|text| {
            texts.push_str(text);
            length(text)
        });
        let mut room = MOST_OF_ONE.saturating_sub(size_of::<Self>() + texts.len());
        let mut channels = Vec::new();
        for traced in &trace.channels {
            let ChannelTrace { channel, reach, .. } = traced;
            let found = FoundOut::of(traced);
            let cost = size_of::<KeptChannel>()
                + channel.as_str().len()
                + found.as_deref().map_or(0, FoundOut::cost);
            let Some(left) = room.checked_sub(cost) else { break };
            room = left;
            texts.push_str(channel.as_str());
            channels.push(KeptChannel {
                name_length: length(channel.as_str()),
                excluded: reach.excluded > 0,
                subscribers: small(reach.subscribers),
                took: small(reach.took),
                slow: small(reach.slow),
                found,
            });
        }
        Self {
            id: trace.id,
            at: trace.at,
            bytes: small(trace.bytes),
            left_out: small(trace.left_out + trace.channels.len() - channels.len()),
            known: trace.known,
            status: trace.refused.as_ref().map(|refused| refused.status),
            lengths,
            texts: texts.into(),
            channels: channels.into(),
        }
    }

    fn trace(&self) -> EventTrace {
        let mut rest = &*self.texts;
        let mut next = |length: u16| {
            let (text, behind) = rest.split_at_checked(length.into()).unwrap_or_default();
            rest = behind;
            text
        };
        let [event, by, text] = self.lengths.map(|length| next(length).to_owned());
        let channel = |kept: &KeptChannel| {
            let reach = EventReach {
                subscribers: kept.subscribers as usize,
                took: kept.took as usize,
                excluded: kept.excluded.into(),
                slow: kept.slow as usize,
            };
            let mut traced = ChannelTrace::new(ChannelName::trusted(next(kept.name_length)), reach);
            if let Some(found) = &kept.found {
                let told = |cause: &HintCause| cause.clone().told(traced.channel.as_str(), &event);
                traced.hint = found.hint.as_ref().map(told);
                let nodes = found.nodes.iter().map(|(node, count)| (node.to_string(), *count as usize));
                traced.nodes = nodes.collect();
            }
            traced
        };
        let channels = self.channels.iter().map(channel).collect();
        EventTrace {
            id: self.id,
            number: None,
            at: self.at,
            event,
            by,
            bytes: self.bytes as usize,
            channels,
            known: self.known,
            left_out: self.left_out as usize,
            refused: self.status.map(|status| RefusedPublish { status, text }),
        }
    }

    fn cost(&self) -> usize {
        let found = self.channels.iter().filter_map(|channel| channel.found.as_deref().map(FoundOut::cost));
        size_of::<Self>() + self.texts.len() + size_of_val(&*self.channels) + found.sum::<usize>()
    }
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
}

/// The length of a text that is cut before it comes here, or of a channel's name.
fn length(text: &str) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(number: u64, channels: usize) -> EventTrace {
        let mut trace = EventTrace::new(EventId::new(number, 0), "OrderShipped", "key:0e1f".to_owned(), 1);
        let channel = |at| ChannelName::parse(&format!("private-orders.{at}"), 164).unwrap();
        let reach = EventReach { subscribers: 88, took: 87, excluded: 1, slow: 2 };
        trace.channels = (0..channels).map(|at| ChannelTrace::new(channel(at), reach)).collect();
        trace
    }

    fn numbers(last: &LastTraces) -> Vec<u64> {
        last.newest().map(|(number, _)| number).collect()
    }

    #[test]
    fn con_043_the_last_two_hundred_are_kept_and_the_newest_come_first() {
        let mut last = LastTraces::default();
        for number in 0..MOST_TRACES as u64 + 50 {
            assert_eq!(last.push(&trace(number, 1)), number);
            assert_eq!(last.newest().next().map(|(_, trace)| trace.at), Some(number));
        }
        assert_eq!(numbers(&last), (50..250).rev().collect::<Vec<_>>());
        assert!(last.newest().all(|(number, trace)| number == trace.at));
        assert!(last.bytes <= TRACES_BYTES, "{} bytes", last.bytes);
    }

    #[test]
    fn con_043_what_was_found_out_is_kept_once_and_within_the_bytes() {
        let mut last = LastTraces::default();
        let mut found = trace(7, 2);
        let number = last.push(&found);
        found.channels[0].hint = Some(HintCause::Nobody.told("private-orders.0", "OrderShipped"));
        found.channels[1].nodes = [("a".to_owned(), 50), ("b".to_owned(), 38)].into();
        for known in [Known::Hints, Known::Cluster] {
            found.known = known;
            last.know(number, &found);
            let (_, kept) = last.newest().next().unwrap();
            assert_eq!(format!("{kept:?}"), format!("{found:?}"));
        }
        let mut later = trace(7, 2);
        later.known = Known::Hints;
        last.know(number, &later);
        assert!(last.newest().next().unwrap().1.channels[0].hint.is_some(), "what is known stays");
        last.know(number + 1, &found);
        assert_eq!(last.traces.len(), 1);
        for at in 0..100 {
            let number = last.push(&trace(at, 60));
            let mut known = trace(at, 60);
            known.known = Known::Hints;
            for channel in &mut known.channels {
                channel.hint = Some(HintCause::EventName("x".repeat(200).into(), 1).told("c", "e"));
            }
            last.know(number, &known);
            let bytes: usize = last.traces.iter().map(KeptTrace::cost).sum();
            assert!(bytes <= TRACES_BYTES && bytes == last.bytes, "{bytes} of {}", last.bytes);
        }
    }

    #[test]
    fn con_043_a_trace_is_kept_whole() {
        let mut last = LastTraces::default();
        let refused =
            |status| EventTrace::refused(9, "é\u{1f3ba}", "console".to_owned(), (status, "too large"));
        for wanted in [trace(7, 0), trace(8, 3), refused(Some(413)), refused(None)] {
            last.push(&wanted);
            let (_, kept) = last.newest().next().unwrap();
            assert_eq!(format!("{kept:?}"), format!("{wanted:?}"));
        }
    }

    #[test]
    fn con_043_the_bytes_are_bounded_whatever_the_names_are() {
        let mut last = LastTraces::default();
        for number in 0..100 {
            last.push(&trace(number, 60));
            let bytes: usize = last.traces.iter().map(KeptTrace::cost).sum();
            assert!(bytes <= TRACES_BYTES && bytes == last.bytes);
        }
        assert!((2..MOST_TRACES).contains(&last.traces.len()), "{}", last.traces.len());
        last.push(&trace(100, 10_000));
        let (number, newest) = last.newest().next().unwrap();
        assert_eq!((number, newest.channels.len() + newest.left_out), (100, 10_000));
        let cost = last.traces.back().map_or(0, KeptTrace::cost);
        assert!(
            newest.left_out > 0 && cost <= MOST_OF_ONE,
            "{} channels, {cost} bytes",
            newest.channels.len()
        );
        assert!(last.traces.len() > 1, "one publish does not drive out all others");
    }
}
