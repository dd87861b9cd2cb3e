//! The subscriptions of one connection, and the user that the connection is signed in as; held by its task alone.
//!
//! Only this module changes a connection's subscriptions, so subscribe, unsubscribe and close of one
//! connection cannot race each other. Dropping the value leaves every channel and signs out.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::resume::{Position, ResumeToken};
use fanfare_protocol::user::UserData;
use hashbrown::{HashMap, HashSet};

use crate::app_hub::{AppHub, Arrival};
use crate::channel::{Footing, SubscribeError};
use crate::conn::Conn;
use crate::resume::{Former, Since};
use crate::sync::RandomState;
use crate::users::{SignedIn, SigningIn};

/// Most tokens of other nodes that a connection may name; a client has as many as its last connections without answers.
const MOST_TOLD: usize = 16;

/// A connection's subscriptions.
#[derive(Debug)]
pub struct Subscriptions {
    hub: Arc<AppHub>,
    conn: Arc<Conn>,
    channels: HashSet<ChannelName, RandomState>,
    /// Boxed, because most connections have nothing of this.
    rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
struct Rare {
    signed_in: Option<SignedIn>,
    resuming: Option<Resuming>,
}

/// A connection whose client was told that it may resume.
#[derive(Debug)]
struct Resuming {
    token: ResumeToken,
    /// The client counts what it gets (RES-002).
    counts: bool,
    /// What the client had got of channels that it has not subscribed to yet.
    since: HashMap<String, Since, RandomState>,
    /// The client had got something of more channels than it may subscribe to.
    has_more: bool,
    /// Tokens of other nodes that were told of this connection.
    told_elsewhere: usize,
}

impl Subscriptions {
    /// A connection without subscriptions; the connection counts as open until the value is dropped.
    #[must_use]
    pub fn new(hub: Arc<AppHub>, conn: Arc<Conn>) -> Self {
        hub.connection_opened(&conn);
        Self { hub, conn, channels: HashSet::default(), rare: None }
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
        self.enter(channel, identity, now, None)
    }

    /// As [`Subscriptions::subscribe`], and returns the footing that the connection has in the channel then.
    ///
    /// # Errors
    /// As [`Subscriptions::subscribe`].
    pub fn subscribe_seen(
        &mut self,
        channel: ChannelName,
        identity: Option<Identity>,
        now: u64,
    ) -> Result<Footing, SubscribeError> {
        let mut footing = Footing::default();
        self.enter(channel, identity, now, Some(&mut footing)).map(|()| footing)
    }

    fn enter(
        &mut self,
        channel: ChannelName,
        identity: Option<Identity>,
        now: u64,
        footing: Option<&mut Footing>,
    ) -> Result<(), SubscribeError> {
        self.forget_refused();
        if self.channels.contains(&channel) {
            return Err(SubscribeError::Existing);
        }
        let unknown = Since { former: None, elsewhere: None, count: 0 };
        let since = self.resuming().and_then(|resuming| {
            let known = resuming.since.get(channel.as_str());
            known.or_else(|| resuming.has_more.then_some(&unknown))
        });
        self.hub.subscribe(&channel, &self.conn, Arrival { identity, since, now, footing })?;
        if let Some(resuming) = self.rare.as_mut().and_then(|rare| rare.resuming.as_mut()) {
            resuming.since.remove(channel.as_str());
        }
        self.channels.insert(channel);
        self.conn.has_channels(self.channels.len());
        Ok(())
    }

    /// Queues the acknowledgement of a presence channel once more, with the roster as it is now, unless the first one is
    /// still to come; false if there is no subscription (SIO-051). Other channels' subscribers are told nothing.
    pub fn acknowledge_again(&mut self, channel: &str) -> bool {
        self.forget_refused();
        let Some(channel) = self.channels.get(channel) else {
            return false;
        };
        self.hub.acknowledge_again(channel, &self.conn);
        true
    }

    /// Leaves the channel; false if there was no subscription (WS-141).
    pub fn unsubscribe(&mut self, channel: &str) -> bool {
        self.forget_refused();
        self.leave(channel, None)
    }

    /// As [`Subscriptions::unsubscribe`], and returns the footing that the connection had in the channel; `None` if there was
    /// no subscription.
    pub fn unsubscribe_seen(&mut self, channel: &str) -> Option<Footing> {
        self.forget_refused();
        let mut footing = Footing::default();
        self.leave(channel, Some(&mut footing)).then_some(footing)
    }

    fn leave(&mut self, channel: &str, footing: Option<&mut Footing>) -> bool {
        let Some(channel) = self.channels.take(channel) else {
            return false;
        };
        self.conn.has_channels(self.channels.len());
        self.hub.unsubscribe(&channel, self.conn.id, None, footing);
        true
    }

