//! Which server to subscribe to: a single Redis, the master that Sentinels name, or any node of a Cluster.
//!
//! One node of a Cluster is enough: PUBLISH reaches the subscribers of every node.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::address::{Host, RedisAddress, Topology};
use crate::connection::{Connection, Connector};
use crate::error::RedisError;
use crate::resp::Value;

/// Most nodes of a Cluster that are remembered beside the nodes of the address.
const MOST_LEARNED: usize = 64;

/// Timeout of a node that is asked who has a slot; another is asked then.
const PATIENCE_WITH_A_NODE: Duration = Duration::from_secs(1);

/// How long other Sentinels are waited for after the first has answered.
const BETWEEN_SENTINELS: Duration = Duration::from_millis(500);

/// Chooses the server of the next connection.
pub(crate) struct Servers {
    topology: Topology,
    /// Nodes of the Cluster that other nodes have named.
    learned: Vec<Host>,
    /// Number of attempts.
    attempts: usize,
}

impl Servers {
    pub fn of(address: &RedisAddress) -> Self {
        Self { topology: address.topology().clone(), learned: Vec::new(), attempts: 0 }
    }

    /// Connects; each attempt at a Cluster uses another node.
    pub async fn open(&mut self, connector: &Connector) -> Result<(Connection, Host), RedisError> {
        let host = match &self.topology {
            Topology::Single(host) => host.clone(),
            Topology::Sentinels { hosts, master } => master_of(hosts, master, connector).await?,
            Topology::Cluster(named) => {
                let all: Vec<&Host> = named.iter().chain(&self.learned).collect();
                let at = self.attempts % all.len().max(1);
                self.attempts += 1;
                all.get(at).map(|host| (*host).clone()).ok_or(RedisError::NotRedis)?
            }
        };
        let mut connection = connector.open(&host).await?;
        if let Topology::Cluster(named) = &self.topology {
            // A node that refuses the command is good enough to subscribe to.
            if let Value::Text(nodes) = connection.ask(&["CLUSTER", "NODES"]).await? {
                self.learned = nodes_of(&String::from_utf8_lossy(&nodes));
                self.learned.retain(|node| !named.contains(node));
            }
        }
        Ok((connection, host))
    }

    /// Whether the Sentinels name another master now.
    pub async fn has_moved(&self, host: &Host, connector: &Connector) -> bool {
        match &self.topology {
            Topology::Sentinels { hosts, master } => {
                master_of(hosts, master, connector).await.is_ok_and(|master| master != *host)
            }
            Topology::Single(_) | Topology::Cluster(_) => false,
        }
    }
}

/// The master that most of the Sentinels at `hosts` name; a Sentinel that is cut off from the others may name an old one.
/// Sentinels that do not answer within half a second of the first answer are not waited for.
///
/// # Errors
/// No Sentinel named a master; the error of one of them.
pub async fn master_of(hosts: &[Host], master: &str, connector: &Connector) -> Result<Host, RedisError> {
    let mut asked = JoinSet::new();
    for host in hosts {
        let (host, connector, master) = (host.clone(), connector.clone(), master.to_owned());
        asked.spawn(async move { ask_sentinel(&host, &master, &connector).await });
    }
    let mut votes: HashMap<Host, usize> = HashMap::new();
    let mut failed = None;
    // Each question has its own bound.
    let mut deadline = None;
    loop {
        let next = asked.join_next();
        let answer = match deadline {
            None => next.await,
            Some(deadline) => timeout_at(deadline, next).await.unwrap_or(None),
        };
        match answer {
            Some(Ok(Ok(host))) => {
                let count = votes.entry(host.clone()).or_default();
                *count += 1;
                if *count > hosts.len() / 2 {
                    return Ok(host);
                }
                deadline.get_or_insert(Instant::now() + BETWEEN_SENTINELS);
            }
            Some(Ok(Err(error))) => failed = Some(error),
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // No task is aborted while it is waited for.
            Some(Err(_)) => {}
            None => break,
        }
    }
    let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
    most.map(|(host, _)| host).ok_or_else(|| failed.unwrap_or(RedisError::NotRedis))
}

async fn ask_sentinel(host: &Host, master: &str, connector: &Connector) -> Result<Host, RedisError> {
    let mut connection = connector.open_sentinel(host).await?;
    match connection.ask(&["SENTINEL", "get-master-addr-by-name", master]).await? {
        Value::List(parts) => match &parts[..] {
            [Value::Text(name), Value::Text(port)] => {
                let name = String::from_utf8_lossy(name);
                let port = String::from_utf8_lossy(port).parse().map_err(|_| RedisError::NotRedis)?;
                Ok(Host { name: Box::from(&*name), port })
            }
            _ => Err(RedisError::NotRedis),
        },
        Value::Nothing => Err(RedisError::NoMaster(master.to_owned())),
        Value::Error(text) => Err(RedisError::refused(&text)),
        _ => Err(RedisError::NotRedis),
    }
}

/// The master of a slot, as the first of these nodes that answers says; and all nodes that the Cluster has.
///
/// # Errors
/// No node answered, or no master has the slot; the error of the last.
pub async fn owner_of(
    slot: u16,
    nodes: &[Host],
    connector: &Connector,
) -> Result<(Host, Vec<Host>), RedisError> {
    let mut failed = RedisError::NoOwner(slot);
    for node in nodes {
        match timeout(PATIENCE_WITH_A_NODE, list_of(node, connector)).await {
            Ok(Ok(list)) => match owner_in(&list, slot, node) {
                Some(owner) => return Ok((owner, nodes_of(&list))),
                None => failed = RedisError::NoOwner(slot),
            },
            Ok(Err(error)) => failed = error,
            Err(_) => failed = RedisError::Silent,
        }
    }
    Err(failed)
}

