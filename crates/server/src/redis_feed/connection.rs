//! One Redis that apps have their broadcasts on: whose a message is, and what is logged of the connection.

use std::sync::Arc;
use std::time::Duration;

use fanfare_laravel::feed::{Address, FeedError, Happening, Prefixes};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::numbers::Numbers;
use super::publishing::Route;

/// Least time between two lines about the same trouble.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// The apps of one Redis by their prefixes; of several apps with one prefix the first gets everything.
pub(super) type Routes = Prefixes<Vec<Arc<Route>>>;

/// What listens to one Redis.
pub(super) struct Ear {
    address: Address,
    /// Held for a look-up at most.
    routes: Arc<RwLock<Routes>>,
    numbers: Arc<Numbers>,
    /// The last line about trouble, and when it was written.
    line: Option<(FeedError, Instant)>,
}

impl Ear {
    pub const fn new(address: Address, routes: Arc<RwLock<Routes>>, numbers: Arc<Numbers>) -> Self {
        Self { address, routes, numbers, line: None }
    }

    /// Takes in what happens; never waits.
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
                self.line = None;
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
                if self.is_news(error) {
                    tracing::warn!(target: "fanfare::redis_feed", redis = %self.address, %error, "not listening");
                }
            }
            Happening::Refused { prefix, error } => {
                if self.is_news(error) {
                    tracing::warn!(
                        target: "fanfare::redis_feed",
                        redis = %self.address, prefix, %error,
                        "the channels of a prefix cannot be listened to"
                    );
                }
            }
        }
    }

    fn route<'a>(&self, channel: &'a str) -> Option<(Arc<Route>, &'a str)> {
        let routes = self.routes.read();
        let (routes, rest) = routes.longest_of(channel)?;
        Some((Arc::clone(routes.first()?), rest))
    }

    /// Whether the trouble is another one than the last, or that was told a while ago.
    fn is_news(&mut self, error: &FeedError) -> bool {
        let now = Instant::now();
        let is_old = self
            .line
            .as_ref()
            .is_some_and(|(last, at)| last == error && now.duration_since(*at) < BETWEEN_LINES);
        if !is_old {
            self.line = Some((error.clone(), now));
        }
        !is_old
    }
}
