//! The numbers of each Redis: counters of received and dropped messages, and the state of connections.
//!
//! For each app a reason for dropping messages is logged once a minute at most, and never with a payload.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use fanfare_redis::{RedisAddress, RedisError};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::dropped::Dropped;

/// Least time between two log lines about one app and reason.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Most logged characters of a channel's name.
const MOST_LOGGED: usize = 200;

/// The numbers of all feeds of this node.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The numbers of apps that have a feed now. The lock guards the table only.
    apps: Mutex<HashMap<AppId, Arc<AppNumbers>>>,
    /// The lock guards the table only.
    connections: Mutex<HashMap<RedisAddress, Connection>>,
    gaps: AtomicU64,
    gap_milliseconds: AtomicU64,
}

/// The state of one Redis.
#[derive(Debug)]
struct Connection {
    /// Since when the connection is lost, if it is.
    away: Option<Instant>,
    /// The prefixes whose channels Redis refuses: since when, and why. At most the wanted prefixes.
    refused: BTreeMap<Box<str>, (Instant, &'static str)>,
}

/// The state of all Redis connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Number of wanted connections.
    pub all: usize,
    /// Number of lost connections.
    pub away: usize,
    /// How long the longest loss has lasted.
    pub away_for: Option<Duration>,
    /// Number of connections that are up and refuse the channels of a prefix.
    pub refusing: usize,
    /// How long the oldest refusal has lasted.
    pub refused_for: Option<Duration>,
    /// Number of refused prefixes, by the word of Redis' refusal.
    pub refused: BTreeMap<&'static str, usize>,
}

/// The words of Redis' refusals; all others count as `ERR`.
const REFUSALS: [&str; 3] = ["NOPERM", "NOAUTH", "LOADING"];

/// The numbers of one app.
#[derive(Debug)]
pub struct AppNumbers {
    /// The app.
    pub app: AppId,
    received: AtomicU64,
    /// Dropped messages, by the number of the [`Dropped`].
    dropped: [AtomicU64; Dropped::ALL.len()],
    /// When a line was written for each reason, and the number dropped by then. The lock guards these only.
    lines: Mutex<[Option<(Instant, u64)>; Dropped::ALL.len()]>,
}

impl Numbers {
    /// The numbers of an app whose feed begins.
    pub(super) fn begin(&self, app: &AppId) -> Arc<AppNumbers> {
        let mut apps = self.apps.lock();
        Arc::clone(apps.entry(app.clone()).or_insert_with(|| Arc::new(AppNumbers::new(app.clone()))))
    }

    /// The app has no feed any more.
    pub(super) fn end(&self, app: &AppId) {
        self.apps.lock().remove(app);
    }

    /// The numbers of all apps.
    #[must_use]
    pub fn apps(&self) -> Vec<Arc<AppNumbers>> {
        self.apps.lock().values().map(Arc::clone).collect()
    }

    /// A connection is to be made.
    pub(super) fn connect(&self, address: &RedisAddress) {
        let begun = Connection { away: Some(Instant::now()), refused: BTreeMap::new() };
        self.connections.lock().insert(address.clone(), begun);
    }

    /// A connection is no longer wanted.
    pub(super) fn disconnect(&self, address: &RedisAddress) {
        self.connections.lock().remove(address);
    }

    /// A connection is subscribed, after a gap.
    pub(super) fn subscribed(&self, address: &RedisAddress, gap: Option<Duration>) {
        if let Some(connection) = self.connections.lock().get_mut(address) {
            connection.away = None;
        }
        if let Some(gap) = gap {
            self.gaps.fetch_add(1, Ordering::Relaxed);
            let milliseconds = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
            self.gap_milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    /// A connection is lost; its refused prefixes will be requested again.
    pub(super) fn away(&self, address: &RedisAddress) {
        if let Some(connection) = self.connections.lock().get_mut(address) {
            connection.away.get_or_insert_with(Instant::now);
            connection.refused.clear();
        }
    }

    /// Redis refuses the channels of a prefix.
    pub(super) fn refused(&self, address: &RedisAddress, prefix: &str, error: &RedisError) {
        let word = match error {
            RedisError::Refused(text) => REFUSALS.into_iter().find(|word| text.starts_with(word)),
            _ => None,
        };
        if let Some(connection) = self.connections.lock().get_mut(address) {
            let refused = connection.refused.entry(Box::from(prefix));
            refused.or_insert_with(|| (Instant::now(), word.unwrap_or("ERR")));
        }
    }

    /// The channels of a prefix are subscribed, or no longer wanted; returns whether the prefix was refused.
    pub(super) fn granted(&self, address: &RedisAddress, prefix: &str) -> bool {
        let mut connections = self.connections.lock();
        connections.get_mut(address).is_some_and(|connection| connection.refused.remove(prefix).is_some())
    }

    /// The state of the connections.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let connections = self.connections.lock();
        let mut sum = Connections { all: connections.len(), ..Connections::default() };
        for Connection { away, refused } in connections.values() {
            if let Some(since) = away {
                sum.away += 1;
                sum.away_for = sum.away_for.max(Some(since.elapsed()));
            } else if !refused.is_empty() {
                sum.refusing += 1;
            }
            for (since, word) in refused.values() {
                *sum.refused.entry(*word).or_default() += 1;
                sum.refused_for = sum.refused_for.max(Some(since.elapsed()));
            }
        }
        sum
    }

    /// The number of losses of all connections, and their total time.
    #[must_use]
    pub fn gaps(&self) -> (u64, Duration) {
        let milliseconds = self.gap_milliseconds.load(Ordering::Relaxed);
        (self.gaps.load(Ordering::Relaxed), Duration::from_millis(milliseconds))
    }
}

impl AppNumbers {
    fn new(app: AppId) -> Self {
        Self {
            app,
            received: AtomicU64::new(0),
            dropped: [const { AtomicU64::new(0) }; Dropped::ALL.len()],
            lines: Mutex::default(),
        }
    }