async fn list_of(node: &Host, connector: &Connector) -> Result<String, RedisError> {
    match connector.open(node).await?.ask(&["CLUSTER", "NODES"]).await? {
        Value::Text(list) => Ok(String::from_utf8_lossy(&list).into_owned()),
        Value::Error(text) => Err(RedisError::refused(&text)),
        _ => Err(RedisError::NotRedis),
    }
}

/// The master that has a slot, from a node's list. A node that does not know its own address is where it was asked.
fn owner_in(list: &str, slot: u16, asked: &Host) -> Option<Host> {
    let line = list.lines().find(|line| line.split(' ').skip(8).any(|range| has_slot(range, slot)))?;
    let mut words = line.split(' ').skip(1);
    let (place, flags) = (words.next()?, words.next()?);
    let has = |flag| flags.split(',').any(|has| has == flag);
    if has("fail") || !has("master") {
        return None;
    }
    match host_at(place) {
        None if has("myself") => Some(asked.clone()),
        host => host,
    }
}

/// Whether `FIRST-LAST`, or a single slot, holds this one. Slots on their way (`[SLOT->-NODE]`) are listed apart.
fn has_slot(range: &str, slot: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
}

/// The nodes of a Cluster, from a node's list: `ID IP:PORT@BUS,NAME FLAGS ...` in each line.
fn nodes_of(list: &str) -> Vec<Host> {
    let node = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, flags) = (words.next()?, words.next()?);
        if flags.split(',').any(|flag| matches!(flag, "fail" | "handshake" | "noaddr")) {
            return None;
        }
        host_at(place)
    };
    list.lines().filter_map(node).take(MOST_LEARNED).collect()
}

/// The masters with slots, away or not, from what a node answers to `CLUSTER NODES`. A node that does not know its own
/// address is where it was asked.
#[must_use]
pub fn masters_in(list: &str, asked: &Host) -> Vec<Host> {
    let master = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (place, flags, slots) = (words.get(1)?, words.get(2)?, words.get(8)?);
        let has = |flag| flags.split(',').any(|has| has == flag);
        (has("master") && !slots.is_empty())
            .then(|| host_at(place).or_else(|| has("myself").then(|| asked.clone())))?
    };
    list.lines().filter_map(master).take(MOST_LEARNED).collect()
}

/// The host of `IP:PORT@BUS,NAME`.
fn host_at(place: &str) -> Option<Host> {
    let (name, port) = place.split(['@', ',']).next()?.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!name.is_empty()).then(|| Host { name: Box::from(name), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_of_a_cluster_are_those_that_have_an_address_and_live() {
        let list = "\
            07c37 127.0.0.1:30004@31004,host4 slave e7d1e 0 1426238317239 4 connected\n\
            67ed2 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922\n\
            292f8 ::1:30003@31003 master,fail? - 0 1426238318243 3 connected\n\
            6ec23 127.0.0.1:30005@31005 master,fail - 0 1426238316232 5 disconnected\n\
            824fe :0@0 master,noaddr - 0 0 0 disconnected\n\
            e7d1e :30001@31001 myself,master - 0 0 1 connected 0-5460\n\
            garbage\n";
        let hosts: Vec<String> = nodes_of(list).iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["127.0.0.1:30004", "127.0.0.1:30002", "[::1]:30003"]);
    }

    #[test]
    fn masters_are_those_with_slots_also_while_they_are_away() {
        let list = "\
            a :1@11 myself,master - 0 0 1 connected 0-99\n\
            b 127.0.0.1:2@12 master - 0 0 2 connected\n\
            c 127.0.0.1:3@13 master,fail - 0 0 2 disconnected 16001-16100\n\
            d 127.0.0.1:4@14 slave a 0 0 2 connected\n";
        let asked = Host { name: Box::from("asked"), port: 9 };
        let masters: Vec<String> = masters_in(list, &asked).iter().map(ToString::to_string).collect();
        assert_eq!(masters, ["asked:9", "127.0.0.1:3"]);
    }

    #[test]
    fn a_slot_belongs_to_the_master_whose_ranges_hold_it() {
        let list = "\
            a 127.0.0.1:1@11 myself,master - 0 0 1 connected 0-99 200 [300->-b]\n\
            b 127.0.0.1:2@12 master - 0 0 2 connected 100-199 201-16000\n\
            c 127.0.0.1:3@13 master,fail - 0 0 2 connected 16001-16100\n\
            d 127.0.0.1:4@14 slave b 0 0 2 connected\n\
            e :5@15 myself,master - 0 0 2 connected 16101-16102\n";
        let asked = Host { name: Box::from("asked"), port: 9 };
        let owner = |slot| owner_in(list, slot, &asked).map(|host| host.to_string());
        for (slot, expected) in
            [(0, "127.0.0.1:1"), (200, "127.0.0.1:1"), (300, "127.0.0.1:2"), (16102, "asked:9")]
        {
            assert_eq!(owner(slot).as_deref(), Some(expected), "{slot}");
        }
        assert_eq!([owner(16_001), owner(16_383)], [None, None]);
    }
}
