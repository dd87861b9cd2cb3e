//! The signed-in users of an app, and their watchers (WS-186, WS-195 … WS-198).
//!
//! One lock over both, so that a watcher's first list and the later changes add up to the truth. The lock is taken
//! at sign-in and at the end of a signed-in connection, never for a message; outboxes are pushed to under the lock,
//! as under a shard's.

mod listing;
mod online;
mod standing;

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::UserInfo;
use fanfare_protocol::server;
use fanfare_protocol::user::{OnlineUser, UserData};
use fanfare_protocol::webhook::{Kind, Present, Transition};

pub use self::listing::OnlineHere;
use self::online::SharedUser;
use crate::conn::{Conn, Sockets};
use crate::sharing::Sharing;
use crate::sync::Mutex;
use crate::transitions::Hooks;

/// The signed-in users of one app, and the watched users.
#[derive(Debug)]
pub(crate) struct Users {
    /// Guards the users and their sockets.
    table: Mutex<Table>,
    /// The app's part in the cluster; absent where the node is alone.
    sharing: Option<Arc<Sharing>>,
}

#[derive(Debug, Default)]
struct Table {
    /// In order, so that operators' lists are read in pieces.
    users: BTreeMap<UserId, User>,
    /// How many of them are signed in on this node; the others are only watched.
    online: usize,
    /// Watchers whose first list waits for the cluster, each with all users that it watches.
    unlisted: Sockets<Vec<UserId>>,
}

#[derive(Debug, Default)]
struct User {
    signed_in: Sockets<Arc<Conn>>,
    /// When the first of those signed in since there was none, in seconds since 1970.
    since: u64,
    watchers: Sockets<Arc<Conn>>,
    /// What the cluster says of the user; absent where a node is alone.
    shared: Option<Box<SharedUser>>,
}

/// What a sign-in brings beside the user.
pub(crate) struct SigningIn<'a> {
    pub conn: &'a Arc<Conn>,
    /// The answer to the client.
    pub success: &'a Frame,
    /// The present, in seconds since 1970.
    pub now: u64,
}

/// The user that a connection is signed in as, for the connection's whole life (WS-186).
#[derive(Debug)]
pub struct SignedIn {
    /// The user.
    pub id: UserId,
    /// The `user_info` of the sign-in.
    pub user_info: UserInfo,
    watching: Vec<UserId>,
}

impl Users {
    pub(crate) fn new(sharing: Option<Arc<Sharing>>) -> Self {
        Self { table: Mutex::default(), sharing }
    }

    /// Signs a connection in, or takes over the same user's newer data; pushes `success`, then the online users of
    /// the watchlist (WS-195). In a cluster the list may wait for the cluster's answer. `hooks` is called under the lock.
    pub(crate) fn sign_in<'h>(
        &self,
        SigningIn { conn, success, now }: SigningIn<'_>,
        before: Option<&SignedIn>,
        user: UserData,
        hooks: impl FnOnce() -> Hooks<'h>,
    ) -> SignedIn {
        let sharing = self.sharing.as_deref();
        let mut table = self.table.lock();
        if before.is_none() {
            let signed_in = table.users.entry(user.id.clone()).or_default();
            signed_in.signed_in.insert(conn.id, Arc::clone(conn));
            if signed_in.signed_in.len() == 1 {
                signed_in.since = now;
                table.online += 1;
                table.came_online(&user.id, sharing, hooks());
            }
            table.count_in_cluster(&user.id, sharing);
        }
        conn.outbox.push(success);
        let watched = before.map_or(&[][..], |before| &before.watching);
        match sharing {
            None => {
                table.unwatch(conn.id, watched, None);
                table.watch(conn, &user.watchlist);
            }
            Some(sharing) => table.watch_in_cluster(conn, watched, &user.watchlist, sharing),
        }
        SignedIn { id: user.id, user_info: user.user_info, watching: user.watchlist }
    }

    /// The connection has ended. `hooks` is called under the lock.
    pub(crate) fn sign_out<'h>(&self, socket: SocketId, ended: &SignedIn, hooks: impl FnOnce() -> Hooks<'h>) {
        let sharing = self.sharing.as_deref();
        let mut table = self.table.lock();
        table.unlisted.remove(&socket);
        table.unwatch(socket, &ended.watching, sharing);
        if let Some(user) = table.users.get_mut(&ended.id) {
            user.signed_in.remove(&socket);
            if user.signed_in.is_empty() {
                table.online -= 1;
                table.went_offline(&ended.id, sharing, hooks());
            }
        }
        table.count_in_cluster(&ended.id, sharing);
        table.forget_if_idle(&ended.id);
    }

    /// Closes every connection that is signed in as the user (API-060); returns the number of closed connections.
    pub(crate) fn close(&self, id: &str, reason: &CloseReason) -> usize {
        let table = self.table.lock();
        let signed_in = table.users.get(id).map(|user| &user.signed_in);
        for conn in signed_in.iter().flat_map(|conns| conns.values()) {
            conn.outbox.close(reason.clone());
        }
        signed_in.map_or(0, Sockets::len)
    }

    /// Of each of these users, whether the user is online on this node, in their order.
    pub(crate) fn look<'u>(&self, ids: impl Iterator<Item = &'u UserId>) -> Vec<OnlineUser> {
        let table = self.table.lock();
        ids.map(|id| table.users.get(id).map(User::on_this_node).unwrap_or_default()).collect()
    }

    /// Everybody online, each on the user's hidden channel.
    pub(crate) fn present(&self) -> Vec<Present> {
        let table = self.table.lock();
        let online = table.users.iter().filter(|(_, user)| !user.signed_in.is_empty());
        online.map(|(id, _)| Present { channel: ChannelName::online(id), users: vec![id.clone()] }).collect()
    }

    /// Number of users online.
    pub(crate) fn online(&self) -> usize {
        self.table.lock().online
    }
}

