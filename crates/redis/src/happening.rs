//! The wanted prefixes of a subscriber, and the subscriber's events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Host;
use crate::error::RedisError;

/// The prefixes whose channels are wanted.
pub type WantedPrefixes = BTreeSet<Arc<str>>;

/// An event of a subscriber.
#[derive(Debug)]
pub enum Happening<'a> {
    /// The subscription is up. After an outage, or a failure at the start, with the outage's length:
    /// messages published meanwhile are lost.
    Subscribed {
        /// The server.
        host: &'a Host,
        /// Length of the outage; `None` if no message can have been missed.
        gap: Option<Duration>,
    },
    /// The subscription is down, and a retry follows; reported for each attempt.
    Away(&'a RedisError),
    /// A message.
    Message {
        /// The message's channel, which begins with a prefix that was wanted at some time.
        channel: &'a str,
        /// The whole message.
        payload: Vec<u8>,
    },
    /// A message that was longer than allowed, and was skipped.
    TooLong {
        /// The message's channel.
        channel: &'a str,
        /// The message's length.
        bytes: u64,
    },
    /// The subscription to a refused prefix has been granted.
    Granted {
        /// The prefix.
        prefix: &'a str,
    },
    /// The subscription to one prefix is refused by Redis; retries follow.
    Refused {
        /// The prefix.
        prefix: &'a str,
        /// The error of Redis.
        error: &'a RedisError,
    },
}
