//! What was heard of each Redis, and what became of it: counters, and which connections there are.
//!
//! A reason for which messages of an app are dropped is logged once a minute at most, and never with a payload.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_laravel::feed::Address;
use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::dropped::Dropped;

/// Least time between two lines about one app and reason.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Most characters of a channel's name that are logged.
const MOST_LOGGED: usize = 200;

/// The numbers of all feeds of this node.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Guards the table only. Those of apps that have a feed now.
    apps: Mutex<HashMap<AppId, Arc<AppNumbers>>>,
    /// Guards the table only; since when each is away.
    connections: Mutex<HashMap<Address, Option<Instant>>>,
    gaps: AtomicU64,
    gap_milliseconds: AtomicU64,
}

/// Those of one app.
#[derive(Debug)]
pub struct AppNumbers {
    /// Whose.
    pub app: AppId,
    received: AtomicU64,
    /// By the numbers of [`Dropped`].
    dropped: [AtomicU64; Dropped::ALL.len()],
    /// Guards the moments only: when a line was written, and how many were dropped by then.
    lines: Mutex<[Option<(Instant, u64)>; Dropped::ALL.len()]>,
}

impl Numbers {
    /// Those of an app whose feed begins.
    pub(super) fn begin(&self, app: &AppId) -> Arc<AppNumbers> {
        let mut apps = self.apps.lock();
        Arc::clone(apps.entry(app.clone()).or_insert_with(|| Arc::new(AppNumbers::new(app.clone()))))
    }

    /// The app has no feed any more.
    pub(super) fn end(&self, app: &AppId) {
        self.apps.lock().remove(app);
    }

    /// Those of all apps.
    #[must_use]
    pub fn apps(&self) -> Vec<Arc<AppNumbers>> {
        self.apps.lock().values().map(Arc::clone).collect()
    }

    /// A connection is to be made.
    pub(super) fn connect(&self, address: &Address) {
        self.connections.lock().insert(address.clone(), Some(Instant::now()));
    }

    /// A connection is not wanted any more.
    pub(super) fn disconnect(&self, address: &Address) {
        self.connections.lock().remove(address);
    }

    /// A connection is subscribed, after a gap.
    pub(super) fn subscribed(&self, address: &Address, gap: Option<Duration>) {
        if let Some(away) = self.connections.lock().get_mut(address) {
            *away = None;
        }
        if let Some(gap) = gap {
            self.gaps.fetch_add(1, Ordering::Relaxed);
            let milliseconds = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
            self.gap_milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    /// A connection is away.
    pub(super) fn away(&self, address: &Address) {
        if let Some(away) = self.connections.lock().get_mut(address) {
            away.get_or_insert_with(Instant::now);
        }
    }

    /// How many connections there are to be, how many of them are away, and for how long the longest.
    #[must_use]
    pub fn connections(&self) -> (usize, usize, Option<Duration>) {
        let connections = self.connections.lock();
        let away = || connections.values().filter_map(|away| *away);
        (connections.len(), away().count(), away().min().map(|since| since.elapsed()))
    }

    /// How often one was away, and for how long in all.
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

    /// A message has come under the app's prefix.
    pub(super) fn receive(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// A message is dropped; `channel` is its name behind the prefix.
    pub(super) fn count_dropped(&self, why: Dropped, channel: &str) {
        let dropped = self.dropped[why as usize].fetch_add(1, Ordering::Relaxed) + 1;
        if why == Dropped::QueueFull {
            // The queue itself tells when that begins and ends.
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

    /// How many were dropped for this reason since the last line about it, if it is time for one.
    fn line(&self, why: Dropped, dropped: u64, now: Instant) -> Option<u64> {
        let mut lines = self.lines.lock();
        let before = lines[why as usize];
        if before.is_some_and(|(at, _)| now.duration_since(at) < BETWEEN_LINES) {
            return None;
        }
        lines[why as usize] = Some((now, dropped));
        Some(dropped.saturating_sub(before.map_or(0, |(_, by_then)| by_then)))
    }

    /// Messages that have come under the app's prefix.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How many were dropped, for each reason.
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
        let [one, other] = ["redis://a", "redis://b"].map(|url| Address::parse(url).unwrap());
        numbers.connect(&one);
        numbers.connect(&other);
        assert_eq!((numbers.connections().0, numbers.connections().1), (2, 2));
        numbers.subscribed(&one, None);
        numbers.subscribed(&other, Some(Duration::from_secs(3)));
        assert_eq!(numbers.connections(), (2, 0, None));
        numbers.away(&one);
        assert_eq!(numbers.connections().1, 1);
        numbers.subscribed(&one, Some(Duration::from_secs(4)));
        assert_eq!(numbers.gaps(), (2, Duration::from_secs(7)));
        numbers.disconnect(&one);
        numbers.away(&one);
        assert_eq!(numbers.connections(), (1, 0, None));
    }
}
