//! How often somebody has done something within a minute.
//!
//! Holds a bounded number of those who did; when full, the oldest minute is evicted. The count of one never counts for another.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long counts are kept, from the first on.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Live lists with payloads that a token may open within a [`WINDOW`].
pub(super) const MOST_LISTS: u32 = 60;

/// Most of those who did something that are remembered.
const MOST_KEPT: usize = 1024;

/// The counts, each of somebody's last [`WINDOW`].
pub(super) struct Often<K> {
    most: u32,
    table: Mutex<HashMap<K, Times>>,
}

/// The count of somebody.
struct Times {
    since: Instant,
    count: u32,
}

impl<K: Copy + Eq + Hash> Often<K> {
    /// Counts of something that may happen so often.
    pub fn at_most(most: u32) -> Self {
        Self { most, table: Mutex::default() }
    }

    /// How long somebody has to wait who has done it as often as is allowed.
    pub fn wait_of(&self, who: K, now: Instant) -> Option<Duration> {
        let table = self.table.lock();
        let times = table.get(&who).filter(|times| times.count >= self.most)?;
        (times.since + WINDOW).checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// The count so far.
    pub fn so_far(&self, who: K, now: Instant) -> u32 {
        self.table.lock().get(&who).filter(|times| !is_over(times, now)).map_or(0, |times| times.count)
    }

    /// Counts once more, and tells the count.
    pub fn count(&self, who: K, now: Instant) -> u32 {
        let mut table = self.table.lock();
        if !table.contains_key(&who) && table.len() >= MOST_KEPT {
            make_room(&mut table, now);
        }
        let times = table.entry(who).or_insert(Times { since: now, count: 0 });
        if is_over(times, now) {
            *times = Times { since: now, count: 0 };
        }
        times.count += 1;
        times.count
    }
}

fn is_over(times: &Times, now: Instant) -> bool {
    now.duration_since(times.since) >= WINDOW
}

fn make_room<K: Copy + Eq + Hash>(table: &mut HashMap<K, Times>, now: Instant) {
    table.retain(|_, times| !is_over(times, now));
    if table.len() < MOST_KEPT {
        return;
    }
    let oldest = table.iter().min_by_key(|(_, times)| times.since).map(|(who, _)| *who);
    if let Some(oldest) = oldest {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_those_that_are_over_and_then_the_oldest() {
        let (often, start) = (Often::at_most(2), Instant::now());
        let at = |number: usize| start + Duration::from_millis(number as u64);
        often.count(0, at(0));
        often.count(0, at(0));
        assert!(often.wait_of(0, at(1)).is_some());
        for number in 1..=MOST_KEPT {
            often.count(number, at(number));
            assert!(often.table.lock().len() <= MOST_KEPT);
        }
        assert_eq!(often.table.lock().len(), MOST_KEPT);
        assert_eq!(often.wait_of(0, at(2000)), None, "the oldest is forgotten");
        assert!(often.table.lock().contains_key(&1));
        often.count(9999, start + 2 * WINDOW);
        assert_eq!(often.table.lock().len(), 1);
    }
}
