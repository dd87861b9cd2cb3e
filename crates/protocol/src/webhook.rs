//! Webhooks: what an app's back end is told, and how it is written (HOOK-001 … HOOK-017).
//!
//! The only place that builds JSON for back ends unasked. Plain values; when something is told, and how often it
//! is tried, is the business of the crate `webhooks`.

mod event;
mod kinds;

pub use self::event::{ClientEvent, Event, body};
pub use self::kinds::{Kind, Kinds};

use crate::channel::ChannelName;
use crate::ids::UserId;

/// A place that is told what happens on an app's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where requests go; `http` or `https`, without a user or password.
    pub url: String,
    /// What it is told (HOOK-017).
    pub events: Kinds,
    /// It is told of channels whose names begin with one of these; of all if there is none.
    pub channel_prefixes: Vec<String>,
    /// Several events may come in one request (HOOK-002).
    pub batch: bool,
    /// Off: it is told nothing.
    pub enabled: bool,
}

impl Webhook {
    /// Whether it is told this of the channel.
    #[must_use]
    pub fn wants(&self, kind: Kind, channel: &ChannelName) -> bool {
        let is_meant = |prefix: &String| channel.as_str().starts_with(prefix);
        self.enabled
            && self.events.contains(kind)
            && (self.channel_prefixes.is_empty() || self.channel_prefixes.iter().any(is_meant))
    }
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
