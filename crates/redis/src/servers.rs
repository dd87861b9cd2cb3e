//! Which server to subscribe to: a single Redis, the master that Sentinels name, or any node of a Cluster.
//!
//! One node of a Cluster is enough: PUBLISH reaches the subscribers of every node.

use std::collections::HashMap;
use std::panic::resume_unwind;

use tokio::task::JoinSet;

use crate::address::{Host, RedisAddress, Topology};
use crate::connection::{Connection, Connector};
use crate::error::RedisError;
use crate::resp::Value;

/// Most nodes of a Cluster that are remembered beside the nodes of the address.
const MOST_LEARNED: usize = 64;

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
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(host)) => *votes.entry(host).or_default() += 1,
            Ok(Err(error)) => failed = Some(error),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // No task is aborted.
            Err(_) => {}
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

/// The nodes of a Cluster, from a node's list: `ID IP:PORT@BUS,NAME FLAGS ...` in each line.
fn nodes_of(list: &str) -> Vec<Host> {
    let node = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, flags) = (words.next()?, words.next()?);
        if flags.split(',').any(|flag| matches!(flag, "fail" | "handshake" | "noaddr")) {
            return None;
        }
        let (name, port) = place.split(['@', ',']).next()?.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!name.is_empty()).then(|| Host { name: Box::from(name), port })
    };
    list.lines().filter_map(node).take(MOST_LEARNED).collect()
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
}
