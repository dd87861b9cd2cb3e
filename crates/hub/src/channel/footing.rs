//! What one subscriber has in its channel on this node, for whoever asks at the moment when a subscription begins or ends.

use fanfare_protocol::ids::{SocketId, UserId};

use super::Channel;

/// A subscriber's part in its channel, while the subscriber is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footing {
    /// The user that the subscriber stands for, on presence channels.
    pub user: Option<UserId>,
    /// Nobody else is subscribed on this node.
    pub is_alone: bool,
    /// The user has no other connection in the channel on this node.
    pub is_users_only: bool,
}

impl Channel {
    /// The footing of a subscriber, acknowledged or not.
    pub(crate) fn footing(&self, socket: SocketId) -> Footing {
        let Some(member) = self.member(socket) else { return Footing::default() };
        let connections = |user| match &self.copy {
            Some(copy) => copy.here.get(user).map(|here| here.connections),
            None => self.users.as_ref()?.get(user).map(|user| user.connections),
        };
        Footing {
            user: member.user.clone(),
            is_alone: self.subscriptions() == 1,
            is_users_only: member.user.as_ref().and_then(connections) == Some(1),
        }
    }
}
