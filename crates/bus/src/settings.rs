//! What a bus can be told.

use std::time::Duration;

use fanfare_outgoing::Trust;
use fanfare_redis::RedisAddress;

use crate::partition::Partition;

/// Everything that a bus needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Redis that all nodes share; several independent ones share the partitions.
    pub urls: Vec<RedisAddress>,
    /// The authorities that certificates of Redis must be signed by.
    pub trust: Trust,
    /// What all keys and topics begin with.
    pub prefix: String,
    /// The number of partitions, a power of two from 1 to 256; the same on all nodes, for the life of the data.
    pub partitions: Partition,
    /// How long other nodes wait for a node that is silent (CL-100).
    pub lease: Duration,
    /// How long an epoch is young (N8).
    pub settling: Duration,
    /// How long a going waits for a return before webhooks are told (HOOK-021, CL-031).
    pub hook_delay: Duration,
    /// The webhooks of so much time are one group (HOOK-024); at most a second, and the same on all nodes.
    pub hook_batch: Duration,
    /// Most bytes of the idempotency keys of one app in Redis (API-024).
    pub key_bytes: usize,
    /// This node.
    pub node: NodeAbout,
}

/// What a node says of itself to the others (CL-067).
#[derive(Clone, Debug)]
pub struct NodeAbout {
    /// Random at each start; the lowest of the living is the first (CL-068).
    pub id: u64,
    /// A name for people.
    pub name: String,
    /// The version of the server.
    pub version: String,
    /// When the server started, in seconds since 1970.
    pub started: u64,
    /// What the messages of a day are counted under (CL-063): the same after a restart, for a node that then still knows what
    /// was counted before. `None` for a node that begins with nothing: its id.
    pub counted_as: Option<String>,
}

impl NodeAbout {
    /// The id as Redis knows the node: the same order as of the numbers.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{:016x}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_is_that_of_the_ids() {
        let key = |id| {
            NodeAbout { id, name: String::new(), version: String::new(), started: 0, counted_as: None }.key()
        };
        assert!(key(9) < key(10) && key(255) < key(u64::MAX) && key(7).len() == 16);
    }
}
