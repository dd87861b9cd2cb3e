//! A look at a cluster from outside: the list of its nodes, without being one (CL-067).
//!
//! Changes nothing in Redis.

use fanfare_outgoing::Trust;
use fanfare_redis::{Connector, RedisAddress, RedisError};
use redis::Pipeline;

use crate::bus::{KnownNode, commands_for_nodes, known_nodes};
use crate::link::asked_once;
use crate::partition::{Layout, redis_of};

/// Longest text that is kept of an answer, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Why the nodes are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotObserved {
    /// The Redis cannot be asked.
    #[error("{redis}: {why}")]
    Away {
        /// The Redis, without user and password.
        redis: String,
        /// The cause, for people.
        why: String,
    },
    /// No Redis is named.
    #[error("no other nodes are shared with: bus.urls names no Redis")]
    Alone,
}

/// The nodes that hold a lease in the first partition, by id.
///
/// # Errors
/// The Redis of the first partition does not answer within five seconds.
pub async fn observe(
    urls: &[RedisAddress],
    trust: &Trust,
    layout: &Layout,
) -> Result<Vec<KnownNode>, NotObserved> {
    let address = urls.get(redis_of(0, urls.len())).ok_or(NotObserved::Alone)?;
    let away = |why: String| NotObserved::Away { redis: address.to_string(), why };
    let connector = Connector::new(address, trust, LONGEST).with_setting("bus.ca_file");
    let mut pipeline = Pipeline::new();
    for command in commands_for_nodes(layout) {
        pipeline.add_command(command);
    }
    let answers = asked_once(address, layout.slot(0), connector, &pipeline).await;
    let answers = answers.map_err(|error| away(error.to_string()))?;
    known_nodes(&answers).map_err(|_| away(RedisError::NotRedis.to_string()))
}
