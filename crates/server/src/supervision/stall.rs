//! When a runtime counts as stalled: its beats stand still for longer than a limit, while the thread that looks was there.
//!
//! Knows no clock and no runtime: the caller passes time and beats in. A process that was stopped (SIGSTOP, a frozen
//! control group, a debugger) or a machine that slept shows as a gap between two looks, and such time counts for nothing.

use std::time::{Duration, Instant};

/// A gap between two looks that is longer than this many times the usual one, and [`LATE`], is an absence.
const GAPS: u32 = 2;

/// How late a look may be on a busy machine.
const LATE: Duration = Duration::from_millis(500);

/// What a look has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The runtime works, or it has not stood still for long.
    Works,
    /// The runtime stands still for half of the limit; seen once.
    Suspect(Duration),
    /// The runtime works again after it was suspect; how long it stood still.
    Again(Duration),
    /// The runtime stands still for longer than the limit.
    Stalled(Duration),
}

/// What was seen so far.
#[derive(Debug)]
pub(super) struct StallClock {
    limit: Duration,
    /// Longest time between two looks of a thread that was there.
    gap: Duration,
    looked: Instant,
    beats: u64,
    /// Since when the beats stand still.
    since: Instant,
    is_suspect: bool,
}

impl StallClock {
    /// Begins at `now`; `look` is the time between two looks.
    pub fn new(limit: Duration, look: Duration, now: Instant) -> Self {
        Self { limit, gap: look * GAPS + LATE, looked: now, beats: 0, since: now, is_suspect: false }
    }

    /// The limit.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// A look: how many beats there were by `now`.
    pub fn look(&mut self, now: Instant, beats: u64) -> Seen {
        let was_away = now.saturating_duration_since(self.looked) > self.gap;
        self.looked = now;
        let still = now.saturating_duration_since(self.since);
        if beats != self.beats {
            (self.beats, self.since) = (beats, now);
            return if std::mem::take(&mut self.is_suspect) { Seen::Again(still) } else { Seen::Works };
        }
        if was_away {
            self.since = now;
            self.is_suspect = false;
            Seen::Works
        } else if still > self.limit {
            Seen::Stalled(still)
        } else if still > self.limit / 2 && !self.is_suspect {
            self.is_suspect = true;
            Seen::Suspect(still)
        } else {
            Seen::Works
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const LOOK: Duration = Duration::from_secs(1);

    /// What each look has shown, at these seconds with these beats.
    fn seen(looks: &[(u64, u64)]) -> Vec<Seen> {
        let start = Instant::now();
        let mut clock = StallClock::new(LIMIT, LOOK, start);
        looks.iter().map(|&(second, beats)| clock.look(start + LOOK * second as u32, beats)).collect()
    }

    #[test]
    fn a_runtime_that_stands_still_is_suspect_once_and_then_stalled() {
        let looks: Vec<(u64, u64)> = (1..=12).map(|second| (second, 1)).collect();
        let seen = seen(&looks);
        assert_eq!(seen[..6], [Seen::Works; 6]);
        assert_eq!(seen[6], Seen::Suspect(Duration::from_secs(6)));
        assert_eq!(seen[7..11], [Seen::Works; 4]);
        assert_eq!(seen[11], Seen::Stalled(Duration::from_secs(11)));
    }

    #[test]
    fn a_runtime_that_works_again_in_time_is_told_of_and_begins_anew() {
        let mut looks: Vec<(u64, u64)> = (1..=9).map(|second| (second, 1)).collect();
        looks.extend((10..=20).map(|second| (second, 2)));
        let seen = seen(&looks);
        assert_eq!(seen[9], Seen::Again(Duration::from_secs(9)));
        assert!(!seen.iter().any(|one| matches!(one, Seen::Stalled(_))), "{seen:?}");
        assert_eq!(seen[15], Seen::Suspect(Duration::from_secs(6)));
    }

    #[test]
    fn a_runtime_that_beats_is_never_suspect() {
        let looks: Vec<(u64, u64)> = (1..=100).map(|second| (second, second)).collect();
        assert_eq!(seen(&looks), [Seen::Works; 100]);
    }

    #[test]
    fn time_in_which_the_thread_itself_was_away_counts_for_nothing() {
        // Stopped for an hour, and again, and the first look finds no new beat.
        let looks = [(1, 1), (3601, 1), (3602, 1), (9000, 1), (9001, 2)];
        assert_eq!(seen(&looks), [Seen::Works; 5]);
        // Stopped when half of the limit was over.
        let mut looks: Vec<(u64, u64)> = (1..=9).map(|second| (second, 1)).collect();
        looks.extend((100..=106).map(|second| (second, 1)));
        let seen = seen(&looks);
        assert!(!seen.iter().any(|one| matches!(one, Seen::Stalled(_))), "{seen:?}");
    }

    #[test]
    fn a_look_that_is_a_little_late_hides_no_stall() {
        let looks: Vec<(u64, u64)> = (1..=8).map(|number| (number * 2, 1)).collect();
        assert!(matches!(seen(&looks)[6], Seen::Stalled(_)));
    }
}