    /// Leaves every channel, as dropping does, and tells the footing that the connection had in each.
    pub fn leave_all_seen(&mut self, mut seen: impl FnMut(&ChannelName, &Footing)) {
        self.forget_refused();
        let until = self.end_counting();
        for channel in self.channels.drain() {
            let mut footing = Footing::default();
            self.hub.unsubscribe(&channel, self.conn.id, until, Some(&mut footing));
            seen(&channel, &footing);
        }
    }

    /// Nothing is counted any more for a client that counts; returns until when it may come back.
    fn end_counting(&mut self) -> Option<u64> {
        let resuming = self.rare.as_mut()?.resuming.as_mut()?;
        let counts = std::mem::take(&mut resuming.counts);
        counts.then(|| self.hub.end_counting(resuming.token)).flatten()
    }

    /// Signs in, and queues `success`, then the online users of the watchlist. The same user may sign in
    /// again with other data. False if the connection is signed in as another user (WS-182). `now` is the present in
    /// seconds since 1970.
    pub fn sign_in(&mut self, user: UserData, success: &Frame, now: u64) -> bool {
        let before = self.signed_in();
        if before.is_some_and(|before| before.id != user.id) {
            return false;
        }
        let signing_in = SigningIn { conn: &self.conn, success, now };
        let signed_in = self.hub.sign_in(signing_in, before, user);
        self.conn.is_signed_in_as(&signed_in.id);
        self.rare.get_or_insert_default().signed_in = Some(signed_in);
        true
    }

    /// The user that the connection is signed in as.
    #[must_use]
    pub fn signed_in(&self) -> Option<&SignedIn> {
        self.rare.as_ref()?.signed_in.as_ref()
    }

    fn resuming(&self) -> Option<&Resuming> {
        self.rare.as_ref()?.resuming.as_ref()
    }

    /// The token by which the client may resume (RES-001); the one that the connection has, if it has one.
    pub fn offer_resume(&mut self, token: ResumeToken) -> ResumeToken {
        let new = || Resuming {
            token,
            counts: false,
            since: HashMap::default(),
            has_more: false,
            told_elsewhere: 0,
        };
        self.rare.get_or_insert_default().resuming.get_or_insert_with(new).token
    }

    /// The client counts what it gets, and tells what it had got of channels before: `most` of them at most, and of the
    /// others it is said to have got nothing (RES-002, RES-003). A connection that it had before ends.
    pub fn resume<'a>(
        &mut self,
        positions: impl Iterator<Item = (Cow<'a, str>, Option<Position>)>,
        most: usize,
    ) {
        let (hub, socket) = (&self.hub, self.conn.id);
        let Some(resuming) = self.rare.as_mut().and_then(|rare| rare.resuming.as_mut()) else { return };
        if !std::mem::replace(&mut resuming.counts, true) {
            hub.begin_counting(resuming.token, socket);
        }
        let mut formers: HashMap<ResumeToken, Option<Arc<Former>>, RandomState> = HashMap::default();
        for (channel, position) in positions {
            if resuming.since.len() >= most {
                resuming.has_more = true;
                break;
            }
            let elsewhere = position.map(|position| position.token).filter(|token| hub.is_elsewhere(*token));
            let told = &mut resuming.told_elsewhere;
            let mut find = |position: Position| {
                let find = || match elsewhere {
                    None => hub.find_former(position.token, socket).map(Arc::new),
                    Some(token) => {
                        *told += 1;
                        if *told <= MOST_TOLD {
                            hub.tell_came_back(token, socket);
                        }
                        None
                    }
                };
                formers.entry(position.token).or_insert_with(find).clone()
            };
            let since = Since {
                former: position.and_then(&mut find),
                elsewhere: elsewhere.filter(|_| *told <= MOST_TOLD),
                count: position.map_or(0, |position| position.count),
            };
            match self.channels.get(channel.as_ref()) {
                Some(subscribed) => hub.resume_late(subscribed, &self.conn, &since),
                None => drop(resuming.since.insert(channel.into_owned(), since)),
            }
        }
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
            self.conn.has_channels(self.channels.len());
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
        let until = self.end_counting();
        for channel in self.channels.drain() {
            self.hub.unsubscribe(&channel, self.conn.id, until, None);
        }
        if let Some(signed_in) = self.rare.take().and_then(|rare| rare.signed_in) {
            self.hub.sign_out(self.conn.id, &signed_in);
        }
        self.hub.connection_closed(self.conn.id);
    }
}
