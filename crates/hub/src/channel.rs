//! One channel: its subscribers and, on presence channels, its users.
//!
//! Every method is called under the lock of the channel's shard and pushes under it, so that all
//! subscribers see one order, and an acknowledgement comes before every event (WS-125).

mod merging;

use std::sync::Arc;

use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::{Identity, UserInfo};
use fanfare_protocol::server;
use fanfare_protocol::webhook::{Kind, Transition};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use self::merging::{MemberChange, Merging, is_same};
use crate::cache::{ExpiryKey, Last, ParkedEvents};
use crate::conn::{Conn, SocketsInOrder, has_outgrown};
use crate::sync::RandomState;
use crate::transitions::Hooks;

/// With more subscribers than this, the count is sent now and then only (WS-176).
const MOST_COUNTED_AT_ONCE: usize = 100;

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    members: SocketsInOrder<Member>,
    /// Present on presence channels only; boxed to keep the others small.
    users: Option<Box<HashMap<UserId, User, RandomState>>>,
    /// The cached event, on cache channels only (WS-170).
    last: Option<Box<Last>>,
    /// The count has changed since the last count was sent.
    count_is_due: bool,
    /// The channel stands in the app's list of crowds whose count may be due.
    is_listed: bool,
    merging: Merging,
}

/// A requested subscription.
pub(crate) struct Joining<'a> {
    pub(crate) conn: &'a Arc<Conn>,
    /// The member's identity, on presence channels only.
    pub(crate) identity: Option<Identity>,
    pub(crate) most_users: usize,
    /// The present, in milliseconds of the clock by which cached events expire.
    pub(crate) now: u64,
    pub(crate) hooks: Hooks<'a>,
}

/// Occupancy of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Subscribed connections.
    pub subscriptions: usize,
    /// Distinct users, on presence channels; else 0.
    pub users: usize,
}

/// Why a subscription was not made; the channel is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The connection is subscribed already (WS-137).
    Existing,
    /// The presence channel has as many users as it may (WS-136).
    Full,
}

/// Who is sent the number of subscribers.
#[derive(Clone, Copy)]
pub(crate) struct Counting<'a> {
    /// The subscribers themselves (WS-175).
    pub(crate) subscribers: bool,
    /// Webhooks that want the count (HOOK-016).
    pub(crate) hooks: Hooks<'a>,
}

impl Counting<'_> {
    pub(crate) const fn anybody(&self) -> bool {
        self.subscribers || self.hooks.want(Kind::SubscriptionCount)
    }
}

#[derive(Debug)]
struct Member {
    conn: Arc<Conn>,
    /// The user that the connection stands for, on presence channels.
    user: Option<UserId>,
}

#[derive(Debug)]
struct User {
    connections: usize,
    info: UserInfo,
    /// `info` is newer than the info that other members were sent (WS-123).
    is_replaced: bool,
}

impl Channel {
    pub(crate) fn new(name: ChannelName) -> Self {
        Self {
            name,
            members: SocketsInOrder::default(),
            users: None,
            last: None,
            count_is_due: false,
            is_listed: false,
            merging: Merging::default(),
        }
    }

    /// Adds the connection, queues the acknowledgement, and sends the others the new member (WS-124).
    pub(crate) fn subscribe(&mut self, joining: Joining<'_>) -> Result<(), SubscribeError> {
        let Joining { conn, identity, most_users, now, hooks } = joining;
        let user = match identity {
            Some(identity) => Some(self.join(conn, identity, most_users)?),
            None => {
                conn.outbox.push(&server::subscription_succeeded(&self.name));
                None
            }
        };
        if self.members.is_empty() {
            hooks.tell(Kind::ChannelExistence, || Transition::Occupied(self.name.clone()));
        }
        if let Some((id, true)) = &user {
            hooks.tell(Kind::Presence, || Transition::Joined(self.name.clone(), id.clone()));
        }
        self.send_last(conn, now, hooks);
        let user = user.map(|(id, _)| id);
        self.merging.came(conn.id);
        self.members.insert(conn.id, Member { conn: Arc::clone(conn), user });
        Ok(())
    }

    /// Counts a user in, and says whether the user is new; the acknowledgement holds the whole roster (WS-121).
    fn join(
        &mut self,
        conn: &Conn,
        identity: Identity,
        most_users: usize,
    ) -> Result<(UserId, bool), SubscribeError> {
        let users = self.users.get_or_insert_default();
        if users.len() >= most_users && !users.contains_key(&identity.user_id) {
            return Err(SubscribeError::Full);
        }
        let is_new = match users.entry(identity.user_id.clone()) {
            Entry::Occupied(mut user) => {
                // A newer user_info replaces the older without an event (WS-123).
                let user = user.get_mut();
                user.connections += 1;
                user.is_replaced |= !is_same(&user.info, &identity.user_info);
                user.info.clone_from(&identity.user_info);
                false
            }
            Entry::Vacant(vacant) => {
                vacant.insert(User { connections: 1, info: identity.user_info.clone(), is_replaced: false });
                true
            }
        };
        let roster = users.iter().map(|(id, user)| (id, &user.info));
        conn.outbox.push(&server::presence_succeeded(&self.name, roster));
        if is_new {
            self.tell_change(&identity.user_id, MemberChange::Came(identity.user_info));
        }
        Ok((identity.user_id, is_new))
    }

