//! What happens on channels that a webhook may be told of.
//!
//! Plain values, without JSON.

use super::kinds::Kind;
use crate::channel::ChannelName;
use crate::data::Data;
use crate::ids::{SocketId, UserId};

/// An event that a client has sent to others (HOOK-015).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// Where.
    pub channel: ChannelName,
    /// Its name.
    pub name: String,
    /// As the others get it.
    pub data: Data<'static>,
    /// Who sent it.
    pub sender: SocketId,
    /// Whom the sender stands for, on presence channels.
    pub user: Option<UserId>,
}

/// An occupied channel and the users on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its name.
    pub channel: ChannelName,
    /// Distinct, on presence channels.
    pub users: Vec<UserId>,
}

/// Something that has happened on a channel, in the order in which it did.
///
/// The first four say how things are from now on, so that one which is told twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It has its first subscriber.
    Occupied(ChannelName),
    /// It has no subscriber any more.
    Vacated(ChannelName),
    /// A user is there with the first connection.
    Joined(ChannelName, UserId),
    /// A user's last connection has gone.
    Left(ChannelName, UserId),
    /// A subscriber found an empty cache (WS-172).
    Missed(ChannelName),
    /// An empty cache has an event; ends the silence about further misses (HOOK-018).
    Filled(ChannelName),
    /// So many connections are subscribed (WS-175).
    Counted(ChannelName, usize),
    /// A client has sent an event to others (WS-168).
    Sent(Box<ClientEvent>),
}

impl Transition {
    /// Which switch it belongs to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Occupied(_) | Self::Vacated(_) => Kind::ChannelExistence,
            Self::Joined(..) | Self::Left(..) => Kind::Presence,
            Self::Missed(_) | Self::Filled(_) => Kind::CacheMiss,
            Self::Counted(..) => Kind::SubscriptionCount,
            Self::Sent(_) => Kind::ClientEvents,
        }
    }

    /// Bytes of memory that it holds beside itself, where they can be many.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Sent(event) => event.name.len() + event.data.len(),
            _ => 0,
        }
    }
}
