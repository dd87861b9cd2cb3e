//! The signed-in users of an app, and their watchers (WS-186, WS-195 … WS-198).
//!
//! One lock over both, so that a watcher's first list and the later changes add up to the truth. The lock is taken
//! at sign-in and at the end of a signed-in connection, never for a message; outboxes are pushed to under the lock,
//! as under a shard's.

use std::sync::Arc;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::UserInfo;
use fanfare_protocol::server;
use fanfare_protocol::user::UserData;
use hashbrown::HashMap;

use crate::conn::{Conn, Sockets, give_back};
use crate::sync::{Mutex, RandomState};

/// The signed-in users of one app, and the watched users.
#[derive(Debug, Default)]
pub(crate) struct Users {
    /// Guards the users and their sockets.
    table: Mutex<Table>,
}

type Table = HashMap<UserId, User, RandomState>;

#[derive(Debug, Default)]
struct User {
    signed_in: Sockets<Arc<Conn>>,
    watchers: Sockets<Arc<Conn>>,
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
    /// Signs a connection in, or takes over the same user's newer data; pushes `success`, then the online users of
    /// the watchlist (WS-195).
    pub(crate) fn sign_in(
        &self,
        conn: &Arc<Conn>,
        before: Option<&SignedIn>,
        user: UserData,
        success: &Frame,
    ) -> SignedIn {
        let mut table = self.table.lock();
        if before.is_none() {
            let signed_in = table.entry(user.id.clone()).or_default();
            signed_in.signed_in.insert(conn.id, Arc::clone(conn));
            if signed_in.signed_in.len() == 1 {
                signed_in.tell_watchers(&server::watchlist_events(&[&user.id], &[]));
            }
        }
        conn.outbox.push(success);
        unwatch(&mut table, conn.id, before.map_or(&[], |before| &before.watching));
        watch(&mut table, conn, &user.watchlist);
        SignedIn { id: user.id, user_info: user.user_info, watching: user.watchlist }
    }

    /// The connection has ended.
    pub(crate) fn sign_out(&self, socket: SocketId, ended: &SignedIn) {
        let mut table = self.table.lock();
        unwatch(&mut table, socket, &ended.watching);
        if let Some(user) = table.get_mut(&ended.id) {
            user.signed_in.remove(&socket);
            if user.signed_in.is_empty() {
                user.tell_watchers(&server::watchlist_events(&[], &[&ended.id]));
            }
        }
        forget_if_idle(&mut table, &ended.id);
        give_back(&mut table);
    }

    /// Closes every connection that is signed in as the user (API-060); returns the number of closed connections.
    pub(crate) fn close(&self, id: &str, reason: &CloseReason) -> usize {
        let table = self.table.lock();
        let signed_in = table.get(id).map(|user| &user.signed_in);
        for conn in signed_in.iter().flat_map(|conns| conns.values()) {
            conn.outbox.close(reason.clone());
        }
        signed_in.map_or(0, Sockets::len)
    }

    /// Number of users online.
    pub(crate) fn online(&self) -> usize {
        self.table.lock().values().filter(|user| !user.signed_in.is_empty()).count()
    }
}

impl User {
    fn tell_watchers(&self, frame: &Frame) {
        for watcher in self.watchers.values() {
            watcher.outbox.push(frame);
        }
    }
}

fn watch(table: &mut Table, conn: &Arc<Conn>, watchlist: &[UserId]) {
    let (mut online, mut offline) = (Vec::new(), Vec::new());
    for id in watchlist {
        let watched = table.entry(id.clone()).or_default();
        watched.watchers.insert(conn.id, Arc::clone(conn));
        if watched.signed_in.is_empty() { offline.push(id) } else { online.push(id) }
    }
    if !watchlist.is_empty() {
        conn.outbox.push(&server::watchlist_events(&online, &offline));
    }
}

fn unwatch(table: &mut Table, socket: SocketId, watching: &[UserId]) {
    for id in watching {
        if let Some(watched) = table.get_mut(id) {
            watched.watchers.remove(&socket);
        }
        forget_if_idle(table, id);
    }
}

fn forget_if_idle(table: &mut Table, id: &UserId) {
    if table.get(id).is_some_and(|user| user.signed_in.is_empty() && user.watchers.is_empty()) {
        table.remove(id);
    }
}
