//! What one connection is subscribed to; held by the connection's task alone.
//!
//! Only this changes a connection's subscriptions, so subscribe, unsubscribe and close of one
//! connection cannot race each other. Dropping it leaves every channel.

use std::sync::Arc;

use ahash::RandomState;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::presence::Identity;
use hashbrown::HashSet;

use crate::app_hub::AppHub;
use crate::conn::Conn;

/// A connection's subscriptions.
#[derive(Debug)]
pub struct Subscriptions {
    hub: Arc<AppHub>,
    conn: Arc<Conn>,
    channels: HashSet<ChannelName, RandomState>,
}

/// Why a subscription was not made; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// Subscribed already (WS-137).
    Existing,
    /// The presence channel has as many users as it may (WS-136).
    Full,
}

impl Subscriptions {
    /// A connection without subscriptions; it counts as open until this is dropped.
    #[must_use]
    pub fn new(hub: Arc<AppHub>, conn: Arc<Conn>) -> Self {
        hub.connection_opened(&conn);
        Self { hub, conn, channels: HashSet::default() }
    }

    /// Subscribes and queues the acknowledgement; `identity` on presence channels only.
    ///
    /// # Errors
    /// Subscribed already, or the presence channel is full.
    pub fn subscribe(
        &mut self,
        channel: ChannelName,
        identity: Option<Identity>,
    ) -> Result<(), SubscribeError> {
        if self.channels.contains(&channel) {
            return Err(SubscribeError::Existing);
        }
        self.hub.subscribe(&channel, &self.conn, identity)?;
        self.channels.insert(channel);
        Ok(())
    }

    /// Leaves the channel; false if there was no subscription (WS-141).
    pub fn unsubscribe(&mut self, channel: &str) -> bool {
        let Some(channel) = self.channels.take(channel) else {
            return false;
        };
        self.hub.unsubscribe(&channel, self.conn.id);
        true
    }

    /// How many channels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Whether the connection listens to this channel.
    #[must_use]
    pub fn contains(&self, channel: &str) -> bool {
        self.channels.contains(channel)
    }

    /// The app's hub.
    #[must_use]
    pub fn hub(&self) -> &Arc<AppHub> {
        &self.hub
    }

    /// The connection.
    #[must_use]
    pub fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for channel in self.channels.drain() {
            self.hub.unsubscribe(&channel, self.conn.id);
        }
        self.hub.connection_closed(self.conn.id);
    }
}
