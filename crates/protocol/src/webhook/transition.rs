//! Transitions: changes on channels that a webhook may want.
//!
//! Plain values, without JSON.

use super::kinds::Kind;
use crate::channel::ChannelName;
use crate::data::Data;
use crate::ids::{SocketId, UserId};

/// A client event that was sent to others (HOOK-015).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentEvent {
    /// The event's channel.
    pub channel: ChannelName,
    /// The event's name.
    pub name: String,
    /// The data as forwarded.
    pub data: Data<'static>,
    /// The sender's connection.
    pub sender: SocketId,
    /// The sender's user, on presence channels.
    pub user: Option<UserId>,
}

/// An occupied channel and the users on it; a user who is online is on a hidden channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The channel's name.
    pub channel: ChannelName,
    /// Distinct users, on presence channels.
    pub users: Vec<UserId>,
}

/// A change on a channel, in the order of the changes.
///
/// The first four variants state the result of the change, so that a repeated transition does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The channel has its first subscriber.
    Occupied(ChannelName),
    /// The channel has no subscriber any more.
    Vacated(ChannelName),
    /// The user's first connection has joined the channel; on the user's hidden channel, has signed in.
    Joined(ChannelName, UserId),
    /// The user's last connection has left.
    Left(ChannelName, UserId),
    /// A subscriber had a cache miss (WS-172).
    Missed(ChannelName),
    /// An empty cache has got an event; ends the silence about further cache misses (HOOK-018).
    Filled(ChannelName),
    /// The subscription count has changed to this number (WS-175).
    Counted(ChannelName, usize),
    /// A client has sent an event to others (WS-168).
    Sent(Box<SentEvent>),
}

impl Transition {
    /// The transition's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Occupied(_) | Self::Vacated(_) => Kind::ChannelExistence,
            Self::Joined(channel, _) | Self::Left(channel, _) => Kind::of_members(channel),
            Self::Missed(_) | Self::Filled(_) => Kind::CacheMiss,
            Self::Counted(..) => Kind::SubscriptionCount,
            Self::Sent(_) => Kind::ClientEvents,
        }
    }

    /// Bytes of memory beside the transition itself, for transitions that can be large.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Sent(event) => event.name.len() + event.data.len(),
            _ => 0,
        }
    }
}
