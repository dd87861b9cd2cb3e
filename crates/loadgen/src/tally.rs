//! The counts of a run: published events, their expected and actual recipients, and the latencies.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::histogram::Histogram;
use crate::payload::Stamp;
use crate::seconds::Seconds;

/// In nanoseconds, as all times here.
pub(crate) const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Event {
    expected: u32,
    got: u32,
}

/// Every event, and the faults.
pub(crate) struct Tally {
    events: Vec<Event>,
    /// Index of the first measured event.
    measured_from: usize,
    /// Time from an event's due time until a subscriber has read the event.
    pub latencies: Histogram,
    /// The same, second by second.
    pub by_second: Seconds,
    /// When the generator's clock was zero, in nanoseconds since 1970.
    begun: u64,
    /// Deliveries so far.
    pub deliveries: u64,
    /// Deliveries expected of all published events.
    pub expected: u64,
    /// Events that have reached all their subscribers.
    pub finished: usize,
    /// The time of the last delivery or answer.
    pub progress: u64,
    /// Faults, and how often each occurred.
    pub faults: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            measured_from: usize::MAX,
            latencies: Histogram::default(),
            by_second: Seconds::default(),
            begun: 0,
            deliveries: 0,
            expected: 0,
            finished: 0,
            progress: 0,
            faults: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Adds an event with `expected` subscribers; returns the event's number.
    pub(crate) fn publish(&mut self, expected: u32) -> u32 {
        self.events.push(Event { expected, got: 0 });
        self.expected += u64::from(expected);
        u32::try_from(self.events.len() - 1).expect("a run ends before four thousand million events")
    }

    /// Records a delivery.
    pub(crate) fn deliver(&mut self, (due, number): Stamp, now: u64) {
        let number = number as usize;
        let Some(event) = self.events.get_mut(number) else { return };
        event.got += 1;
        self.finished += usize::from(event.got == event.expected);
        self.deliveries += 1;
        self.progress = now;
        if number >= self.measured_from {
            let latency = now.saturating_sub(due);
            self.latencies.record(latency);
            self.by_second.record((self.begun + due) / SECOND, latency);
        }
    }

    /// Measures all events from `now` on.
    pub(crate) fn measure(&mut self, now: u64) {
        self.measured_from = self.events.len();
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.begun = u64::try_from(since_1970.as_nanos()).unwrap_or_default().saturating_sub(now);
    }

    /// The number of events so far.
    pub(crate) fn published(&self) -> usize {
        self.events.len()
    }

    /// Whether a delivery is still missing.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.deliveries < self.expected
    }

    /// The number of missing deliveries, and of repeated ones.
    pub(crate) fn lost_and_twice(&self) -> (u64, u64) {
        let lost = self.events.iter().map(|event| u64::from(event.expected.saturating_sub(event.got))).sum();
        let twice = self.events.iter().map(|event| u64::from(event.got.saturating_sub(event.expected))).sum();
        (lost, twice)
    }

    /// Records a fault.
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
        tally.measure(0);
        let measured = tally.publish(1);
        tally.deliver((0, before), 900_000);
        tally.deliver((400_000, measured), 1_000_000);
        assert_eq!(tally.latencies.count(), 1);
        assert!((tally.latencies.quantile(1.0) - 600.0).abs() < 6.0);
    }
}
