//! Why a Redis message does not reach subscribers.

use fanfare_laravel::feed::{NotABroadcast, Packed};
use fanfare_protocol::channel::InvalidName;
use fanfare_protocol::event_name::InvalidEventName;

/// The reasons, each counted and logged by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// Another message of the application; not a fault.
    #[error("it is no broadcast")]
    NotABroadcast,
    /// An event reserved by the protocol.
    #[error("event names beginning with pusher:, pusher_internal: and fanfare: are reserved")]
    ReservedEvent,
    /// An empty event name, or a long one.
    #[error("the event name is empty, or longer than limits.event_name")]
    EventName,
    /// The rest behind the prefix is no channel.
    #[error("what is behind the prefix is no name of a channel, or longer than limits.channel_name")]
    ChannelName,
    /// The configured prefix is only the beginning of the application's.
    #[error(
        "the application's prefix seems to be longer than redis_feed.prefix; \
         its private channels would be delivered under public names"
    )]
    Prefix,
    /// Laravel publishes to encrypted channels without encryption.
    #[error("the redis broadcaster does not encrypt what it publishes on encrypted channels")]
    Encrypted,
    /// Larger than the limit of events.
    #[error("it is larger than limits.event_bytes or limits.request_bytes")]
    TooLarge,
    /// The app is over a quota.
    #[error("the app is over a quota of messages")]
    OverQuota,
    /// phpredis serializes everything sent.
    #[error(
        "phpredis has serialized it, and no client of broadcasts reads that: set database.redis.options.serializer to \
         Redis::SERIALIZER_NONE for the connection that broadcasts"
    )]
    Serialized,
    /// phpredis compresses everything sent.
    #[error(
        "phpredis has compressed it, and no client of broadcasts reads that: set database.redis.options.compression \
         to Redis::COMPRESSION_NONE for the connection that broadcasts"
    )]
    Compressed,
    /// Messages arrive faster than they can be published.
    #[error("too many messages wait for being published")]
    QueueFull,
}

impl Dropped {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::NotABroadcast,
        Self::ReservedEvent,
        Self::EventName,
        Self::ChannelName,
        Self::Prefix,
        Self::Encrypted,
        Self::TooLarge,
        Self::OverQuota,
        Self::Serialized,
        Self::Compressed,
        Self::QueueFull,
    ];

    /// The label in metrics and the field in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotABroadcast => "not_a_broadcast",
            Self::ReservedEvent => "reserved_event",
            Self::EventName => "event_name",
            Self::ChannelName => "channel_name",
            Self::Prefix => "prefix",
            Self::Encrypted => "encrypted",
            Self::TooLarge => "too_large",
            Self::OverQuota => "over_quota",
            Self::Serialized => "serialized",
            Self::Compressed => "compressed",
            Self::QueueFull => "queue_full",
        }
    }
}

impl From<NotABroadcast> for Dropped {
    fn from(why: NotABroadcast) -> Self {
        match why {
            NotABroadcast::NotAnObject | NotABroadcast::NoEvent => Self::NotABroadcast,
            NotABroadcast::Packed(Packed::Serialized(_)) => Self::Serialized,
            NotABroadcast::Packed(Packed::Compressed(_)) => Self::Compressed,
            NotABroadcast::Reserved => Self::ReservedEvent,
        }
    }
}

impl From<InvalidName> for Dropped {
    fn from(_: InvalidName) -> Self {
        Self::ChannelName
    }
}

impl From<InvalidEventName> for Dropped {
    fn from(fault: InvalidEventName) -> Self {
        match fault {
            InvalidEventName::Empty | InvalidEventName::TooLong { .. } => Self::EventName,
            InvalidEventName::Reserved => Self::ReservedEvent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_number() {
        for (at, dropped) in Dropped::ALL.into_iter().enumerate() {
            assert_eq!(dropped as usize, at, "{dropped:?}");
        }
    }
}
