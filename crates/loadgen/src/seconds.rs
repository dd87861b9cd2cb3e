//! Latencies second by second: what happens in every other second alone, such as questions to the server, is compared with the
//! seconds between. A pause of the machine strikes one second, so that the median over the seconds does not know of that pause.

use crate::histogram::Histogram;

/// Most seconds of which figures are kept, an hour; later ones are not looked at.
const MOST: usize = 3600;

/// The figures that are taken of each second.
pub(crate) const SHARES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// A second whose events are on their way.
#[derive(Default)]
struct Open {
    second: u64,
    latencies: Histogram,
}

/// The latencies of the events that were due in each second since 1970.
#[derive(Default)]
pub(crate) struct Seconds {
    /// The last even and the last odd second: an event may arrive in the second after that in which it was due.
    open: [Open; 2],
    /// Of the even seconds before, and of the odd ones, each of `SHARES`, in microseconds.
    closed: [Vec<[f64; SHARES.len()]>; 2],
}

impl Seconds {
    /// Counts one latency of an event that was due in `second`, in nanoseconds.
    pub(crate) fn record(&mut self, second: u64, nanoseconds: u64) {
        let parity = (second % 2) as usize;
        if self.open[parity].second < second {
            self.close(parity);
            self.open[parity].second = second;
        }
        self.open[parity].latencies.record(nanoseconds);
    }

    /// The medians over the even seconds, and over the odd ones, of each of `SHARES`; all seconds are over.
    pub(crate) fn medians(&mut self) -> [[f64; SHARES.len()]; 2] {
        [0, 1].map(|parity| {
            self.close(parity);
            let seconds = &self.closed[parity];
            std::array::from_fn(|share| median(seconds.iter().map(|figures| figures[share]).collect()))
        })
    }

    fn close(&mut self, parity: usize) {
        let latencies = std::mem::take(&mut self.open[parity].latencies);
        if latencies.count() > 0 && self.closed[parity].len() < MOST / 2 {
            self.closed[parity].push(SHARES.map(|(_, share)| latencies.quantile(share)));
        }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_odd_seconds_are_told_apart_and_one_bad_second_of_three_does_not_count() {
        let mut seconds = Seconds::default();
        for (second, microseconds) in [(10, 100), (11, 300), (12, 9000), (13, 310), (14, 110), (15, 290)] {
            seconds.record(second, microseconds * 1000);
        }
        let [even, odd] = seconds.medians().map(|[_, p99]| p99.round());
        assert!((109.0..=110.0).contains(&even) && (297.0..=300.0).contains(&odd), "{even} {odd}");
    }

    #[test]
    fn an_event_that_arrives_in_the_next_second_belongs_to_that_in_which_the_event_was_due() {
        let mut seconds = Seconds::default();
        seconds.record(10, 1_000_000);
        seconds.record(11, 1000);
        seconds.record(10, 1_000_000);
        let [[even, _], [odd, _]] = seconds.medians();
        assert!(even > 900.0 && odd < 2.0, "{even} {odd}");
    }
}
