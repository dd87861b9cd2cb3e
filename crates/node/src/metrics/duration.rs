//! How often something took how long: buckets that any thread counts in without a lock.
//!
//! The histogram of `prometheus-client` takes a lock for each observation; this one adds to two numbers. Reads no clock.

use std::fmt::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Upper bounds in microseconds for what memory and sockets take: ten microseconds to five seconds.
pub const FAST_BOUNDS: &[u64] = &[
    10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];

/// Upper bounds in microseconds for what waits for a timer of the runtime, which has a resolution of a millisecond.
pub const TIMER_BOUNDS: &[u64] =
    &[2000, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// Upper bounds in microseconds for requests to other servers: a millisecond to thirty seconds.
pub const REQUEST_BOUNDS: &[u64] = &[
    1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];

/// Counts of durations, by bucket, and their sum.
#[derive(Debug)]
pub struct DurationHistogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what took longer.
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl DurationHistogram {
    /// No duration yet, in buckets with these ascending upper bounds in microseconds.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanoseconds: AtomicU64::new(0) }
    }

    /// Something took this long.
    pub fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| bound * 1000 < nanoseconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Whether nothing was observed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }

    /// Appends the buckets, their sum and their count.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn encode(&self, mut metric: MetricEncoder<'_>) -> Result<(), Error> {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        metric.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }
}

/// Appends a family of one histogram without labels.
pub(super) fn encode_one(
    (name, help): (&str, &str),
    histogram: &DurationHistogram,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), Error> {
    histogram.encode(encoder.encode_descriptor(name, help, None, MetricType::Histogram)?)
}

/// Appends a family of histograms with labels; those without any observation are left out.
///
/// # Errors
/// The text cannot be written.
pub fn encode_family<'a, L: EncodeLabelSet>(
    (name, help): (&str, &str),
    histograms: impl Iterator<Item = (L, &'a DurationHistogram)>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, histogram) in histograms.filter(|(_, histogram)| !histogram.is_empty()) {
        histogram.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_bucket_whose_bound_it_reaches_and_the_longest_in_the_last() {
        let histogram = DurationHistogram::new(&[10, 100]);
        assert!(histogram.is_empty());
        for microseconds in [0, 10, 11, 100, 101] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        histogram.observe(Duration::from_nanos(10_001));
        let counts: Vec<u64> = histogram.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [2, 3, 1]);
        assert_eq!(histogram.nanoseconds.load(Ordering::Relaxed), 232_001);
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [FAST_BOUNDS, TIMER_BOUNDS, REQUEST_BOUNDS] {
            assert!(bounds.is_sorted_by(|one, other| one < other));
        }
    }
}
