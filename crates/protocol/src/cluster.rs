//! What a node tells the cluster about its channels, and what the cluster answers (CL-001 … CL-074).
//!
//! Plain values, shared by the hub, which makes changes and applies outcomes, and by the bus, which knows how nodes
//! agree. Holds no decision.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::channel::ChannelName;
use crate::frame::Frame;
use crate::ids::{SocketId, UserId};
use crate::presence::UserInfo;
use crate::webhook::Kinds;

/// Names one life of a channel on one node: an outcome for an earlier life means nothing to a later one. Later lives
/// have greater numbers.
pub type CopyId = u64;

/// Names one join or leave of a user on one node; later ones have greater numbers.
pub type Ticket = u64;

/// A change on this node, in the order of the changes.
///
/// Every variant states the result, so that a repeated change does no harm. Changes of one moment come in the order
/// `Opened`, `Joined`, `Counted`, or `Left`, `Counted`, `Closed`.
#[derive(Clone, Debug)]
pub enum Change {
    /// The channel has its first subscriber on this node, or a user its first watcher. Or an open channel begins a new
    /// copy with a greater number: its roster and its cache are to be read anew, and its users and counts stay.
    Opened {
        /// The channel.
        channel: ChannelName,
        /// The life that begins.
        copy: CopyId,
    },
    /// The last subscriber or watcher on this node has gone.
    Closed {
        /// The channel.
        channel: ChannelName,
        /// The life that ends.
        copy: CopyId,
    },
    /// The user's first connection on this node has joined, or one with a newer `user_info` (WS-123), with a ticket of
    /// its own.
    Joined(Joined),
    /// The user's last connection on this node has left.
    Left {
        /// The channel.
        channel: ChannelName,
        /// The user.
        user: UserId,
        /// The leave's own number.
        ticket: Ticket,
    },
    /// The number of subscriptions on this node has changed.
    Counted {
        /// The channel.
        channel: ChannelName,
        /// Subscriptions now; those that wait for their acknowledgement too.
        count: usize,
        /// Whether subscribers are told of the cluster's number.
        told: Telling,
        /// Whether a webhook of the app wants to know of occupied channels.
        hooked: bool,
    },
    /// A back end has published to a cache channel (CL-040).
    Kept(KeptEvent),
    /// A subscriber found no event in a cache channel, and a webhook wants to know (HOOK-018).
    Missed {
        /// The channel.
        channel: ChannelName,
    },
}

impl Change {
    /// The channel that the change is about.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        match self {
            Self::Opened { channel, .. }
            | Self::Closed { channel, .. }
            | Self::Left { channel, .. }
            | Self::Counted { channel, .. }
            | Self::Missed { channel } => channel,
            Self::Joined(joined) => &joined.channel,
            Self::Kept(event) => &event.channel,
        }
    }
}

/// A user who is on a presence channel, or signed in.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The channel.
    pub channel: ChannelName,
    /// The user.
    pub user: UserId,
    /// The newest `user_info` that this node knows; of a hidden channel, see [`Joined::online`].
    pub info: UserInfo,
    /// The join's own number.
    pub ticket: Ticket,
    /// The most users that the channel may have in the cluster; `None` for any number (CL-016).
    pub most: Option<usize>,
    /// Whether a webhook of the app wants to know of members.
    pub hooked: bool,
}

impl Joined {
    /// A user who is signed in, on the user's hidden channel: instead of a `user_info` stands since when, in seconds since
    /// 1970.
    #[must_use]
    pub fn online(user: &UserId, since: u64, ticket: Ticket, hooked: bool) -> Self {
        Self {
            channel: ChannelName::online(user),
            user: user.clone(),
            info: RawValue::from_string(since.to_string()).ok(),
            ticket,
            most: None,
            hooked,
        }
    }
}

/// An event for a cache channel, as clients get it.
#[derive(Clone, Debug)]
pub struct KeptEvent {
    /// The channel.
    pub channel: ChannelName,
    /// The event.
    pub frame: Frame,
    /// The connection that does not get the event.
    pub except: Option<SocketId>,
    /// How long the event is kept.
    pub lives: Duration,
    /// The most bytes that all kept events of the app may take in the cluster; beyond that the oldest go.
    pub most_bytes: usize,
    /// Other nodes keep the event and deliver it to nobody: they heard of it themselves (CL-068).
    pub quiet: bool,
}

