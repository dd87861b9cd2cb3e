//! The last traces of one app: bounded in number and in bytes, the oldest go (CON-043).

use std::collections::VecDeque;
use std::sync::Arc;

use super::kept::{KeptTrace, MOST_TRACES, TRACES_BYTES};
use super::{EventTrace, Known};

/// The last traces, each with a number that only grows.
#[derive(Debug, Default)]
pub(crate) struct LastTraces {
    traces: VecDeque<Kept>,
    bytes: usize,
    /// How many traces have gone, and so the number of the oldest one.
    gone: u64,
    /// Whether the app is noted as one whose hints are to be looked for.
    is_noted: bool,
}

/// A trace, and how much of it is known.
#[derive(Debug)]
struct Kept {
    known: Known,
    trace: Arc<KeptTrace>,
}

/// A kept trace as it was when it was read.
#[derive(Clone, Debug)]
pub(crate) struct NumberedTrace {
    /// Its number among those of the app.
    pub number: u64,
    /// How much is known of it.
    pub known: Known,
    /// The trace.
    pub trace: Arc<KeptTrace>,
}

impl NumberedTrace {
    /// The trace to show.
    pub fn event_trace(&self) -> EventTrace {
        EventTrace { number: Some(self.number), ..self.trace.event_trace(self.known) }
    }
}

impl LastTraces {
    /// Adds the trace of a publish. Returns the trace's number, and whether hints are to be looked for since now.
    pub fn push(&mut self, trace: Arc<KeptTrace>, known: Known) -> (u64, bool) {
        let number = self.gone + self.traces.len() as u64;
        let is_first = known == Known::Publish && !self.is_noted;
        self.is_noted |= is_first;
        self.bytes += trace.cost();
        self.traces.push_back(Kept { known, trace });
        self.make_room();
        (number, is_first)
    }

    /// Keeps what has been found out of a trace, where no more is known of it; the oldest traces go for it if they must.
    pub fn know(&mut self, number: u64, trace: &EventTrace) {
        let Some(kept) = self.find(number).filter(|kept| (kept.known as u8) < trace.known as u8) else {
            return;
        };
        let (before, found) = (kept.trace.cost(), KeptTrace::of(trace));
        let after = found.cost();
        *kept = Kept { known: trace.known, trace: Arc::new(found) };
        self.bytes = self.bytes - before + after;
        self.make_room();
    }

    /// There is no hint to these traces.
    pub fn know_without_hints(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(kept) = self.find(*number).filter(|kept| kept.known == Known::Publish) {
                kept.known = Known::Hints;
            }
        }
    }

    /// The app is to be noted again at its next publish.
    pub fn forget_note(&mut self) {
        self.is_noted = false;
    }

    fn find(&mut self, number: u64) -> Option<&mut Kept> {
        let at = number.checked_sub(self.gone).and_then(|at| usize::try_from(at).ok())?;
        self.traces.get_mut(at)
    }

    fn make_room(&mut self) {
        while self.traces.len() > MOST_TRACES || self.bytes > TRACES_BYTES {
            let Some(oldest) = self.traces.pop_front() else { break };
            self.bytes -= oldest.trace.cost();
            self.gone += 1;
        }
    }

    /// The traces, the newest first.
    pub fn newest(&self) -> Vec<NumberedTrace> {
        let numbered = |(at, kept): (usize, &Kept)| NumberedTrace {
            number: self.gone + at as u64,
            known: kept.known,
            trace: Arc::clone(&kept.trace),
        };
        self.traces.iter().enumerate().rev().map(numbered).collect()
    }
}

#[cfg(test)]
mod tests {
    use fanfare_hub::EventReach;
    use fanfare_protocol::channel::ChannelName;
    use fanfare_protocol::event_id::EventId;

    use super::*;
    use crate::trace::ChannelTrace;
    use crate::trace::hint::HintCause;
    use crate::trace::kept::MOST_OF_ONE;

    fn push(last: &mut LastTraces, trace: &EventTrace) -> u64 {
        last.push(Arc::new(KeptTrace::of(trace)), trace.known).0
    }

    /// The newest trace, but for its number.
    fn newest(last: &LastTraces) -> EventTrace {
        EventTrace { number: None, ..last.newest()[0].event_trace() }
    }

