//! Subscribers of a channel, and the users of a presence channel.

use std::sync::Arc;

use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::UserInfo;

use crate::conn::Conn;

/// A subscriber.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) conn: Arc<Conn>,
    /// The user that the connection stands for, on presence channels.
    pub(super) user: Option<UserId>,
}

/// A user on a presence channel.
#[derive(Debug)]
pub(super) struct User {
    /// Acknowledged connections of the user on this node.
    pub(super) connections: usize,
    pub(super) info: UserInfo,
    /// `info` is newer than the info that other members were sent (WS-123).
    pub(super) is_replaced: bool,
}

impl User {
    /// Takes over a newer `user_info` without an event (WS-123).
    pub(super) fn renew(&mut self, info: &UserInfo) {
        self.is_replaced |= !is_same(&self.info, info);
        self.info.clone_from(info);
    }
}

/// Whether both are the same text.
pub(super) fn is_same(one: &UserInfo, other: &UserInfo) -> bool {
    one.as_ref().map(|info| info.get()) == other.as_ref().map(|info| info.get())
}