    /// A message has arrived under the app's prefix.
    pub(super) fn receive(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// A message was dropped; `channel` is its name behind the prefix.
    pub(super) fn count_dropped(&self, why: Dropped, channel: &str) {
        let dropped = self.dropped[why as usize].fetch_add(1, Ordering::Relaxed) + 1;
        if why == Dropped::QueueFull {
            // The queue itself logs when dropping begins and ends.
            return;
        }
        let Some(count) = self.line(why, dropped, Instant::now()) else { return };
        let (app, reason) = (self.app.as_str(), why.label());
        let channel: String = channel.chars().take(MOST_LOGGED).collect();
        if why == Dropped::NotABroadcast {
            tracing::debug!(target: "fanfare::redis_feed", app, reason, channel, count, "dropped: {why}");
        } else {
            tracing::warn!(target: "fanfare::redis_feed", app, reason, channel, count, "dropped: {why}");
        }
    }

    /// Number dropped for this reason since its last log line, if another line is due.
    fn line(&self, why: Dropped, dropped: u64, now: Instant) -> Option<u64> {
        let mut lines = self.lines.lock();
        let before = lines[why as usize];
        if before.is_some_and(|(at, _)| now.duration_since(at) < BETWEEN_LINES) {
            return None;
        }
        lines[why as usize] = Some((now, dropped));
        Some(dropped.saturating_sub(before.map_or(0, |(_, by_then)| by_then)))
    }

    /// Messages received under the app's prefix.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Number of dropped messages, by reason.
    #[must_use]
    pub fn dropped(&self) -> [(Dropped, u64); Dropped::ALL.len()] {
        Dropped::ALL.map(|why| (why, self.dropped[why as usize].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_a_line_once_a_minute_with_the_count_since_the_last() {
        let numbers = AppNumbers::new(AppId::from("1"));
        let start = Instant::now();
        let line = |why, dropped, seconds| numbers.line(why, dropped, start + Duration::from_secs(seconds));
        assert_eq!(line(Dropped::Encrypted, 1, 0), Some(1));
        assert_eq!(line(Dropped::Encrypted, 2, 59), None);
        assert_eq!(line(Dropped::TooLarge, 1, 59), Some(1), "each reason for itself");
        assert_eq!(line(Dropped::Encrypted, 9, 60), Some(8));
        assert_eq!(line(Dropped::Encrypted, 10, 119), None);
    }

    #[test]
    fn a_connection_is_away_until_it_is_subscribed_and_gaps_add_up() {
        let numbers = Numbers::default();
        let [one, other] = ["redis://a", "redis://b"].map(|url| RedisAddress::parse(url).unwrap());
        numbers.connect(&one);
        numbers.connect(&other);
        assert_eq!((numbers.connections().all, numbers.connections().away), (2, 2));
        numbers.subscribed(&one, None);
        numbers.subscribed(&other, Some(Duration::from_secs(3)));
        assert_eq!(numbers.connections(), Connections { all: 2, ..Connections::default() });
        numbers.away(&one);
        assert_eq!(numbers.connections().away, 1);
        numbers.subscribed(&one, Some(Duration::from_secs(4)));
        assert_eq!(numbers.gaps(), (2, Duration::from_secs(7)));
        numbers.disconnect(&one);
        numbers.away(&one);
        assert_eq!(numbers.connections(), Connections { all: 1, ..Connections::default() });
    }

    #[test]
    fn a_prefix_is_refused_until_it_is_granted_or_the_connection_is_lost() {
        let numbers = Numbers::default();
        let address = RedisAddress::parse("redis://a").unwrap();
        let error = RedisError::Refused("NOPERM this user has no permissions".to_owned());
        numbers.connect(&address);
        numbers.refused(&address, "a_", &error);
        numbers.refused(&address, "b_", &RedisError::Refused("no".to_owned()));
        numbers.subscribed(&address, None);
        let connections = numbers.connections();
        assert_eq!((connections.away, connections.refusing), (0, 1));
        assert_eq!(connections.refused, BTreeMap::from([("ERR", 1), ("NOPERM", 1)]));
        assert!(connections.refused_for.is_some());
        assert!(numbers.granted(&address, "a_") && !numbers.granted(&address, "a_"));
        assert_eq!(numbers.connections().refused, BTreeMap::from([("ERR", 1)]));
        numbers.away(&address);
        assert_eq!((numbers.connections().away, numbers.connections().refused.len()), (1, 0));
    }
}
