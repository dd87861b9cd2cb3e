//! The usage of apps, hour by hour: adding and reading.
//!
//! Knows no counter and no clock: callers give the hours. Stored usage outlives the app, because it is still to be
//! billed. Counts add up and the peak is the highest, so that a node may come back under its old name.

use fanfare_protocol::ids::AppId;

use crate::apps::{Apps, in_time};
use crate::operations::OperationError;

/// Most hours that are read at once: the hours of a leap year.
pub const MOST_HOURS: u32 = 8_784;

/// The usage of an app in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most connections at once.
    pub peak_connections: u64,
    /// Messages from back ends: one event to one channel is one.
    pub backend_messages: u64,
    /// Messages from clients.
    pub client_messages: u64,
    /// Messages, counted once for each subscriber.
    pub deliveries: u64,
    /// Bytes of the frames of those messages.
    pub delivered_bytes: u64,
    /// Webhook requests that succeeded.
    pub webhook_deliveries: u64,
    /// Failed attempts of webhook requests.
    pub webhook_failures: u64,
    /// Webhook events that were never delivered.
    pub webhook_events_dropped: u64,
}

/// The usage of one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourOfUsage {
    /// Hours since 1970.
    pub hour: u64,
    /// The usage in that hour.
    pub usage: Usage,
}

impl Usage {
    /// Adds the usage of another time: counts add up, the higher peak stays.
    pub fn add(&mut self, other: &Self) {
        self.peak_connections = self.peak_connections.max(other.peak_connections);
        self.backend_messages += other.backend_messages;
        self.client_messages += other.client_messages;
        self.deliveries += other.deliveries;
        self.delivered_bytes += other.delivered_bytes;
        self.webhook_deliveries += other.webhook_deliveries;
        self.webhook_failures += other.webhook_failures;
        self.webhook_events_dropped += other.webhook_events_dropped;
    }

    /// All values, with the names by which programs know them.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("peak_connections", self.peak_connections),
            ("backend_messages", self.backend_messages),
            ("client_messages", self.client_messages),
            ("deliveries", self.deliveries),
            ("delivered_bytes", self.delivered_bytes),
            ("webhook_deliveries", self.webhook_deliveries),
            ("webhook_failures", self.webhook_failures),
            ("webhook_events_dropped", self.webhook_events_dropped),
        ]
    }

    /// Whether all values are zero.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Apps {
    /// Adds the usage of apps on a node, all of it or none; within two seconds, so not too much at once.
    ///
    /// # Errors
    /// There is no database, or the database is away. After an outage at the very moment of the commit, the usage may
    /// have been added all the same.
    pub async fn add_usage(&self, node: &str, used: &[(AppId, HourOfUsage)]) -> Result<(), OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.add_usage(node, used).await) }).await
    }

    /// The usage of an app, also a deleted one, from one hour until before another: the hours with any
    /// usage, summed over all nodes. The peak is the sum of the nodes' peaks.
    ///
    /// # Errors
    /// There is no such app, nor was one that has used anything; there is no database, or it is away.
    pub async fn usage(
        &self,
        id: &str,
        from_hour: u64,
        to_hour: u64,
    ) -> Result<Vec<HourOfUsage>, OperationError> {
        let stored = self.answering()?;
        in_time(async {
            let used = stored.store.usage(id, from_hour..to_hour, MOST_HOURS).await?;
            let is_known = !used.is_empty() || self.is_fixed(id) || stored.store.knows(id).await?;
            if is_known { Ok(used) } else { Err(OperationError::no_such_app(id)) }
        })
        .await
    }

    /// Messages of an app on a node since an hour, from back ends and clients.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn messages_since(&self, id: &str, node: &str, hour: u64) -> Result<u64, OperationError> {
        let stored = self.answering()?;
        in_time(async { Ok(stored.store.messages_since(id, node, hour).await?) }).await
    }
}
