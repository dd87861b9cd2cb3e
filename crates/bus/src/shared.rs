//! What all links of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::Instant;

use crate::counters::Counters;
use crate::link::{Board, LinkReport, NodeReport};
use crate::local::Local;
use crate::partition::Layout;
use crate::settings::NodeAbout;
use crate::workers::Workers;

/// How long a node counts as the first after Redis has said so, in milliseconds: a lease.
const RANK_LASTS: u64 = 5000;

/// What all links of a node share.
pub(crate) struct Shared {
    pub layout: Arc<Layout>,
    pub node: NodeAbout,
    /// The node's id as Redis knows it.
    pub key: Arc<str>,
    pub local: Arc<dyn Local>,
    pub counters: Arc<Counters>,
    pub workers: Workers,
    /// Connections of clients on this node.
    pub connections: AtomicUsize,
    pub rank: Rank,
    pub boards: Vec<Arc<Board>>,
    pub start: Instant,
}

/// Whether this node is the first of the living.
#[derive(Default)]
pub(crate) struct Rank {
    /// Until when; 0 for a node that is not the first.
    until: AtomicU64,
}

impl Rank {
    pub fn set(&self, now: u64, is_first: bool) {
        self.until.store(if is_first { now + RANK_LASTS } else { 0 }, Ordering::Relaxed);
    }

    pub fn is_first(&self, now: u64) -> bool {
        now < self.until.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What this node says of itself.
    pub fn report(&self) -> String {
        let link = |board: &Arc<Board>| {
            let state = board.state();
            let round_trip = state.round_trip.map(|time| time.as_micros() as u64);
            LinkReport { redis: state.redis, up: state.is_up, round_trip }
        };
        let report = NodeReport {
            name: self.node.name.clone(),
            version: self.node.version.clone(),
            started: self.node.started,
            connections: self.connections.load(Ordering::Relaxed),
            links: self.boards.iter().map(link).collect(),
        };
        // Texts and numbers alone are JSON always.
        serde_json::to_string(&report).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl_068_a_node_is_the_first_for_a_lease() {
        let rank = Rank::default();
        assert!(!rank.is_first(0));
        rank.set(100, true);
        assert!(rank.is_first(5099) && !rank.is_first(5100));
        rank.set(200, false);
        assert!(!rank.is_first(201));
    }
}
