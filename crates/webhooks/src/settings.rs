//! Timeouts and bounds of webhooks; the spawner and the counters that callers provide.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use tokio::time::Instant;

use crate::delivery::Delivery;

/// Times and bounds, the same for all apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long `channel_vacated` and `member_removed` are delayed for a return (HOOK-021).
    pub delay: Duration,
    /// How long events are collected for one request, with `batch` (HOOK-024).
    pub batch: Duration,
    /// Timeout of one attempt, from the name's look-up to the end of the answer (HOOK-023).
    pub timeout: Duration,
    /// Time from the first failure to the second attempt; doubles up to a minute.
    pub first_retry: Duration,
    /// Age at which an undelivered event is dropped (HOOK-005, HOOK-022).
    pub patience: Duration,
    /// Most waiting events of one URL, events under way included.
    pub most_events: usize,
    /// Most bytes of these events; less when all queues together have little room left.
    pub most_bytes: usize,
    /// Most bytes of waiting events for all URLs of all apps together.
    pub most_bytes_in_all: usize,
    /// Most requests under way to all URLs of all apps together; half of them for URLs that fail or are
    /// slow.
    pub most_requests: usize,
}

impl Settings {
    pub(crate) fn delay_milliseconds(&self) -> u64 {
        u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether an event is too old to be sent (HOOK-005).
    pub(crate) fn is_late(&self, since: Instant, now: Instant) -> bool {
        since + self.patience < now
    }
}

impl Default for Settings {
    /// Hosted Pusher's values, where they are known.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(3),
            batch: Duration::from_millis(50),
            timeout: Duration::from_secs(5),
            first_retry: Duration::from_secs(1),
            patience: Duration::from_secs(300),
            most_events: 50_000,
            most_bytes: 16 << 20,
            most_bytes_in_all: 256 << 20,
            most_requests: 256,
        }
    }
}

/// Runs a task that ends by itself, and notices if the task panics.
pub type Spawn = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// Who hears of each attempt, with its URL. Called under a lock of the URL: must not wait.
pub type AttemptsHeard = Arc<dyn Fn(&AppId, &str, &Delivery) + Send + Sync>;

/// Counters of an app's webhooks.
pub trait Tally: Send + Sync {
    /// A request succeeded.
    fn delivered(&self);
    /// An attempt failed.
    fn failed(&self);
    /// So many events will never be delivered.
    fn dropped(&self, events: u64);
    /// So many requests were kept in the backlog.
    fn kept(&self, requests: u64);
    /// So many requests were to be kept, and could not be.
    fn not_kept(&self, requests: u64);
}

/// Who hears of events that will never be delivered.
pub trait Losses: Send + Sync {
    /// So many events for a URL of this host are lost. Called under a lock of the URL: never waits.
    fn lost(&self, app: &AppId, host: &str, lost: Lost);
}

/// Events that will never be delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events dropped because the queue was full.
    pub no_room: u64,
    /// Events not delivered in time, or not wanted any more.
    pub given_up: u64,
}

impl Lost {
    pub(crate) const fn events(self) -> u64 {
        self.no_room + self.given_up
    }
}
