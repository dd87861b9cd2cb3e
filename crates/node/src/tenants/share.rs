//! This node's part of quotas that hold for all nodes together (CL-063, CL-064).
//!
//! Knows no bus: `relay` passes in what the nodes have agreed on. A node that stands alone has the whole of each quota.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::day::Day;

/// The whole of a quota.
const WHOLE: u32 = 1_000_000;

/// What other nodes have used, and what this node may use of each second.
#[derive(Debug)]
pub struct Share {
    /// Millionths of the quota for a second.
    millionths: AtomicU32,
    /// Messages that were offered, refused ones too, and not yet told to other nodes.
    demand: AtomicU64,
    /// Since when, in milliseconds of the node's clock; 0 if that is not known.
    demand_since: AtomicU64,
    /// What was last told to other nodes was not nothing.
    said_something: AtomicBool,
    /// The app has a quota that other nodes share.
    is_wanted: AtomicBool,
    /// Messages of the day on other nodes.
    elsewhere: Day,
}

/// What an app wants of the quota for a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Messages that other nodes do not know of.
    messages: u64,
    /// Of these, messages a second.
    pub per_second: u64,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            millionths: AtomicU32::new(WHOLE),
            demand: AtomicU64::new(0),
            demand_since: AtomicU64::new(0),
            said_something: AtomicBool::new(false),
            is_wanted: AtomicBool::new(false),
            elsewhere: Day::default(),
        }
    }
}

impl Share {
    /// Notes messages that want a part of the quota for a second.
    pub(crate) fn want(&self, messages: usize) {
        self.demand.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Notes whether the app has any quota.
    pub(super) fn set_wanted(&self, is_wanted: bool) {
        if self.is_wanted() != is_wanted {
            self.is_wanted.store(is_wanted, Ordering::Relaxed);
        }
    }

    /// Whether the app had a quota when it last published.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Whether other nodes know that nothing is wanted here.
    pub fn is_quiet(&self) -> bool {
        self.demand.load(Ordering::Relaxed) == 0 && !self.said_something.load(Ordering::Relaxed)
    }

    /// What was wanted since it was last said; stays until [`Share::said`]. `now` in milliseconds.
    pub fn demand(&self, now: u64) -> Demand {
        let messages = self.demand.load(Ordering::Relaxed);
        if messages == 0 {
            self.demand_since.store(now, Ordering::Relaxed);
        }
        let since = match self.demand_since.load(Ordering::Relaxed) {
            0 => now,
            since => since,
        };
        let milliseconds = now.saturating_sub(since).max(1000);
        Demand { messages, per_second: messages.saturating_mul(1000).div_ceil(milliseconds) }
    }

    /// Other nodes know of this demand, as of `now`.
    pub fn said(&self, demand: Demand, now: u64) {
        self.demand.fetch_sub(demand.messages, Ordering::Relaxed);
        self.demand_since.store(now, Ordering::Relaxed);
        self.said_something.store(demand.messages > 0, Ordering::Relaxed);
    }

    /// This node's part of a quota for a second, at least 1.
    pub(super) fn of_second(&self, quota: usize) -> usize {
        let millionths = self.millionths.load(Ordering::Relaxed);
        if millionths == WHOLE {
            return quota;
        }
        let part = quota as u128 * u128::from(millionths) / u128::from(WHOLE);
        usize::try_from(part).unwrap_or(usize::MAX).max(1)
    }

    /// What is left of a quota for a day by other nodes.
    pub(super) fn of_day(&self, quota: usize, day: u64) -> usize {
        quota.saturating_sub(usize::try_from(self.elsewhere.count(day)).unwrap_or(usize::MAX))
    }

    /// Sets the part of each second: in proportion to what was wanted here and by all `nodes`, at least a quarter of an equal
    /// part; an equal part if nobody wanted anything (CL-064).
    pub fn divide(&self, own: u64, all: u64, nodes: usize) {
        let nodes = u64::try_from(nodes).unwrap_or(u64::MAX).max(1);
        let equal = u64::from(WHOLE) / nodes;
        let part = match all.max(own) {
            0 => equal,
            all => {
                let wanted = u128::from(own) * u128::from(WHOLE) / u128::from(all);
                u64::try_from(wanted).unwrap_or(u64::MAX).max(equal / 4)
            }
        };
        self.millionths.store(u32::try_from(part).unwrap_or(WHOLE).min(WHOLE), Ordering::Relaxed);
    }

    /// Sets the messages of a day on other nodes.
    pub fn set_elsewhere(&self, messages: u64, day: u64) {
        self.elsewhere.set(messages, day);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_alone_has_the_whole_and_others_leave_the_rest() {
        let share = Share::default();
        assert_eq!((share.of_second(100), share.of_day(100, 7)), (100, 100));
        share.set_elsewhere(30, 7);
        assert_eq!((share.of_day(100, 7), share.of_day(20, 7), share.of_day(100, 8)), (70, 0, 100));
    }

    #[test]
    fn cl_064_the_part_of_a_second_follows_the_demand_and_is_never_below_a_quarter_of_an_equal_part() {
        let share = Share::default();
        for (own, all, nodes, part) in [
            (0, 0, 4, 250),
            (10, 10, 4, 1000),
            (30, 40, 4, 750),
            (0, 40, 4, 62),
            (5, 0, 1, 1000),
            (1, 1_000_000_000, 1000, 1),
        ] {
            share.divide(own, all, nodes);
            assert_eq!(share.of_second(1000), part, "{own} of {all} on {nodes}");
        }
    }

    #[test]
    fn the_demand_is_said_once_and_stays_until_other_nodes_have_heard_it() {
        let share = Share::default();
        share.want(3);
        share.want(4);
        let first = share.demand(5000);
        assert_eq!(first.per_second, 7);
        share.said(first, 5000);
        assert_eq!(share.demand(6000).per_second, 0);
        share.want(30);
        assert_eq!(share.demand(7000).per_second, 30);
        // Nobody has heard it.
        share.want(10);
        let late = share.demand(8000);
        assert_eq!(late.per_second, 20, "in two seconds");
        share.want(5);
        share.said(late, 8000);
        assert_eq!(share.demand(9000).per_second, 5);
    }

    #[test]
    fn the_silence_before_a_demand_is_no_part_of_it() {
        let share = Share::default();
        for now in [1000, 2000, 60_000] {
            assert!(share.is_quiet());
            let _ = share.demand(now);
        }
        share.want(10);
        assert_eq!((share.is_quiet(), share.demand(61_000).per_second), (false, 10));
    }
}
