//! One connection to one server, subscribed to topics by their whole names.
//!
//! Ends with the connection: the caller knows which server comes next, and when.

use std::time::Duration;

use tokio::sync::watch;

use crate::address::Host;
use crate::connection::Connector;
use crate::error::RedisError;
use crate::happening::{TopicListener, WantedTopics};
use crate::names::{NameKind, Names};
use crate::subscription::{Pace, Subscription};

/// The times of a subscription whose loss must be known soon.
const PACE: Pace = Pace {
    heartbeat: Duration::from_secs(1),
    silence: Duration::from_secs(2),
    before_asking_again: Duration::from_secs(1),
};

/// Which servers a topic's messages go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// Each server of the Redis.
    Everywhere,
    /// The server of a Cluster that has the slot of the topic's name.
    Sharded,
}

/// Subscribes to topics.
#[derive(Clone)]
pub struct TopicSubscriber {
    connector: Connector,
    kind: TopicKind,
}

impl TopicSubscriber {
    /// A subscriber that has not connected yet.
    #[must_use]
    pub fn new(connector: Connector, kind: TopicKind) -> Self {
        Self { connector, kind }
    }

    /// Subscribes at a host until the connection is lost, or the sender of `wanted` is dropped; returns why.
    ///
    /// Each topic's confirmation is reported, and `Subscribed` when every topic that was wanted at first has an answer.
    pub async fn follow(
        &self,
        host: &Host,
        wanted: &mut watch::Receiver<WantedTopics>,
        listener: &mut impl TopicListener,
    ) -> RedisError {
        let kind = match self.kind {
            TopicKind::Everywhere => NameKind::Topic,
            TopicKind::Sharded => NameKind::Sharded,
        };
        let subscription = Subscription { names: Names::of(kind), pace: PACE, host };
        match self.connector.open(host).await {
            Ok(connection) => subscription.follow(connection, wanted, || None, listener).await,
            Err(error) => error,
        }
    }
}
