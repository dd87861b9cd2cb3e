//! What a bus has counted, for metrics; numbers only grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the round trips that are counted, in milliseconds; a last bucket has all that is longer.
pub const LATENCY_BOUNDS: [u64; 9] = [1, 2, 5, 10, 50, 100, 500, 1000, 2000];

/// One number.
#[derive(Debug, Default)]
pub struct BusCount(AtomicU64);

impl BusCount {
    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

/// The rate of a log line.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    /// The next moment for a line, in milliseconds.
    next: AtomicU64,
}

impl Seldom {
    /// Milliseconds between two lines.
    const PAUSE: u64 = 10_000;

    /// Whether now is the time for a line.
    pub fn is_time(&self, now: u64) -> bool {
        let next = |next: u64| (next <= now).then_some(now + Self::PAUSE);
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// The numbers of all links.
#[derive(Debug, Default)]
pub struct BusCounters {
    /// Events sent to other nodes.
    pub sent: BusCount,
    /// Events of other nodes that were heard.
    pub heard: BusCount,
    /// Events that were not sent because too many waited (CL-115).
    pub dropped_full: BusCount,
    /// Events that were not sent because the link was away (CL-101).
    pub dropped_link: BusCount,
    /// Events that were not sent because of their length.
    pub dropped_long: BusCount,
    /// Changes of apps on this node, events of cache channels among them, that were not told because too many waited: all
    /// that is there was stated anew.
    pub dropped_changes: BusCount,
    /// When that is logged.
    pub(crate) dropped_changes_logged: Seldom,
    /// Events of other nodes that did not come, by the gaps in their numbers (CL-102).
    pub missed: BusCount,
    /// Messages of another version, or of a kind that is not known (CL-072).
    pub unknown: BusCount,
    /// Messages that cannot be read.
    pub malformed: BusCount,
    /// Connections for commands that were lost.
    pub lost: BusCount,
    /// Connections for subscriptions that were lost.
    pub subscriptions_lost: BusCount,
    /// Connections that were left for another master (CL-117).
    pub moved: BusCount,
    /// Round trips of pipelines, by [`LATENCY_BOUNDS`].
    pub latency: [BusCount; LATENCY_BOUNDS.len() + 1],
    /// The sum of all round trips, in microseconds.
    pub latency_sum: BusCount,
}

impl BusCounters {
    pub(crate) fn took(&self, time: Duration) {
        let milliseconds = time.as_millis() as u64;
        let at =
            LATENCY_BOUNDS.iter().position(|bound| milliseconds <= *bound).unwrap_or(LATENCY_BOUNDS.len());
        if let Some(bucket) = self.latency.get(at) {
            bucket.add(1);
        }
        self.latency_sum.add(time.as_micros() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_logged_once_in_ten_seconds() {
        let seldom = Seldom::default();
        let times = [0, 1, 9_999, 10_000, 10_001, 25_000];
        assert_eq!(times.map(|now| seldom.is_time(now)), [true, false, false, true, false, true]);
    }
}
