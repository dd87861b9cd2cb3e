//! One Redis with broadcasts: finds the app of a message, and logs the connection's state.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_redis::{Happening, Prefixes, RedisAddress, RedisError};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::numbers::Numbers;
use super::publishing::FeedRoute;

/// Least time between two log lines about the same trouble.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Most kinds of trouble remembered; beyond the bound a kind may be logged again sooner.
const MOST_LINES: usize = 1000;

/// The apps of one Redis by their prefixes; of several apps with one prefix the first gets all messages.
pub(super) type FeedRoutes = Prefixes<Vec<Arc<FeedRoute>>>;

/// Receives the events of one Redis connection.
pub(super) struct FeedEvents {
    address: RedisAddress,
    /// Locked for a look-up at most.
    routes: Arc<RwLock<FeedRoutes>>,
    numbers: Arc<Numbers>,
    /// The last log lines about trouble with the connection, or with a prefix, and when they were written.
    lines: HashMap<Option<Box<str>>, (RedisError, Instant)>,
}

impl FeedEvents {
    pub fn new(address: RedisAddress, routes: Arc<RwLock<FeedRoutes>>, numbers: Arc<Numbers>) -> Self {
        Self { address, routes, numbers, lines: HashMap::new() }
    }

    /// Receives an event; never waits.
    pub fn hear(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Message { channel, payload } => {
                if let Some((route, channel)) = self.route(channel) {
                    route.receive(channel, payload);
                }
            }
            Happening::TooLong { channel, .. } => {
                if let Some((route, channel)) = self.route(channel) {
                    route.receive_too_long(channel);
                }
            }
            Happening::Subscribed { host, gap } => {
                self.numbers.subscribed(&self.address, gap);
                self.lines.remove(&None);
                let (redis, server) = (&self.address, host);
                match gap {
                    None => tracing::info!(target: "fanfare::redis_feed", %redis, %server, "listening"),
                    Some(gap) => {
                        let seconds = gap.as_secs_f64();
                        tracing::warn!(
                            target: "fanfare::redis_feed",
                            %redis, %server, seconds,
                            "listening again; what was published meanwhile is lost"
                        );
                    }
                }
            }
            Happening::Away(error) => {
                self.numbers.away(&self.address);
                if self.is_news(None, error) {
                    tracing::warn!(target: "fanfare::redis_feed", redis = %self.address, %error, "not listening");
                }
            }
            Happening::Granted { prefix } => {
                if self.numbers.granted(&self.address, prefix) {
                    self.lines.remove(&Some(Box::from(prefix)));
                    tracing::info!(
                        target: "fanfare::redis_feed",
                        redis = %self.address, prefix,
                        "the channels of a prefix are listened to again"
                    );
                }
            }
            Happening::Refused { prefix, error } => {
                self.numbers.refused(&self.address, prefix, error);
                if self.is_news(Some(prefix), error) {
                    tracing::warn!(
                        target: "fanfare::redis_feed",
                        redis = %self.address, prefix, %error,
                        "the channels of a prefix cannot be listened to"
                    );
                }
            }
        }
    }

    fn route<'a>(&self, channel: &'a str) -> Option<(Arc<FeedRoute>, &'a str)> {
        let routes = self.routes.read();
        let (routes, rest) = routes.longest_of(channel)?;
        Some((Arc::clone(routes.first()?), rest))
    }

    /// Whether the trouble differs from the last of its kind, or was last logged a while ago.
    fn is_news(&mut self, prefix: Option<&str>, error: &RedisError) -> bool {
        let (kind, now) = (prefix.map(Box::from), Instant::now());
        let is_old =
            |(last, at): &(RedisError, Instant)| last == error && now.duration_since(*at) < BETWEEN_LINES;
        if self.lines.get(&kind).is_some_and(is_old) {
            return false;
        }
        if self.lines.len() >= MOST_LINES {
            self.lines.clear();
        }
        self.lines.insert(kind, (error.clone(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_told_once_a_minute_for_the_connection_and_for_each_prefix() {
        let address = RedisAddress::parse("redis://h").unwrap();
        let mut events = FeedEvents::new(address, Arc::default(), Arc::default());
        assert!(events.is_news(None, &RedisError::Closed) && !events.is_news(None, &RedisError::Closed));
        assert!(events.is_news(None, &RedisError::Silent) && events.is_news(None, &RedisError::Closed));
        assert!(
            events.is_news(Some("a_"), &RedisError::Closed)
                && events.is_news(Some("b_"), &RedisError::Closed)
        );
        assert!(!events.is_news(Some("a_"), &RedisError::Closed));
        for number in 0..2 * MOST_LINES {
            assert!(events.is_news(Some(&number.to_string()), &RedisError::Closed));
        }
        assert!(events.lines.len() <= MOST_LINES);
    }
}