/// Who hears of a channel's number of subscriptions (CL-022).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Nobody.
    #[default]
    Off,
    /// Subscribers or webhooks: at once up to a hundred, above that every five seconds.
    Crowds,
    /// Every node, at each change: for numbers that nodes decide by (CL-062).
    Always,
}

/// What the cluster says about a channel of this node.
#[derive(Clone, Debug)]
pub enum ClusterOutcome {
    /// The cluster has the user's join.
    Confirmed {
        /// The channel.
        channel: ChannelName,
        /// The user.
        user: UserId,
        /// The join that was confirmed; another than the user's present one confirms nothing.
        ticket: Ticket,
    },
    /// The channel has as many users as it may (WS-136).
    Refused {
        /// The channel.
        channel: ChannelName,
        /// The user.
        user: UserId,
        /// The join that was refused.
        ticket: Ticket,
    },
    /// The user is on the channel; for a known user the newer `user_info` (CL-015).
    Added {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
        /// The user.
        user: UserId,
        /// The newest `user_info`.
        info: UserInfo,
    },
    /// The user is on the channel no more.
    Removed {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
        /// The user.
        user: UserId,
    },
    /// Every user on the channel.
    Roster {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
        /// The users.
        users: Vec<(UserId, UserInfo)>,
        /// Users who are missing here are not removed: their nodes may not have said so yet (N8).
        only_adds: bool,
    },
    /// The channel's roster is being read anew; who joins has to wait for it.
    Doubtful {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
    },
    /// Connections that wait for an acknowledgement get it, with what this node knows (CL-006, CL-017). Later newcomers
    /// of a presence channel, or of a channel whose topic is not live, wait for another `Serve`.
    Serve {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
    },
    /// The cluster's number of subscriptions, to be told to subscribers (CL-022).
    Count {
        /// The channel.
        channel: ChannelName,
        /// Subscriptions in the cluster.
        count: usize,
    },
    /// This node's change of the number was the one told: its webhooks tell it too (CL-035).
    CountTold {
        /// The channel.
        channel: ChannelName,
        /// Subscriptions in the cluster.
        count: usize,
    },
    /// This node is the one to tell webhooks of an empty cache channel (CL-035).
    MissTold {
        /// The channel.
        channel: ChannelName,
    },
    /// What is kept of a cache channel, as of a version (N12).
    Cached {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
        /// The event, if one is kept.
        found: Option<FoundEvent>,
    },
    /// The link was lost, or an own event of the channel was: echoes of this node's own events will not come (N12). What
    /// is kept here is served until the next `Cached`.
    CacheLost {
        /// The channel.
        channel: ChannelName,
        /// The life that is meant.
        copy: CopyId,
    },
    /// The app's connections in the cluster (CL-062).
    Total {
        /// Connections in the cluster.
        total: usize,
        /// This node's part in it.
        own: usize,
    },
}

/// The kept event of a cache channel.
#[derive(Clone, Debug)]
pub struct FoundEvent {
    /// The event's place in the order of all kept events of its topic.
    pub version: u64,
    /// The event.
    pub frame: Frame,
    /// How long the event is kept from now on.
    pub lives: Duration,
}

/// Everything that one app has on this node, for a bus that has missed changes.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The channels with subscribers, and the users with watchers.
    pub channels: Vec<OpenChannel>,
    /// Kinds of webhooks that the app wants.
    pub hooked: Kinds,
    /// Changes before this were lost, events among them: the copies of cache channels are named anew, and what still waits
    /// of older changes need not be told. Without a gap all changes are told, the older ones before this.
    pub has_gap: bool,
}

/// A channel with subscribers on this node, or a user's hidden channel.
#[derive(Clone, Debug)]
pub struct OpenChannel {
    /// The channel.
    pub channel: ChannelName,
    /// The channel's life; `None` without subscribers or watchers here.
    pub copy: Option<CopyId>,
    /// Subscriptions on this node.
    pub count: usize,
    /// Whether subscribers are told of the cluster's number.
    pub told: Telling,
    /// The users here.
    pub users: Vec<Joined>,
}
