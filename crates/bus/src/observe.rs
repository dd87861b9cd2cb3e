//! A look at a cluster from outside: the list of its nodes, without being one (CL-067).
//!
//! Changes nothing in Redis.

use fanfare_outgoing::Trust;
use fanfare_redis::{Connector, RedisAddress, RedisError};
use redis::{Pipeline, Value};

use crate::bus::{KnownNode, commands_for_nodes, known_nodes};
use crate::link::{asked_once, refusal_of};
use crate::partition::{Layout, Partition, redis_of};

/// Longest text that is kept of an answer, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Why the nodes are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotObserved {
    /// No Redis can be asked; each with its cause.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Away(Vec<RedisAway>),
    /// No Redis is named.
    #[error("no other nodes are shared with: bus.urls names no Redis")]
    Alone,
}

/// A Redis that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{redis}: {why}")]
pub struct RedisAway {
    /// The Redis, without user and password.
    pub redis: String,
    /// The cause, for people.
    pub why: String,
}

/// What is known of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The nodes that hold a lease, by id. Without the first Redis nothing is known but their ids.
    pub nodes: Vec<KnownNode>,
    /// The Redis servers that cannot be asked, and why.
    pub away: Vec<RedisAway>,
}

/// Asks each Redis of the cluster for the nodes; of a Redis Cluster the master of the first partition.
///
/// # Errors
/// No Redis is named, or none answers within two seconds.
pub async fn observe(urls: &[RedisAddress], trust: &Trust, layout: &Layout) -> Result<Observed, NotObserved> {
    let (mut found, mut away) = (Vec::new(), Vec::new());
    for (place, address) in urls.iter().enumerate() {
        // A Redis may get no partition, and is not used then.
        let of_redis = |partition: &Partition| redis_of(*partition, urls.len()) == place;
        let Some(partition) = (0..layout.partitions()).find(of_redis) else { continue };
        match ask(address, trust, layout, partition).await {
            // The one that knows most is the first.
            Ok(nodes) if partition == 0 => found.insert(0, nodes),
            Ok(nodes) => found.push(nodes),
            Err(why) => away.push(RedisAway { redis: address.to_string(), why }),
        }
    }
    if urls.is_empty() {
        return Err(NotObserved::Alone);
    }
    if found.is_empty() {
        return Err(NotObserved::Away(away));
    }
    // A node without a lease in the first partition may have one in another.
    let mut nodes: Vec<KnownNode> = Vec::new();
    for node in found.into_iter().flatten() {
        if !nodes.iter().any(|known| known.id == node.id) {
            nodes.push(node);
        }
    }
    nodes.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Observed { nodes, away })
}

async fn ask(
    address: &RedisAddress,
    trust: &Trust,
    layout: &Layout,
    partition: Partition,
) -> Result<Vec<KnownNode>, String> {
    let connector = Connector::new(address, trust, LONGEST).with_setting("bus.ca_file");
    let mut pipeline = Pipeline::new();
    for command in commands_for_nodes(layout, partition) {
        pipeline.add_command(command);
    }
    let answers = asked_once(address, layout.slot(partition), connector, &pipeline).await;
    let answers = answers.map_err(|error| error.to_string())?;
    let refused = answers.iter().find_map(|value| match value {
        Value::ServerError(error) => Some(refusal_of(error).to_string()),
        _ => None,
    });
    refused.map_or(Ok(()), Err)?;
    known_nodes(&answers).map_err(|_| RedisError::NotRedis.to_string())
}
