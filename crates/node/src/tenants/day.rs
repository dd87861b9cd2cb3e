//! Messages since midnight UTC: the day and its count in one number.
//!
//! Knows no clock. Counts also where there is no quota, so that a quota set at noon includes the morning.

use std::sync::atomic::{AtomicU64, Ordering};

/// The count has the lower bits, a million times the highest quota; days have the rest, for forty thousand years.
const COUNT_BITS: u32 = 40;
const MOST: u64 = (1 << COUNT_BITS) - 1;

/// The messages of the latest day with any.
#[derive(Debug, Default)]
pub struct Day {
    packed: AtomicU64,
}

impl Day {
    /// Counts `count` messages, or none if the day would have more than `most`.
    pub fn take(&self, count: usize, most: Option<usize>, day: u64) -> bool {
        let counted = |packed: u64| {
            let sum = count_on(packed, day).saturating_add(count as u64);
            most.is_none_or(|most| sum <= most as u64).then(|| pack(day, sum))
        };
        self.packed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted).is_ok()
    }

    /// Whether [`Day::take`] would count them now.
    pub fn has_room(&self, count: usize, most: usize, day: u64) -> bool {
        let sum = count_on(self.packed.load(Ordering::Relaxed), day).saturating_add(count as u64);
        sum <= most as u64
    }

    /// The messages of a day.
    pub fn count(&self, day: u64) -> u64 {
        count_on(self.packed.load(Ordering::Relaxed), day)
    }

    /// Sets the messages of a day.
    pub fn set(&self, count: u64, day: u64) {
        self.packed.store(pack(day, count), Ordering::Relaxed);
    }

    /// Counts messages from before this counter was created; messages of a past day are ignored.
    pub fn add_earlier(&self, count: u64, day: u64) {
        let counted = |packed: u64| {
            let is_over = packed >> COUNT_BITS > day;
            (!is_over).then(|| pack(day, count_on(packed, day).saturating_add(count)))
        };
        // Refused only if the day is over.
        let _ = self.packed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }
}

const fn count_on(packed: u64, day: u64) -> u64 {
    if packed >> COUNT_BITS == day { packed & MOST } else { 0 }
}

fn pack(day: u64, count: u64) -> u64 {
    day << COUNT_BITS | count.min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_until_midnight() {
        let day = Day::default();
        assert!(day.take(3, Some(5), 20_000));
        assert!(!day.take(3, Some(5), 20_000), "all or none");
        assert!(day.take(2, Some(5), 20_000));
        assert!(!day.take(1, Some(5), 20_000) && !day.has_room(1, 5, 20_000));
        assert!(day.has_room(5, 5, 20_001) && day.take(5, Some(5), 20_001));
        assert!(!day.take(1, Some(5), 20_001));
    }

    #[test]
    fn a_quota_that_changes_holds_at_once_and_knows_what_came_without_one() {
        let day = Day::default();
        assert!(day.take(100, None, 20_000));
        assert!(!day.take(1, Some(100), 20_000));
        assert!(day.take(1, Some(101), 20_000));
        assert!(!day.take(1, Some(50), 20_000));
    }

    #[test]
    fn what_was_counted_before_a_restart_counts_on_its_own_day_only() {
        let day = Day::default();
        assert!(day.take(1, Some(10), 20_000));
        day.add_earlier(8, 20_000);
        assert!(day.take(1, Some(10), 20_000) && !day.take(1, Some(10), 20_000));
        assert!(day.take(1, Some(10), 20_001));
        day.add_earlier(100, 20_000);
        assert!(day.take(9, Some(10), 20_001), "that was yesterday");
        let fresh = Day::default();
        fresh.add_earlier(10, 20_000);
        assert!(!fresh.has_room(1, 10, 20_000) && fresh.has_room(10, 10, 20_001));
    }

    #[test]
    fn a_count_beyond_all_bounds_never_becomes_another_day() {
        let day = Day::default();
        day.add_earlier(u64::MAX, 20_000);
        assert!(day.take(usize::MAX, None, 20_000));
        assert!(!day.has_room(1, 1_000_000_000, 20_000));
        assert!(day.has_room(1, 1, 20_001));
    }
}
