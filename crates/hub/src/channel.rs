//! One channel: its subscribers and, on presence channels, its users.
//!
//! Every method is called under the lock of the channel's shard and pushes under it, so that all
//! subscribers see one order, and an acknowledgement comes before every event (WS-125).

mod cache;
mod copy;
mod counts;
mod elsewhere;
mod footing;
mod listing;
mod member;
mod merging;
mod ordered;
mod rare;
mod reach;
mod resuming;
mod ring;
mod roster;
mod twins;
mod waiting;

use std::sync::Arc;

use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::{Identity, UserInfo};
use fanfare_protocol::webhook::{Kind, Transition};
use fanfare_protocol::{server, socket_io};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use self::copy::ChannelCopy;
use self::member::{Member, User};
use self::merging::{MemberChange, Merging};
use self::rare::Rare;
use crate::conn::{Conn, SocketsInOrder};
use crate::dialect::Dialect;
use crate::resume::{Rings, Since};
use crate::sync::RandomState;
use crate::transitions::Hooks;

pub(crate) use self::counts::Counting;
pub use self::footing::Footing;
pub use self::ordered::OrderedEvent;
pub use self::reach::EventReach;
pub use self::ring::MissedElsewhere;

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    /// Acknowledged subscribers.
    members: SocketsInOrder<Member>,
    /// Members that speak Socket.IO: without any, nothing is made in that form.
    socket_io: u32,
    /// Present on presence channels only; boxed to keep the others small.
    users: Option<Box<HashMap<UserId, User, RandomState>>>,
    rare: Option<Box<Rare>>,
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
    /// What the app's rings share, in apps whose clients resume.
    pub(crate) rings: Option<&'a Arc<Rings>>,
    /// What the client had got of the channel before (RES-003).
    pub(crate) since: Option<&'a Since>,
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
            socket_io: 0,
            users: None,
            rare: None,
            count_is_due: false,
            is_listed: false,
            merging: Merging::default(),
            copy: None,
        }
    }

    /// Adds the connection, queues the acknowledgement, and sends the others the new member (WS-124).
    pub(crate) fn subscribe(&mut self, joining: Joining<'_>) -> Result<(), SubscribeError> {
        let Joining { conn, identity, most_users, now, hooks, rings, since } = joining;
        self.open_ring(rings);
        let user = match identity {
            Some(identity) => Some(self.join(conn, identity, most_users)?),
            None => {
                self.push_acknowledgement(conn);
                None
            }
        };
        if self.members.is_empty() {
            hooks.tell(Kind::ChannelExistence, || Transition::Occupied(self.name.clone()));
        }
        if let Some((id, true)) = &user {
            hooks.tell(Kind::Presence, || Transition::Joined(self.name.clone(), id.clone()));
        }
        let missed = since.map(|since| self.missed(conn, since));
        let is_held = self.holds_kept(missed.as_ref(), now);
        self.send_last(conn, now, hooks, is_held);
        self.begin_runs(conn, missed.as_ref(), is_held);
        let user = user.map(|(id, _)| id);
        self.admit(Member { conn: Arc::clone(conn), user });
        Ok(())
    }

    /// `subscription_succeeded`, on presence channels with the whole roster (WS-120, WS-121). Clients of Socket.IO are
    /// sent rosters alone (SIO-050, SIO-057).
    fn acknowledgement(&self, dialect: Dialect) -> Option<Frame> {
        let roster = self.users.as_ref().map(|users| users.iter().map(|(id, user)| (id, &user.info)));
        match (dialect, roster) {
            (Dialect::Pusher, Some(roster)) => Some(server::presence_succeeded(&self.name, roster)),
            (Dialect::Pusher, None) => Some(server::subscription_succeeded(&self.name)),
            (Dialect::SocketIo, roster) => {
                roster.map(|roster| socket_io::presence_subscribed(&self.name, roster))
            }
        }
    }

    fn push_acknowledgement(&self, conn: &Conn) {
        if let Some(frame) = self.acknowledgement(conn.dialect) {
            conn.outbox.push(&frame);
        }
    }

    /// Sends the roster once more to a subscriber of a presence channel who has got one already (SIO-051).
    pub(crate) fn acknowledge_again(&mut self, conn: &Conn) {
        if self.users.is_some() && self.members.contains_key(&conn.id) {
            self.push_acknowledgement(conn);
            // The roster is newer than the changes that wait.
            self.merging.came(conn.id);
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
        self.push_acknowledgement(conn);
        if is_new {
            self.tell_change(&identity.user_id, MemberChange::Came(identity.user_info));
        }
        Ok((identity.user_id, is_new))
    }

    /// Removes the connection, and sends the others a removed member if this was the user's last connection.
    pub(crate) fn unsubscribe(&mut self, socket: SocketId, hooks: Hooks<'_>) {
        let Some(member) = self.dismiss(socket) else {
            return;
        };
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
        self.deliver_of(None, frame, except)
    }

    /// As [`Channel::deliver`], for an event of this node, or of the other one.
    pub(crate) fn deliver_of(&mut self, node: Option<u64>, frame: &Frame, except: Option<SocketId>) -> usize {
        self.tell_members();
        let counted = self.note_event(frame, except, node);
        self.push_to_others(counted.as_ref().unwrap_or(frame), except)
    }

    /// Queues an event that was noted for everybody but `except`.
    pub(crate) fn push_to_others(&self, frame: &Frame, except: Option<SocketId>) -> usize {
        self.push_unless(frame, |socket| Some(*socket) == except)
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
        !self.is_occupied() && self.kept().is_none() && !self.is_awaited()
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

    /// The users that subscribers know of, with the newest `user_info` of each.
    pub(crate) fn known_users(&self) -> Vec<(UserId, UserInfo)> {
        let users = self.users.iter().flat_map(|users| users.iter());
        users.map(|(id, user)| (id.clone(), user.info.clone())).collect()
    }

    /// The users with a subscription on this node.
    pub(crate) fn user_ids(&self) -> Vec<UserId> {
        match &self.copy {
            Some(copy) => copy.here.keys().cloned().collect(),
            None => self.users.iter().flat_map(|users| users.keys().cloned()).collect(),
        }
    }
}
