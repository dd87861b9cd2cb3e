//! What all links of a node share.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fanfare_protocol::resume::tag_of;
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::board::Board;
use crate::counters::BusCounters;
use crate::local::Local;
use crate::lost::LostNodes;
use crate::partition::Layout;
use crate::reaching::Reaching;
use crate::scripts::Speaker;
use crate::settings::NodeAbout;
use crate::workers::Workers;

/// Bytes of webhooks that wait in a partition. About so much of Redis, and as much of the node that sends them.
const MOST_HOOK_BYTES: usize = 8 << 20;

/// What all links of a node share.
pub(crate) struct Shared {
    pub layout: Arc<Layout>,
    pub lease: Duration,
    pub settling: Duration,
    pub hook_delay: Duration,
    pub hook_batch: Duration,
    pub key_bytes: usize,
    pub node: NodeAbout,
    /// The node's id as Redis knows it.
    pub key: Arc<str>,
    pub local: Arc<dyn Local>,
    pub counters: Arc<BusCounters>,
    pub workers: Workers,
    pub reaching: Arc<Reaching>,
    /// Connections of clients on this node.
    pub connections: AtomicUsize,
    pub rank: Rank,
    /// Nodes that had a lease a moment ago; 0 if that is not known.
    pub living: AtomicUsize,
    /// The first bits of their ids, as tokens have them (RES-014).
    pub tags: RwLock<HashSet<u32>>,
    /// Nodes that have died.
    pub lost: LostNodes,
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
    /// Redis has just said so; that holds for a lease.
    pub fn set(&self, now: u64, is_first: bool, lease: Duration) {
        let until = now + u64::try_from(lease.as_millis()).unwrap_or(0);
        self.until.store(if is_first { until } else { 0 }, Ordering::Relaxed);
    }

    pub fn is_first(&self, now: u64) -> bool {
        now < self.until.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// What the commands of a link need, with the id of its master's data and an id for a new epoch.
    pub fn speaker<'a>(&'a self, is_sharded: bool, data: &'a str, fresh: &'a str) -> Speaker<'a> {
        Speaker {
            layout: &self.layout,
            node: &self.key,
            is_sharded,
            data,
            fresh,
            lease: self.lease,
            settling: self.settling,
            delay: self.hook_delay,
            window: self.hook_batch,
            hook_bytes: MOST_HOOK_BYTES,
            now: 0,
        }
    }

    /// These nodes live.
    pub fn set_living<'a>(&self, ids: impl Iterator<Item = &'a String>) {
        *self.tags.write() = ids.filter_map(|id| u64::from_str_radix(id, 16).ok().map(tag_of)).collect();
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl_068_a_node_is_the_first_for_a_lease() {
        let rank = Rank::default();
        assert!(!rank.is_first(0));
        let lease = Duration::from_secs(5);
        rank.set(100, true, lease);
        assert!(rank.is_first(5099) && !rank.is_first(5100));
        rank.set(200, false, lease);
        assert!(!rank.is_first(201));
    }
}
