//! Rate limit of one connection: a number at once, and a number per second.
//!
//! Knows no clock; nothing ticks: elapsed time refills the allowance.

/// The rest of the allowance, as the moment when the allowance is full again.
#[derive(Debug)]
pub struct Allowance {
    /// In microseconds, because at a thousand per second the time between two is less than a millisecond.
    full_at: u64,
}

impl Allowance {
    /// A full allowance.
    pub const fn full() -> Self {
        Self { full_at: 0 }
    }

    /// Takes 1, if available; `now` in milliseconds, never going back.
    pub fn take(&mut self, now: u64, at_once: usize, per_second: usize) -> bool {
        let each = 1_000_000 / (per_second.max(1) as u64);
        let now = now * 1000;
        let full_at = self.full_at.max(now) + each;
        let is_there = full_at - now <= each * at_once as u64;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_163_ten_come_at_once_and_then_ten_in_each_second() {
        let mut allowance = Allowance::full();
        let mut taken = |now| (0..50).filter(|_| allowance.take(now, 10, 10)).count();
        assert_eq!(taken(5_000), 10);
        assert_eq!(taken(5_099), 0);
        assert_eq!(taken(5_100), 1);
        assert_eq!(taken(5_600), 5);
        assert_eq!(taken(60_000), 10);
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let mut allowance = Allowance::full();
        for now in 0..10_000 {
            allowance.take(now, 1, 1);
        }
        assert!(allowance.take(10_000, 1, 1));
    }

    #[test]
    fn thousands_in_a_second_are_counted() {
        let mut allowance = Allowance::full();
        let taken =
            (0..=1000).flat_map(|now| [now; 50]).filter(|&now| allowance.take(now, 5000, 5000)).count();
        assert_eq!(taken, 10_000);
    }
}