    /// Sends the cached event, or reports a cache miss (WS-171, WS-172).
    fn send_last(&mut self, conn: &Conn, now: u64, hooks: Hooks<'_>) {
        if !self.name.is_cached() {
            return;
        }
        if let Some(last) = &mut self.last {
            last.unpark();
        }
        match self.last(now) {
            Some((frame, _)) => {
                conn.outbox.push(frame);
            }
            None => {
                conn.outbox.push(&server::cache_miss(&self.name));
                self.last = None;
                hooks.tell(Kind::CacheMiss, || Transition::Missed(self.name.clone()));
            }
        }
    }

    /// The cached event and its expiry.
    pub(crate) fn last(&self, now: u64) -> Option<(&Frame, u64)> {
        self.last.as_ref().and_then(|last| Some((last.at(now)?, last.until())))
    }

    /// Caches an event for later subscribers.
    pub(crate) fn keep(&mut self, frame: &Frame, until: u64, hooks: Hooks<'_>) {
        // A subscriber with a cache miss has removed the expired event already.
        if self.last.is_none() {
            hooks.tell(Kind::CacheMiss, || Transition::Filled(self.name.clone()));
        }
        self.last = Some(Box::new(Last::new(frame, until)));
    }

    /// Counts the cached event, if there is one, against the bound on channels without subscribers.
    pub(crate) fn park(&mut self, parked: &ParkedEvents) {
        if let Some(last) = self.last.as_mut().filter(|_| self.members.is_empty()) {
            last.park(&self.name, parked);
        }
    }

    /// Whether a parked event under this key is all that the channel holds.
    pub(crate) fn is_parked_as(&self, turn: ExpiryKey) -> bool {
        self.last.as_ref().is_some_and(|last| last.is_parked_as(turn))
    }

    /// Whether the channel has many subscribers, a count to send, and is not listed yet; marks it listed (WS-176).
    pub(crate) fn is_crowd_to_be_counted(&mut self) -> bool {
        let waits = self.count_is_due && self.members.len() > MOST_COUNTED_AT_ONCE;
        waits && !std::mem::replace(&mut self.is_listed, true)
    }

    /// Sends the count if the count is due; the channel is not listed any more.
    pub(crate) fn tell_listed_count(&mut self, told: Counting<'_>) {
        self.is_listed = false;
        self.tell_count_if_due(told);
    }

    fn tell_count_if_due(&mut self, told: Counting<'_>) {
        if !std::mem::take(&mut self.count_is_due) {
            return;
        }
        let count = self.members.len();
        if told.subscribers && count > 0 {
            self.push(&server::subscription_count(&self.name, count), None);
        }
        told.hooks.tell(Kind::SubscriptionCount, || Transition::Counted(self.name.clone(), count));
    }

    /// Removes the connection, and sends the others a removed member if this was the user's last connection.
    pub(crate) fn unsubscribe(&mut self, socket: SocketId, hooks: Hooks<'_>) {
        let Some(member) = self.members.swap_remove(&socket) else {
            return;
        };
        if has_outgrown(self.members.len(), self.members.capacity()) {
            self.members.shrink_to_fit();
        }
        if let Some(user) = member.user {
            self.leave(user, hooks);
        }
        if self.members.is_empty() {
            hooks.tell(Kind::ChannelExistence, || Transition::Vacated(self.name.clone()));
        }
    }

    /// Counts a user out.
    fn leave(&mut self, user: UserId, hooks: Hooks<'_>) {
        let Some(Entry::Occupied(mut user)) = self.users.as_mut().map(|users| users.entry(user)) else {
            return;
        };
        user.get_mut().connections -= 1;
        if user.get().connections == 0 {
            let (id, User { info, is_replaced, .. }) = user.remove_entry();
            self.tell_change(&id, MemberChange::Went { info, is_replaced });
            hooks.tell(Kind::Presence, || Transition::Left(self.name.clone(), id));
        }
    }

    /// Queues an event for everybody but `except`, behind all earlier changes; returns how many outboxes took it.
    pub(crate) fn deliver(&mut self, frame: &Frame, except: Option<SocketId>) -> usize {
        self.tell_members();
        self.push(frame, except)
    }

    fn push(&self, frame: &Frame, except: Option<SocketId>) -> usize {
        self.members
            .iter()
            .filter(|(socket, member)| Some(**socket) != except && member.conn.outbox.push(frame))
            .count()
    }

    /// Whether anybody is subscribed.
    pub(crate) fn is_occupied(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether back ends see the channel: the channel has a subscriber, and is no user's own channel.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_occupied() && self.name.kind() != ChannelKind::ServerToUser
    }

    /// Whether the channel can be dropped.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.last.is_none()
    }

    /// The user that a subscriber stands for, on presence channels.
    pub(crate) fn user_of(&self, socket: SocketId) -> Option<UserId> {
        self.members.get(&socket)?.user.clone()
    }

    pub(crate) fn counts(&self) -> Occupancy {
        Occupancy {
            subscriptions: self.members.len(),
            users: self.users.as_ref().map_or(0, |users| users.len()),
        }
    }

    pub(crate) fn user_ids(&self) -> Vec<UserId> {
        self.users.iter().flat_map(|users| users.keys().cloned()).collect()
    }
}
