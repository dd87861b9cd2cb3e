//! One channel: its subscribers and, on presence channels, its users.
//!
//! Every method is called under the lock of the channel's shard and pushes under it, so that all
//! subscribers see one order, and an acknowledgement comes before every event (WS-125).

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use ahash::RandomState;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::{Identity, UserInfo};
use fanfare_protocol::server;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::app_hub::Counts;
use crate::conn::{Conn, RandomBits};
use crate::subscriptions::SubscribeError;

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    members: HashMap<SocketId, Member, BuildHasherDefault<RandomBits>>,
    /// Present on presence channels only; boxed to keep the others small.
    users: Option<Box<HashMap<UserId, User, RandomState>>>,
}

#[derive(Debug)]
struct Member {
    conn: Arc<Conn>,
    /// Whom the connection stands for, on presence channels.
    user: Option<UserId>,
}

#[derive(Debug)]
struct User {
    connections: usize,
    info: UserInfo,
}

impl Channel {
    pub(crate) fn new(name: ChannelName) -> Self {
        Self { name, members: HashMap::default(), users: None }
    }

    /// Adds the connection, acknowledges to it, and tells the others of a new user.
    pub(crate) fn subscribe(
        &mut self,
        conn: &Arc<Conn>,
        identity: Option<Identity>,
        most_users: usize,
    ) -> Result<(), SubscribeError> {
        let Some(identity) = identity else {
            conn.outbox.push(&server::subscription_succeeded(&self.name));
            self.members.insert(conn.id, Member { conn: Arc::clone(conn), user: None });
            return Ok(());
        };
        let users = self.users.get_or_insert_default();
        if users.len() >= most_users && !users.contains_key(&identity.user_id) {
            return Err(SubscribeError::Full);
        }
        let is_new = match users.entry(identity.user_id.clone()) {
            Entry::Occupied(mut user) => {
                // A newer user_info replaces the older, and nobody is told (WS-123).
                user.get_mut().connections += 1;
                user.get_mut().info.clone_from(&identity.user_info);
                false
            }
            Entry::Vacant(vacant) => {
                vacant.insert(User { connections: 1, info: identity.user_info.clone() });
                true
            }
        };
        let roster = users.iter().map(|(id, user)| (id, &user.info));
        conn.outbox.push(&server::presence_succeeded(&self.name, roster));
        if is_new {
            self.deliver(&server::member_added(&self.name, &identity.user_id, &identity.user_info), None);
        }
        self.members.insert(conn.id, Member { conn: Arc::clone(conn), user: Some(identity.user_id) });
        Ok(())
    }

    /// Takes the connection out, and tells the others if it was the user's last.
    pub(crate) fn unsubscribe(&mut self, socket: SocketId) {
        let user = self.members.remove(&socket).and_then(|member| member.user);
        let (Some(id), Some(users)) = (user, &mut self.users) else {
            return;
        };
        let Entry::Occupied(mut user) = users.entry(id) else {
            return;
        };
        user.get_mut().connections -= 1;
        if user.get().connections == 0 {
            let (id, _) = user.remove_entry();
            self.deliver(&server::member_removed(&self.name, &id), None);
        }
    }

    /// Queues the frame for everybody but `except`; returns how many took it.
    pub(crate) fn deliver(&self, frame: &Frame, except: Option<SocketId>) -> usize {
        self.members
            .iter()
            .filter(|(socket, member)| Some(**socket) != except && member.conn.outbox.push(frame))
            .count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            subscriptions: self.members.len(),
            users: self.users.as_ref().map_or(0, |users| users.len()),
        }
    }

    pub(crate) fn user_ids(&self) -> Vec<UserId> {
        self.users.iter().flat_map(|users| users.keys().cloned()).collect()
    }
}
