//! What a subscriber wants, and the subscriber's events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Host;
use crate::error::RedisError;

/// The prefixes whose channels are wanted.
pub type WantedPrefixes = BTreeSet<Arc<str>>;

/// The channels that are wanted, by their whole names.
pub type WantedTopics = BTreeSet<Arc<str>>;

/// Hears a subscriber of topics. No method may take long: nothing is read meanwhile.
pub trait TopicListener: Send {
    /// An event.
    fn hear(&mut self, happening: Happening<'_>);

    /// The topic is subscribed to from now on; told once a connection, and again after `ended`.
    fn confirmed(&mut self, topic: &str);

    /// The topic is wanted no more, and its subscription has ended.
    fn ended(&mut self, topic: &str);

    /// Returns when another message may be read; until then Redis keeps what comes, up to its own bound.
    fn room(&mut self) -> impl Future<Output = ()> + Send;
}

/// A function that hears events, and has room for all of them.
pub(crate) struct Everything<F>(pub F);

impl<F: FnMut(Happening<'_>) + Send> TopicListener for Everything<F> {
    fn hear(&mut self, happening: Happening<'_>) {
        self.0(happening);
    }

    fn confirmed(&mut self, _: &str) {}

    fn ended(&mut self, _: &str) {}

    fn room(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

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
        /// The prefix or topic.
        prefix: &'a str,
    },
    /// The subscription to one prefix or topic is refused by Redis; retries follow.
    Refused {
        /// The prefix or topic.
        prefix: &'a str,
        /// The error of Redis.
        error: &'a RedisError,
    },
}
