//! A histogram of times: a fixed amount of memory for any number of times, each within one percent.

use crate::report::LatencySlice;

/// Buckets for each doubling.
const FINE: u32 = 7;

/// The number of times in each bucket.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    longest: u64,
}

fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(FINE + 1);
    ((shift as usize) << FINE) + (value >> shift) as usize
}

/// The lowest value of a bucket.
fn lowest(bucket: usize) -> u64 {
    let shift = (bucket >> FINE).saturating_sub(1);
    ((bucket - (shift << FINE)) as u64) << shift
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, longest: 0 }
    }
}

impl Histogram {
    /// Counts one time, in nanoseconds.
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.longest = self.longest.max(nanoseconds);
    }

    /// The times in slices that double, from the first to the last that has any.
    pub(crate) fn doubling(&self) -> Vec<LatencySlice> {
        let mut slices: Vec<LatencySlice> = Vec::new();
        for (at, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let up_to_us = (lowest(at) / 1000 + 1).next_power_of_two();
            match slices.last_mut() {
                Some(last) if last.up_to_us == up_to_us => last.count += count,
                _ => {
                    while let Some(last) = slices.last().filter(|last| last.up_to_us * 2 < up_to_us) {
                        slices.push(LatencySlice { up_to_us: last.up_to_us * 2, count: 0 });
                    }
                    slices.push(LatencySlice { up_to_us, count: *count });
                }
            }
        }
        slices
    }

    /// The number of times.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The time that `share` (0 to 1) of all times do not exceed, in microseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return lowest(at).min(self.longest) as f64 / 1e3;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_up_without_a_gap_and_are_a_percent_wide() {
        let values = (0..5000).chain((13..63).map(|shift| (1 << shift) + 12_345)).chain([u64::MAX]);
        let mut before = 0;
        for value in values {
            let at = bucket(value);
            assert!(at >= before, "{value}");
            before = at;
            assert!(lowest(at) <= value && (value - lowest(at)) as f64 <= value as f64 * 0.01, "{value}");
        }
    }

    #[test]
    fn slices_double_without_a_gap_and_hold_every_time() {
        let mut times = Histogram::default();
        for microseconds in [3_u64, 3, 5, 70, 100] {
            times.record(microseconds * 1000);
        }
        let slices: Vec<(u64, u64)> = times.doubling().iter().map(|one| (one.up_to_us, one.count)).collect();
        assert_eq!(slices, [(4, 2), (8, 1), (16, 0), (32, 0), (64, 0), (128, 2)]);
    }

    #[test]
    fn a_quantile_is_the_time_that_so_many_do_not_exceed() {
        let mut times = Histogram::default();
        assert_eq!(times.quantile(0.5), 0.0);
        (1..=1000).for_each(|each| times.record(each * 1000));
        assert!((times.quantile(0.5) - 500.0).abs() < 5.0);
        assert!((times.quantile(0.99) - 990.0).abs() < 10.0);
        assert_eq!(times.count(), 1000);
    }
}
