//! Subscribing in a cluster: a newcomer waits until the cluster has answered, and is acknowledged from this node's copy
//! (CL-006, N5).
//!
//! Who waits gets no event of the channel, and counts as subscribed everywhere else.

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::shortened;
use fanfare_protocol::cluster::{Change, CopyId, Joined, OpenChannel, Ticket};
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::Identity;
use fanfare_protocol::webhook::Kind;
use fanfare_protocol::{server, socket_io};
use hashbrown::hash_map::Entry;

use super::copy::{ChannelCopy, Here};
use super::member::{Member, is_same};
use super::merging::Merging;
use super::twins::Twins;
use super::{Channel, Joining};
use crate::sharing::{InCluster, Sharing};

impl Channel {
    /// Whether an outcome for this copy is meant for the channel as it is now.
    pub(crate) fn is_copy(&self, id: CopyId) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.id == id)
    }

    /// Adds the connection; the acknowledgement follows at once if the cluster need not be asked.
    pub(crate) fn enter(&mut self, joining: Joining<'_>, at: &InCluster<'_>) {
        let Joining { conn, identity, rings, since, .. } = joining;
        self.open_ring(rings);
        if let Some((ring, since)) = self.ring_mut().zip(since) {
            ring.newcomers_mut().expect(conn.id, since.clone());
        }
        let (conn, name) = (Arc::clone(conn), &self.name);
        let copy = self.copy.get_or_insert_with(|| {
            let copy = ChannelCopy::new(at.sharing.next_number(), name.is_cached());
            at.sharing.push(Change::Opened { channel: name.clone(), copy: copy.id });
            Box::new(copy)
        });
        let mut renewed = None;
        let user = identity.map(|identity| {
            let user = identity.user_id.clone();
            if let Some(joined) = copy.arrive(name, identity, at) {
                renewed = Some(joined.info.clone());
                at.sharing.push(Change::Joined(joined));
            }
            user
        });
        let at_once = if name.has_roster() || name.is_cached() {
            copy.may_acknowledge(name.has_roster(), user.as_ref())
        } else {
            at.sharing.is_live(name)
        };
        if let Some((user, info)) = user.as_ref().zip(renewed) {
            self.renew_info(user, &info);
        }
        let member = Member { conn, user };
        let Some(copy) = &mut self.copy else { return };
        if at_once {
            self.acknowledge([member], at);
        } else {
            copy.begin_waiting(member);
        }
        self.count_for_the_cluster(at);
    }

    /// Acknowledges everybody who need not wait any longer.
    pub(super) fn acknowledge_ready(&mut self, at: &InCluster<'_>) {
        let has_roster = self.name.has_roster();
        let Some(copy) = &mut self.copy else { return };
        if !(has_roster || self.name.is_cached()) {
            return;
        }
        let may = |member: &Member| copy.may_acknowledge(has_roster, member.user.as_ref());
        let sockets: Vec<SocketId> =
            copy.waiting.iter().filter(|(_, member)| may(member)).map(|(socket, _)| *socket).collect();
        let members = copy.end_waiting(&sockets);
        self.acknowledge(members, at);
    }

    /// Acknowledges the waiting connections of one user, if they need not wait any longer.
    pub(super) fn acknowledge_user(&mut self, user: &UserId, at: &InCluster<'_>) {
        let has_roster = self.name.has_roster();
        let Some(copy) = &mut self.copy else { return };
        if !copy.may_acknowledge(has_roster, Some(user)) {
            return;
        }
        let sockets = copy.here.get(user).map_or_else(Vec::new, |here| here.waiting.clone());
        let members = copy.end_waiting(&sockets);
        self.acknowledge(members, at);
    }

    /// Acknowledges everybody who waits with what this node knows (CL-006, CL-017).
    pub(crate) fn serve(&mut self, at: &InCluster<'_>) {
        self.stop_reading_cache();
        let Some(copy) = &mut self.copy else { return };
        let sockets: Vec<SocketId> = copy.waiting.keys().copied().collect();
        let members = copy.end_waiting(&sockets);
        self.acknowledge(members, at);
    }

    /// Acknowledges connections that do not wait any more, unless another node is to be asked before what they missed.
    fn acknowledge(
        &mut self,
        members: impl IntoIterator<Item = Member> + AsRef<[Member]>,
        at: &InCluster<'_>,
    ) {
        if members.as_ref().iter().any(|member| self.has_to_ask(member.conn.id)) {
            let ready = self.ask_elsewhere(members, at);
            return self.acknowledge_now(ready, at);
        }
        self.acknowledge_now(members, at);
    }

    /// Queues the acknowledgement, what is kept, and the count, for connections that do not wait any more (WS-124).
    pub(super) fn acknowledge_now(
        &mut self,
        members: impl IntoIterator<Item = Member> + AsRef<[Member]>,
        at: &InCluster<'_>,
    ) {
        if members.as_ref().is_empty() {
            return;
        }
        for user in members.as_ref().iter().filter_map(|member| member.user.as_ref()) {
            if !self.users.as_ref().is_some_and(|users| users.contains_key(user)) {
                // For a known user, what the cluster has said last is newer.
                let here = self.copy.as_ref().and_then(|copy| copy.here.get(user));
                let info = here.and_then(|here| here.info.clone());
                self.add_user(user, info);
            }
            if let Some(user) = self.users.as_mut().and_then(|users| users.get_mut(user)) {
                user.connections += 1;
            }
        }
        let dialects = members.as_ref().iter().map(|member| member.conn.dialect);
        let succeeded = Twins::of(dialects, |dialect| self.acknowledgement(dialect));
        let count = Twins { pusher: self.count_for_newcomers(at), socket_io: None };
        if let Some(copy) = self.copy.as_mut().filter(|copy| copy.waiting.is_empty()) {
            copy.is_count_missed = false;
        }
        let mut has_missed = false;
        for member in members {
            succeeded.push_to(&member.conn);
            let missed = self.take_missed(&member.conn, at);
            let is_held = self.holds_kept(missed.as_ref(), at.now);
            has_missed |= !is_held && self.send_kept(&member.conn, at);
            self.begin_runs(&member.conn, missed.as_ref(), is_held);
            if count.push_to(&member.conn) {
                self.note_alone(member.conn.id);
            }
            self.admit(member);
        }
        if has_missed && self.tells_misses() && at.hooks.want(Kind::CacheMiss) {
            at.sharing.push(Change::Missed { channel: self.name.clone() });
        }
    }

    /// The cluster has no room for the user: the user's connections that wait are told, and are not subscribed
    /// (WS-136), and are returned. Nobody is thrown out who was acknowledged without the cluster: then the cluster is told
    /// once more.
    pub(crate) fn refuse(&mut self, user: &UserId, ticket: Ticket, at: &InCluster<'_>) -> Vec<SocketId> {
        let Some(copy) = &mut self.copy else { return Vec::new() };
        let Some(here) = copy.here.get(user).filter(|here| here.ticket == ticket && !here.is_confirmed)
        else {
            return Vec::new();
        };
        if here.connections > here.waiting.len() {
            self.join_again(user, at);
            return Vec::new();
        }
        let sockets = here.waiting.clone();
        let refused = copy.end_waiting(&sockets);
        copy.depart(user, refused.len());
        let refusal = self.refusal(at);
        for member in &refused {
            self.end_run(member.conn.id, None);
            member.conn.refuse();
            for part in &refusal {
                part.push_to(&member.conn);
            }
        }
        // A snapshot that was taken a moment ago may have told of the user anew.
        let (channel, user, ticket) = (self.name.clone(), user.clone(), at.sharing.next_number());
        at.sharing.push(Change::Left { channel, user, ticket });
        self.count_for_the_cluster(at);
        self.close_if_empty(at.sharing);
        sockets
    }

    /// What clients are told who find the channel full, and beside it what clients of soketi expect (WS-133, SIO-103).
    fn refusal(&self, at: &InCluster<'_>) -> [Twins; 2] {
        let name = self.name.as_str();
        let error = ProtocolError::ChannelFull { channel: name.to_owned(), limit: at.app.limits.members };
        let status = error.subscription_error_status().filter(|_| at.app.subscription_error_event);
        let beside = status.map(|(kind, status)| {
            server::subscription_error(&shortened(name, 200), kind, &error.to_string(), status)
        });
        [
            Twins {
                pusher: Some(server::error(error.code(), &error.to_string())),
                socket_io: Some(socket_io::subscription_error(name, socket_io::CHANNEL_FULL)),
            },
            Twins { pusher: beside, socket_io: None },
        ]
    }

    /// Tells the cluster once more of a user who was acknowledged, without a limit (CL-016).
    fn join_again(&mut self, user: &UserId, at: &InCluster<'_>) {
        let here = self.copy.as_mut().and_then(|copy| copy.here.get_mut(user));
        let Some(here) = here else { return };
        here.ticket = at.sharing.next_number();
        at.sharing.push(Change::Joined(here.joined(&self.name, user, at)));
    }

    /// Removes the connection; the others hear of a removed user from the cluster. False without a subscription.
    pub(crate) fn exit(&mut self, socket: SocketId, at: &InCluster<'_>) -> bool {
        let Some(copy) = &mut self.copy else { return false };
        let waited = copy.end_waiting(&[socket]).pop();
        let was_acknowledged = waited.is_none();
        // Every subscribe has an answer (WS-142); only who may join a presence channel is for the cluster to say.
        if let Some(member) = waited.as_ref().filter(|_| !self.name.has_roster()) {
            self.push_acknowledgement(&member.conn);
        }
        let Some(member) = waited.or_else(|| self.dismiss(socket)) else {
            return false;
        };
        if let Some(user) = member.user {
            if was_acknowledged && let Some(user) = self.users.as_mut().and_then(|users| users.get_mut(&user))
            {
                user.connections -= 1;
            }
            if self.copy.as_mut().is_some_and(|copy| copy.depart(&user, 1)) {
                let (channel, ticket) = (self.name.clone(), at.sharing.next_number());
                at.sharing.push(Change::Left { channel, user, ticket });
            }
        }
        if !self.awaits(socket) {
            self.forget_served(socket);
        }
        self.count_for_the_cluster(at);
        self.close_if_empty(at.sharing);
        true
    }

    /// Ends the copy with the last subscription, unless a client may come back for what the cluster tells meanwhile.
    pub(crate) fn close_if_empty(&mut self, sharing: &Sharing) {
        if self.is_occupied() || self.is_awaited() {
            return;
        }
        if let Some(copy) = self.copy.take() {
            sharing.push(Change::Closed { channel: self.name.clone(), copy: copy.id });
        }
        self.users = None;
        self.set_kept(None);
        self.merging = Merging::default();
    }

    /// What a bus that has missed changes is told of the channel. Where changes were dropped, the cache is read anew.
    pub(crate) fn open_channel(&mut self, has_gap: bool, at: &InCluster<'_>) -> Option<OpenChannel> {
        if has_gap {
            self.forget_own_events(at);
        }
        let copy = self.copy.as_ref()?;
        let users = copy.here.iter().map(|(user, here)| here.joined(&self.name, user, at));
        Some(OpenChannel {
            channel: self.name.clone(),
            copy: Some(copy.id),
            count: self.subscriptions(),
            told: self.telling(at),
            users: users.collect(),
        })
    }
}

