//! What usage the database must hold at the end: all that was accepted, but for what nodes had not stored when they were
//! killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a node stores its usage, with time for a slow machine.
const STORING: Duration = Duration::from_secs(75);

/// Events accepted by each node in each second, and what may be lost of them.
pub(crate) struct Usage {
    start: Instant,
    accepted: BTreeMap<(usize, u64), u64>,
    /// Outages of the database: their beginnings and ends.
    outages: Vec<(Instant, Instant)>,
    /// Most that may be missing.
    pub(crate) excused: u64,
    /// What the database said at the end.
    pub(crate) stored: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { start: Instant::now(), accepted: BTreeMap::new(), outages: Vec::new(), excused: 0, stored: 0 }
    }
}

impl Usage {
    fn second(&self, then: Instant) -> u64 {
        then.saturating_duration_since(self.start).as_secs()
    }

    pub(crate) fn accepted(&mut self, node: usize) {
        *self.accepted.entry((node, self.second(Instant::now()))).or_default() += 1;
    }

    /// The database was away until now.
    pub(crate) fn database_was_away(&mut self, since: Instant) {
        self.outages.push((since, Instant::now()));
    }

    /// The node was killed: what it had accepted since it stored last is lost. Nothing is stored while the database is away.
    pub(crate) fn killed(&mut self, node: usize) {
        let now = Instant::now();
        let mut since = now - STORING;
        for (begin, end) in self.outages.iter().rev() {
            if *end + STORING > since {
                since = since.min(*begin - STORING);
            }
        }
        let (first, last) = (self.second(since), self.second(now));
        let lost: u64 = self.accepted.range((node, first)..=(node, last)).map(|(_, count)| count).sum();
        self.excused += lost;
    }

    /// Compares what is stored with what was accepted; `unanswered` may have been accepted.
    ///
    /// # Errors
    /// In words: the numbers.
    pub(crate) fn is(&self, stored: u64, unanswered: u64) -> Result<(), String> {
        let accepted: u64 = self.accepted.values().sum();
        let excused = self.excused;
        let range = accepted.saturating_sub(excused)..=accepted + unanswered;
        let why = || {
            format!(
                "usage of {stored} messages is stored; {accepted} were accepted, {unanswered} had no answer, and {excused} may be lost"
            )
        };
        range.contains(&stored).then_some(()).ok_or_else(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_killed_node_had_not_stored_may_be_missing() {
        let mut usage = Usage::default();
        for node in [0, 0, 0, 1] {
            usage.accepted(node);
        }
        usage.is(4, 0).unwrap();
        usage.is(3, 0).unwrap_err();
        usage.is(5, 0).unwrap_err();
        usage.is(5, 1).unwrap();
        usage.killed(1);
        usage.is(3, 0).unwrap();
        usage.is(2, 0).unwrap_err();
    }
}
