//! The subscriptions of one connection, and the user that the connection is signed in as; held by its task alone.
//!
//! Only this module changes a connection's subscriptions, so subscribe, unsubscribe and close of one
//! connection cannot race each other. Dropping the value leaves every channel and signs out.

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::user::UserData;
use hashbrown::HashSet;

use crate::app_hub::AppHub;
use crate::channel::SubscribeError;
use crate::conn::Conn;
use crate::sync::RandomState;
use crate::users::SignedIn;

/// A connection's subscriptions.
#[derive(Debug)]
pub struct Subscriptions {
    hub: Arc<AppHub>,
    conn: Arc<Conn>,
    channels: HashSet<ChannelName, RandomState>,
    signed_in: Option<Box<SignedIn>>,
}

impl Subscriptions {
    /// A connection without subscriptions; the connection counts as open until the value is dropped.
    #[must_use]
    pub fn new(hub: Arc<AppHub>, conn: Arc<Conn>) -> Self {
        hub.connection_opened(&conn);
        Self { hub, conn, channels: HashSet::default(), signed_in: None }
    }

    /// Subscribes and queues the acknowledgement; `identity` on presence channels only.
    ///
    /// `now` is the present in milliseconds of the clock by which cached events expire.
    ///
    /// # Errors
    /// The connection is subscribed already, or the presence channel is full.
    pub fn subscribe(
        &mut self,
        channel: ChannelName,
        identity: Option<Identity>,
        now: u64,
    ) -> Result<(), SubscribeError> {
        self.forget_refused();
        if self.channels.contains(&channel) {
            return Err(SubscribeError::Existing);
        }
        self.hub.subscribe(&channel, &self.conn, identity, now)?;
        self.channels.insert(channel);
        Ok(())
    }

    /// Leaves the channel; false if there was no subscription (WS-141).
    pub fn unsubscribe(&mut self, channel: &str) -> bool {
        self.forget_refused();
        let Some(channel) = self.channels.take(channel) else {
            return false;
        };
        self.hub.unsubscribe(&channel, self.conn.id);
        true
    }

    /// Signs in, and queues `success`, then the online users of the watchlist. The same user may sign in
    /// again with other data. False if the connection is signed in as another user (WS-182).
    pub fn sign_in(&mut self, user: UserData, success: &Frame) -> bool {
        let before = self.signed_in.as_deref();
        if before.is_some_and(|before| before.id != user.id) {
            return false;
        }
        let signed_in = self.hub.users.sign_in(&self.conn, before, user, success);
        self.signed_in = Some(Box::new(signed_in));
        true
    }

    /// The user that the connection is signed in as.
    #[must_use]
    pub fn signed_in(&self) -> Option<&SignedIn> {
        self.signed_in.as_deref()
    }

    /// Number of subscribed channels.
    #[must_use]
    pub fn len(&self) -> usize {
        if !self.conn.is_refused() {
            return self.channels.len();
        }
        self.channels.iter().filter(|channel| self.hub.has_member(channel, self.conn.id)).count()
    }

    /// Whether the connection has no subscription.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the connection is subscribed to this channel, acknowledged or not.
    #[must_use]
    pub fn contains(&self, channel: &str) -> bool {
        self.get(channel).is_some()
    }

    /// The channel's name as subscribed, if the connection is subscribed.
    #[must_use]
    pub fn get(&self, channel: &str) -> Option<&ChannelName> {
        let name = self.channels.get(channel)?;
        (!self.conn.is_refused() || self.hub.has_member(name, self.conn.id)).then_some(name)
    }

    /// Drops the channels whose subscriptions the cluster has refused (WS-136).
    fn forget_refused(&mut self) {
        if self.conn.take_refused() {
            self.channels.retain(|channel| self.hub.has_member(channel, self.conn.id));
        }
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
        if let Some(signed_in) = self.signed_in.take() {
            self.hub.users.sign_out(self.conn.id, &signed_in);
        }
        self.hub.connection_closed(self.conn.id);
    }
}