    fn bytes(last: &LastTraces) -> usize {
        last.traces.iter().map(|kept| kept.trace.cost()).sum()
    }

    fn trace(number: u64, channels: usize) -> EventTrace {
        let mut trace = EventTrace::new(EventId::new(number, 0), "OrderShipped", "key:0e1f".to_owned(), 1);
        let channel = |at| ChannelName::parse(&format!("private-orders.{at}"), 164).unwrap();
        let reach = EventReach { subscribers: 88, took: 87, excluded: 1, slow: 2 };
        trace.channels = (0..channels).map(|at| ChannelTrace::new(channel(at), reach)).collect();
        trace
    }

    fn numbers(last: &LastTraces) -> Vec<u64> {
        last.newest().iter().map(|kept| kept.number).collect()
    }

    #[test]
    fn con_043_the_last_two_hundred_are_kept_and_the_newest_come_first() {
        let mut last = LastTraces::default();
        for number in 0..MOST_TRACES as u64 + 50 {
            assert_eq!(push(&mut last, &trace(number, 1)), number);
            assert_eq!(newest(&last).at, number);
        }
        assert_eq!(numbers(&last), (50..250).rev().collect::<Vec<_>>());
        assert!(last.newest().iter().all(|kept| kept.number == kept.trace.at));
        assert!(last.bytes <= TRACES_BYTES, "{} bytes", last.bytes);
    }

    #[test]
    fn con_043_what_was_found_out_is_kept_once_and_within_the_bytes() {
        let mut last = LastTraces::default();
        let mut found = trace(7, 2);
        let number = push(&mut last, &found);
        found.channels[0].hint = Some(HintCause::Nobody.told("private-orders.0", "OrderShipped"));
        found.channels[1].nodes = [("a".to_owned(), 50), ("b".to_owned(), 38)].into();
        for known in [Known::Hints, Known::Cluster] {
            found.known = known;
            last.know(number, &found);
            let kept = newest(&last);
            assert_eq!(format!("{kept:?}"), format!("{found:?}"));
        }
        let mut later = trace(7, 2);
        later.known = Known::Hints;
        last.know(number, &later);
        assert!(newest(&last).channels[0].hint.is_some(), "what is known stays");
        last.know(number + 1, &found);
        assert_eq!(last.traces.len(), 1);
        for at in 0..100 {
            let number = push(&mut last, &trace(at, 60));
            let mut known = trace(at, 60);
            known.known = Known::Hints;
            for channel in &mut known.channels {
                channel.hint = Some(HintCause::EventName("x".repeat(200).into(), 1).told("c", "e"));
            }
            last.know(number, &known);
            let bytes = bytes(&last);
            assert!(bytes <= TRACES_BYTES && bytes == last.bytes, "{bytes} of {}", last.bytes);
        }
    }

    #[test]
    fn con_043_a_trace_is_kept_whole() {
        let mut last = LastTraces::default();
        let refused =
            |status| EventTrace::refused(9, "é\u{1f3ba}", "console".to_owned(), (status, "too large"));
        for wanted in [trace(7, 0), trace(8, 3), refused(Some(413)), refused(None)] {
            push(&mut last, &wanted);
            let kept = newest(&last);
            assert_eq!(format!("{kept:?}"), format!("{wanted:?}"));
        }
    }

    #[test]
    fn con_043_the_bytes_are_bounded_whatever_the_names_are() {
        let mut last = LastTraces::default();
        for number in 0..100 {
            push(&mut last, &trace(number, 60));
            let bytes = bytes(&last);
            assert!(bytes <= TRACES_BYTES && bytes == last.bytes);
        }
        assert!((2..MOST_TRACES).contains(&last.traces.len()), "{}", last.traces.len());
        push(&mut last, &trace(100, 10_000));
        let (number, newest) = (last.newest()[0].number, newest(&last));
        assert_eq!((number, newest.channels.len() + newest.left_out), (100, 10_000));
        let cost = last.traces.back().map_or(0, |kept| kept.trace.cost());
        assert!(
            newest.left_out > 0 && cost <= MOST_OF_ONE,
            "{} channels, {cost} bytes",
            newest.channels.len()
        );
        assert!(last.traces.len() > 1, "one publish does not drive out all others");
    }
}
