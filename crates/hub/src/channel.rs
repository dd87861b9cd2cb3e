//! One channel: its subscribers and, on presence channels, its users.
//!
//! Every method is called under the lock of the channel's shard and pushes under it, so that all
//! subscribers see one order, and an acknowledgement comes before every event (WS-125).

mod cache;
mod copy;
mod counts;
mod member;
mod merging;
mod ordered;
mod roster;
mod waiting;

use std::sync::Arc;

use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server;
use fanfare_protocol::webhook::{Kind, Transition};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use self::copy::ChannelCopy;
use self::member::{Member, User};
use self::merging::{MemberChange, Merging};
use crate::cache::Last;
use crate::conn::{Conn, SocketsInOrder, has_outgrown};
use crate::sync::RandomState;
use crate::transitions::Hooks;

pub(crate) use self::counts::Counting;
pub use self::ordered::OrderedEvent;

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    /// Acknowledged subscribers.
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
    /// What the cluster says of the channel; absent where a node is alone.
    copy: Option<Box<ChannelCopy>>,
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
            copy: None,
        }
    }

    /// Adds the connection, queues the acknowledgement, and sends the others the new member (WS-124).
    pub(crate) fn subscribe(&mut self, joining: Joining<'_>) -> Result<(), SubscribeError> {
        let Joining { conn, identity, most_users, now, hooks } = joining;
        let user = match identity {
            Some(identity) => Some(self.join(conn, identity, most_users)?),
            None => {
                conn.outbox.push(&self.acknowledgement());
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

    /// `subscription_succeeded`, on presence channels with the whole roster (WS-120, WS-121).
    fn acknowledgement(&self) -> Frame {
        match &self.users {
            Some(users) => {
                let roster = users.iter().map(|(id, user)| (id, &user.info));
                server::presence_succeeded(&self.name, roster)
            }
            None => server::subscription_succeeded(&self.name),
        }
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
                user.renew(&identity.user_info);
                false
            }
            Entry::Vacant(vacant) => {
                vacant.insert(User { connections: 1, info: identity.user_info.clone(), is_replaced: false });
                true
            }
        };
        conn.outbox.push(&self.acknowledgement());
        if is_new {
            self.tell_change(&identity.user_id, MemberChange::Came(identity.user_info));
        }
        Ok((identity.user_id, is_new))
    }

    /// Removes the connection, and sends the others a removed member if this was the user's last connection.
    pub(crate) fn unsubscribe(&mut self, socket: SocketId, hooks: Hooks<'_>) {
        let Some(member) = self.remove_member(socket) else {
            return;
        };
        if let Some(user) = member.user {
            self.leave(user, hooks);
        }
        if self.members.is_empty() {
            hooks.tell(Kind::ChannelExistence, || Transition::Vacated(self.name.clone()));
        }
    }

    fn remove_member(&mut self, socket: SocketId) -> Option<Member> {
        let member = self.members.swap_remove(&socket);
        if has_outgrown(self.members.len(), self.members.capacity()) {
            self.members.shrink_to_fit();
        }
        member
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
        self.subscriptions() > 0
    }

    /// Whether back ends see the channel: the channel has a subscriber, and is no user's own channel.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_occupied() && self.name.kind() != ChannelKind::ServerToUser
    }

    /// Whether the channel can be dropped.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_occupied() && self.last.is_none()
    }

    /// Whether the connection is subscribed, acknowledged or not.
    pub(crate) fn has_member(&self, socket: SocketId) -> bool {
        self.member(socket).is_some()
    }

    /// The user that a subscriber stands for, on presence channels.
    pub(crate) fn user_of(&self, socket: SocketId) -> Option<UserId> {
        self.member(socket)?.user.clone()
    }

    fn member(&self, socket: SocketId) -> Option<&Member> {
        let waiting = || self.copy.as_ref().and_then(|copy| copy.waiting.get(&socket));
        self.members.get(&socket).or_else(waiting)
    }

    /// Subscriptions, acknowledged or not.
    fn subscriptions(&self) -> usize {
        self.members.len() + self.copy.as_ref().map_or(0, |copy| copy.waiting.len())
    }

    pub(crate) fn counts(&self) -> Occupancy {
        let users = match &self.copy {
            Some(copy) => copy.here.len(),
            None => self.users.as_ref().map_or(0, |users| users.len()),
        };
        Occupancy { subscriptions: self.subscriptions(), users }
    }

    /// The users with a subscription on this node.
    pub(crate) fn user_ids(&self) -> Vec<UserId> {
        match &self.copy {
            Some(copy) => copy.here.keys().cloned().collect(),
            None => self.users.iter().flat_map(|users| users.keys().cloned()).collect(),
        }
    }
}