impl Table {
    /// The user's first connection on this node has signed in.
    fn came_online(&mut self, id: &UserId, sharing: Option<&Sharing>, hooks: Hooks<'_>) {
        match sharing {
            None => {
                self.tell_watchers(id, true);
                hooks.tell(Kind::Users, || Transition::Joined(ChannelName::online(id), id.clone()));
            }
            Some(sharing) => self.join_cluster(id, sharing, hooks.want(Kind::Users)),
        }
    }

    /// The user's last connection on this node has ended.
    fn went_offline(&mut self, id: &UserId, sharing: Option<&Sharing>, hooks: Hooks<'_>) {
        match sharing {
            None => {
                self.tell_watchers(id, false);
                hooks.tell(Kind::Users, || Transition::Left(ChannelName::online(id), id.clone()));
            }
            Some(sharing) => self.leave_cluster(id, sharing),
        }
    }

    /// Tells everybody who watches the user, but not who is still to get a first list.
    fn tell_watchers(&self, id: &UserId, is_online: bool) {
        let Some(user) = self.users.get(id).filter(|user| !user.watchers.is_empty()) else { return };
        let frame = match is_online {
            true => server::watchlist_events(&[id], &[]),
            false => server::watchlist_events(&[], &[id]),
        };
        for (_, watcher) in user.watchers.iter().filter(|(socket, _)| !self.unlisted.contains_key(*socket)) {
            watcher.outbox.push(&frame);
        }
    }

    fn watch(&mut self, conn: &Arc<Conn>, watchlist: &[UserId]) {
        for id in watchlist {
            self.users.entry(id.clone()).or_default().watchers.insert(conn.id, Arc::clone(conn));
        }
        self.send_list(conn, watchlist);
    }

    /// Sends the state of everybody on a watchlist (WS-195).
    fn send_list(&self, conn: &Conn, watchlist: &[UserId]) {
        let is_online = |id: &&UserId| self.users.get(*id).is_some_and(User::is_online);
        let (online, offline): (Vec<&UserId>, Vec<&UserId>) = watchlist.iter().partition(is_online);
        if !watchlist.is_empty() {
            conn.outbox.push(&server::watchlist_events(&online, &offline));
        }
    }

    fn unwatch(&mut self, socket: SocketId, watching: &[UserId], sharing: Option<&Sharing>) {
        for id in watching {
            if let Some(watched) = self.users.get_mut(id) {
                watched.watchers.remove(&socket);
                watched.close_if_unwatched(id, sharing);
            }
            self.forget_if_idle(id);
        }
    }

    fn forget_if_idle(&mut self, id: &UserId) {
        if self.users.get(id).is_some_and(|user| user.signed_in.is_empty() && user.watchers.is_empty()) {
            self.users.remove(id);
        }
    }
}

impl User {
    fn on_this_node(&self) -> OnlineUser {
        let connections = self.signed_in.len();
        OnlineUser { connections, since: (connections > 0).then_some(self.since) }
    }

    /// Whether the user is online, in the cluster if there is one.
    fn is_online(&self) -> bool {
        self.shared.as_ref().map_or(!self.signed_in.is_empty(), |shared| shared.is_online())
    }
}
