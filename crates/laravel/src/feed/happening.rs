//! What is asked of a subscriber, and what a subscriber tells of.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::address::Host;
use super::error::FeedError;

/// The prefixes whose channels are wanted.
pub type Wanted = BTreeSet<Arc<str>>;

/// What a subscriber tells of.
#[derive(Debug)]
pub enum Happening<'a> {
    /// It is subscribed. Where it was before, or could not be at first, the time for which it was not:
    /// what was published meanwhile is lost.
    Subscribed {
        /// The server.
        host: &'a Host,
        /// `None` if nothing can have been missed.
        gap: Option<Duration>,
    },
    /// It is not subscribed, and tries again; told for each attempt.
    Away(&'a FeedError),
    /// A message.
    Message {
        /// Its channel, which begins with a prefix that was wanted at some time.
        channel: &'a str,
        /// All of it.
        payload: Vec<u8>,
    },
    /// A message that was longer than allowed, and was passed over.
    TooLong {
        /// Its channel.
        channel: &'a str,
        /// Its length.
        bytes: u64,
    },
    /// The channels of a prefix that was refused are sent from now on.
    Granted {
        /// The prefix.
        prefix: &'a str,
    },
    /// The channels of one prefix are not sent, because Redis refuses it; this is tried again.
    Refused {
        /// The prefix.
        prefix: &'a str,
        /// What Redis says.
        error: &'a FeedError,
    },
}