impl ChannelCopy {
    /// Counts a user's connection in; returns what the cluster is to be told.
    fn arrive(&mut self, name: &ChannelName, identity: Identity, at: &InCluster<'_>) -> Option<Joined> {
        let Identity { user_id, user_info } = identity;
        let here = match self.here.entry(user_id.clone()) {
            Entry::Occupied(here) => {
                let here = here.into_mut();
                if is_same(&here.info, &user_info) {
                    here.connections += 1;
                    return None;
                }
                here.info = user_info;
                here
            }
            Entry::Vacant(vacant) => vacant.insert(Here::new(user_info)),
        };
        here.ticket = at.sharing.next_number();
        let joined = here.joined(name, &user_id, at);
        here.connections += 1;
        Some(joined)
    }

    /// Counts connections of a user out; true for the last of them.
    fn depart(&mut self, user: &UserId, connections: usize) -> bool {
        let Some(here) = self.here.get_mut(user) else { return false };
        here.connections -= connections;
        let is_last = here.connections == 0;
        if is_last {
            self.here.remove(user);
        }
        is_last
    }

    /// Whether a connection of the user, if there is one, need not wait; only for channels with a roster or a cache.
    fn may_acknowledge(&self, has_roster: bool, user: Option<&UserId>) -> bool {
        let is_confirmed = || user.and_then(|user| self.here.get(user)).is_some_and(|here| here.is_confirmed);
        let knows_users = !has_roster || self.is_roster_ready && is_confirmed();
        knows_users && self.cache.as_ref().is_none_or(|cache| !cache.is_loading())
    }

    pub(super) fn begin_waiting(&mut self, member: Member) {
        let socket = member.conn.id;
        if let Some(here) = member.user.as_ref().and_then(|user| self.here.get_mut(user)) {
            here.waiting.push(socket);
        }
        self.waiting.insert(socket, member);
    }

    /// Takes connections out of those that wait.
    pub(super) fn end_waiting(&mut self, sockets: &[SocketId]) -> Vec<Member> {
        let members = sockets.iter().filter_map(|socket| self.waiting.swap_remove(socket));
        let members: Vec<Member> = members.collect();
        for member in &members {
            if let Some(here) = member.user.as_ref().and_then(|user| self.here.get_mut(user)) {
                here.waiting.retain(|socket| *socket != member.conn.id);
            }
        }
        members
    }
}
