//! The books of a run: what was published, who was to get it, who got it, and how long that took.

use std::collections::BTreeMap;

use crate::histogram::Histogram;
use crate::payload::Stamp;

#[derive(Default)]
struct Event {
    expected: u32,
    got: u32,
}

/// Every event, and the faults.
pub(crate) struct Tally {
    events: Vec<Event>,
    /// Events from this one on are measured.
    measured_from: usize,
    /// From when an event was due until a subscriber had read it.
    pub latencies: Histogram,
    /// Events handed to a subscriber each.
    pub deliveries: u64,
    /// Deliveries that there should have been by now, or soon.
    pub expected: u64,
    /// Events that have reached everybody.
    pub finished: usize,
    /// When the last delivery came, or the last answer.
    pub progress: u64,
    /// What must not happen, and how often it has.
    pub faults: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            measured_from: usize::MAX,
            latencies: Histogram::default(),
            deliveries: 0,
            expected: 0,
            finished: 0,
            progress: 0,
            faults: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// One more event, which `expected` subscribers are to get; its number.
    pub(crate) fn publish(&mut self, expected: u32) -> u32 {
        self.events.push(Event { expected, got: 0 });
        self.expected += u64::from(expected);
        u32::try_from(self.events.len() - 1).expect("a run ends before four thousand million events")
    }

    /// Somebody has got an event.
    pub(crate) fn deliver(&mut self, (due, number): Stamp, now: u64) {
        let number = number as usize;
        let Some(event) = self.events.get_mut(number) else { return };
        event.got += 1;
        self.finished += usize::from(event.got == event.expected);
        self.deliveries += 1;
        self.progress = now;
        if number >= self.measured_from {
            self.latencies.record(now.saturating_sub(due));
        }
    }

    /// Events from now on are measured.
    pub(crate) fn measure(&mut self) {
        self.measured_from = self.events.len();
    }

    /// Events so far.
    pub(crate) fn published(&self) -> usize {
        self.events.len()
    }

    /// Whether something is still to come.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.deliveries < self.expected
    }

    /// Deliveries that are missing, and such as came twice.
    pub(crate) fn lost_and_twice(&self) -> (u64, u64) {
        let lost = self.events.iter().map(|event| u64::from(event.expected.saturating_sub(event.got))).sum();
        let twice = self.events.iter().map(|event| u64::from(event.got.saturating_sub(event.expected))).sum();
        (lost, twice)
    }

    /// Something that must not happen.
    pub(crate) fn fault(&mut self, what: &str) {
        *self.faults.entry(what.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_comes_twice_is_seen_event_by_event() {
        let mut tally = Tally::default();
        let (first, second) = (tally.publish(2), tally.publish(2));
        for number in [first, first, first, second] {
            tally.deliver((0, number), 1);
        }
        assert_eq!((tally.lost_and_twice(), tally.finished), ((1, 1), 1));
    }

    #[test]
    fn only_events_of_the_measured_window_have_a_latency_and_it_counts_from_when_they_were_due() {
        let mut tally = Tally::default();
        let before = tally.publish(1);
        tally.measure();
        let measured = tally.publish(1);
        tally.deliver((0, before), 900_000);
        tally.deliver((400_000, measured), 1_000_000);
        assert_eq!(tally.latencies.count(), 1);
        assert!((tally.latencies.quantile(1.0) - 600.0).abs() < 6.0);
    }
}
