//! A Redis Cluster of three masters.

use super::Redis;
use crate::until;

/// The servers; stopped and removed when dropped.
pub struct Cluster {
    /// Three masters at first, then their replicas.
    pub nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts three masters, each with so many replicas, and waits until the Cluster serves every slot.
    pub fn start(replicas: usize) -> Self {
        let nodes: Vec<Redis> = (0..3 * (1 + replicas)).map(|_| Redis::cluster_node()).collect();
        let places: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(places.iter().map(String::as_str));
        let replicas = replicas.to_string();
        words.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
        nodes[0].says(&words);
        let cluster = Self { nodes };
        for node in &cluster.nodes {
            until("the Cluster is up", || {
                let is_up = node.says(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
                let known = node.says(&["CLUSTER", "NODES"]).lines().count();
                let role = node.says(&["INFO", "replication"]);
                let follows = role.contains("role:master") || role.contains("master_link_status:up");
                (is_up && known == cluster.nodes.len() && follows).then_some(())
            });
        }
        cluster
    }

    /// The address of the Cluster, by its first node alone: the others are to be learned.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.nodes[0].port)
    }

    /// The place in `nodes` of the master that has the slot of a key, as `witness`, another place, says.
    pub fn master_of(&self, key: &str, witness: usize) -> usize {
        let slot: u16 = self.nodes[witness].says(&["CLUSTER", "KEYSLOT", key]).parse().unwrap();
        let list = self.nodes[witness].says(&["CLUSTER", "NODES"]);
        let has = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let bound = |text: &str| text.parse::<u16>().ok();
            bound(first).zip(bound(last)).is_some_and(|(first, last)| (first..=last).contains(&slot))
        };
        let owner = list.lines().find(|line| line.split(' ').skip(8).any(has)).unwrap();
        let place = owner.split(' ').nth(1).unwrap().split('@').next().unwrap();
        let at = self.nodes.iter().position(|node| place == format!("127.0.0.1:{}", node.port));
        at.unwrap_or_else(|| panic!("{place} is none of ours"))
    }

    /// Moves the slot of a key, with its keys, to the master at another place.
    pub fn move_slot(&self, key: &str, to: usize) {
        let from = self.master_of(key, to);
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        let slot = from.says(&["CLUSTER", "KEYSLOT", key]);
        let id = |node: &Redis| node.says(&["CLUSTER", "MYID"]);
        to.says(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        from.says(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
        loop {
            let keys = from.says(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if keys.is_empty() {
                break;
            }
            let port = to.port.to_string();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys.lines());
            from.says(&words);
        }
        for node in [to, from] {
            node.says(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
        }
    }
}
