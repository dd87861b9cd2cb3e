//! Rate limit: a token bucket that holds one second's worth, as one number. For messages of an app, and for
//! log lines.
//!
//! Knows no clock; nothing ticks: elapsed time refills the bucket. A refusal writes nothing, so that a flood of
//! refusals slows no other core.

use std::sync::atomic::{AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;

/// The moment when the bucket is full again, in nanoseconds.
///
/// A changed quota takes over the debt in time, a second at most.
#[derive(Debug, Default)]
pub struct Rate {
    full_at: AtomicU64,
}

impl Rate {
    /// A full bucket.
    pub const fn new() -> Self {
        Self { full_at: AtomicU64::new(0) }
    }

    /// Takes `count` tokens, or none; `now` in nanoseconds.
    pub fn take(&self, count: usize, per_second: usize, now: u64) -> bool {
        self.take_at_most(count, per_second, per_second, now)
    }

    /// As [`Rate::take`]; a full bucket gives up to `at_once` tokens, and is in debt then. For a part of a larger quota,
    /// which may be smaller than one request that the quota allows.
    pub fn take_at_most(&self, count: usize, per_second: usize, at_once: usize, now: u64) -> bool {
        let cost = u128::from(SECOND) * count as u128 / per_second.max(1) as u128;
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let taken = |full_at: u64| {
            let is_full = full_at <= now;
            let full_at = full_at.max(now).checked_add(cost)?;
            (full_at - now <= SECOND || is_full && count <= at_once).then_some(full_at)
        };
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_second_s_worth_comes_at_once_and_then_as_many_in_each_second() {
        let rate = Rate::default();
        let taken = |now| (0..50).filter(|_| rate.take(1, 10, now)).count();
        assert_eq!(taken(5_000 * MS), 10);
        assert_eq!(taken(5_099 * MS), 0);
        assert_eq!(taken(5_100 * MS), 1);
        assert_eq!(taken(5_600 * MS), 5);
        assert_eq!(taken(60_000 * MS), 10);
    }

    #[test]
    fn a_full_bucket_gives_one_large_request_and_is_in_debt_then() {
        let rate = Rate::default();
        assert!(rate.take_at_most(10, 2, 10, 0) && !rate.take_at_most(1, 2, 10, 4_000 * MS));
        assert!(rate.take_at_most(1, 2, 10, 4_500 * MS));
        assert!(!rate.take_at_most(11, 2, 10, 60_000 * MS));
    }

    #[test]
    fn several_are_taken_together_or_not_at_all() {
        let rate = Rate::default();
        assert!(rate.take(7, 10, 0));
        assert!(!rate.take(4, 10, 0));
        assert!(rate.take(3, 10, 0), "what was refused has cost nothing");
        assert!(!rate.take(1, 10, 0));
        assert!(!rate.take(11, 10, 60_000 * MS), "more than a second's worth never fits");
        assert!(rate.take(10, 10, 60_000 * MS));
    }

    #[test]
    fn a_quota_that_changes_holds_at_once() {
        let rate = Rate::default();
        assert!(rate.take(1, 1, 0) && !rate.take(1, 1, 10 * MS));
        assert!(rate.take(10, 1000, 10 * MS), "ten milliseconds at the new rate");
        assert!(!rate.take(1, 1000, 10 * MS));
        assert!(!rate.take(1, 1, 500 * MS), "and back");
    }

    #[test]
    fn the_highest_quota_is_counted_as_exactly_as_the_lowest() {
        let rate = Rate::default();
        assert!(rate.take(1_000_000_000, 1_000_000_000, 7));
        assert!(!rate.take(1, 1_000_000_000, 7));
        assert!(rate.take(1, 1_000_000_000, 8));
        assert!(!rate.take(usize::MAX, 1, u64::MAX));
    }

    #[test]
    fn several_threads_together_take_no_more_than_one_alone() {
        let rate = Rate::default();
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..1000).filter(|_| rate.take(1, 1000, 0)).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }
}
