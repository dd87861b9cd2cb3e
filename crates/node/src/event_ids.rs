//! The ids that this node gives to accepted publishes: each greater than the one before, and none twice in a cluster.

use std::hash::{BuildHasher, RandomState};

use fanfare_protocol::event_id::EventId;
use parking_lot::Mutex;

use crate::clock::unix_milliseconds;

/// Gives out ids.
#[derive(Debug)]
pub struct EventIds {
    /// Keyed by the system's random bits once, so that an id costs no system call for them.
    random: RandomState,
    /// The last id given. Guards nothing else.
    last: Mutex<EventId>,
}

impl Default for EventIds {
    fn default() -> Self {
        Self { random: RandomState::new(), last: Mutex::new(EventId::new(0, 0)) }
    }
}

impl EventIds {
    /// The id of a publish that has just been accepted.
    pub fn next(&self) -> EventId {
        self.next_at(unix_milliseconds())
    }

    /// A clock that stands still, or was set back, makes the next id the last one's successor.
    fn next_at(&self, milliseconds: u64) -> EventId {
        let mut last = self.last.lock();
        *last = if milliseconds > last.milliseconds() {
            let half = |side: u8| u128::from(self.random.hash_one((milliseconds, side)));
            EventId::new(milliseconds, half(0) << 64 | half(1))
        } else {
            last.successor()
        };
        *last
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn con_043_ids_grow_whatever_the_clock_does() {
        let ids = EventIds::default();
        let given: Vec<EventId> = [5, 5, 5, 6, 4, 1, 7, 7].map(|at| ids.next_at(at)).into();
        assert!(given.is_sorted_by(|one, next| one < next), "{given:?}");
        assert_eq!(given[4].milliseconds(), 6, "a clock that is set back is not followed");
    }

    #[test]
    fn con_043_two_nodes_give_different_ids_at_one_moment() {
        let nodes: Vec<EventIds> = (0..100).map(|_| EventIds::default()).collect();
        let given: BTreeSet<EventId> = nodes.iter().map(|ids| ids.next_at(9)).collect();
        assert_eq!(given.len(), nodes.len());
    }
}
