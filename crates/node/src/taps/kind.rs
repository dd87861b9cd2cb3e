//! The kinds of entries (CON-028, CON-082), sets of kinds, and counts by kind.

use serde_json::{Map, Value};

/// What an entry tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveKind {
    /// A client has connected.
    Connected,
    /// A connection has ended.
    Closed,
    /// A connection has subscribed to a channel.
    Subscribed,
    /// A subscription has ended.
    Unsubscribed,
    /// A channel has its first subscriber on the node.
    Occupied,
    /// A channel has lost its last subscriber on the node.
    Vacated,
    /// A user's first connection on the node has joined a presence channel.
    MemberAdded,
    /// A user's last connection on the node has left a presence channel.
    MemberRemoved,
    /// A connection has signed in as a user.
    SignedIn,
    /// An event of a back end, or of an operator.
    Event,
    /// An event from an application's Redis.
    RedisEvent,
    /// An event of a client.
    ClientEvent,
    /// Something was refused.
    Refused,
    /// The app's application was asked for its leave.
    Authorization,
    /// A webhook was delivered.
    WebhookDelivered,
    /// An attempt to deliver a webhook has failed.
    WebhookFailed,
    /// The app's settings have changed.
    AppChanged,
}

impl LiveKind {
    /// All kinds, each at the place of its number.
    pub const ALL: [Self; 17] = [
        Self::Connected,
        Self::Closed,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Occupied,
        Self::Vacated,
        Self::MemberAdded,
        Self::MemberRemoved,
        Self::SignedIn,
        Self::Event,
        Self::RedisEvent,
        Self::ClientEvent,
        Self::Refused,
        Self::Authorization,
        Self::WebhookDelivered,
        Self::WebhookFailed,
        Self::AppChanged,
    ];

    /// The kind's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Closed => "closed",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Occupied => "occupied",
            Self::Vacated => "vacated",
            Self::MemberAdded => "member_added",
            Self::MemberRemoved => "member_removed",
            Self::SignedIn => "signed_in",
            Self::Event => "event",
            Self::RedisEvent => "redis_event",
            Self::ClientEvent => "client_event",
            Self::Refused => "refused",
            Self::Authorization => "authorization",
            Self::WebhookDelivered => "webhook_delivered",
            Self::WebhookFailed => "webhook_failed",
            Self::AppChanged => "app_changed",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KindSet(u32);

impl KindSet {
    pub(super) const ALL: Self = Self(u32::MAX);

    pub(super) fn of(kinds: &[LiveKind]) -> Self {
        Self(kinds.iter().fold(0, |set, kind| set | 1 << *kind as u32))
    }

    pub(super) const fn without(self, kind: LiveKind) -> Self {
        Self(self.0 & !(1 << kind as u32))
    }

    pub(super) const fn contains(self, kind: LiveKind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
}

/// How many of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindCounts([u64; LiveKind::ALL.len()]);

impl KindCounts {
    /// Counts one more.
    pub(super) fn add(&mut self, kind: LiveKind, count: u64) {
        self.0[kind as usize] = self.0[kind as usize].saturating_add(count);
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        self.0.iter_mut().zip(others.0).for_each(|(own, other)| *own = own.saturating_add(other));
    }

    /// The kinds that there are some of, with their numbers.
    pub(super) fn found(&self) -> impl Iterator<Item = (LiveKind, u64)> {
        LiveKind::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// By name, without the kinds that there are none of.
    #[must_use]
    pub fn by_name(&self) -> Map<String, Value> {
        self.found().map(|(kind, count)| (kind.name().to_owned(), count.into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_by_its_name_and_at_its_place() {
        for (at, kind) in LiveKind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, LiveKind::named(kind.name())), (at, Some(kind)));
        }
        assert_eq!(LiveKind::named("none"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = KindSet::of(&[LiveKind::Event, LiveKind::AppChanged]);
        let found: Vec<_> = LiveKind::ALL.into_iter().filter(|kind| set.contains(*kind)).collect();
        assert_eq!(found, [LiveKind::Event, LiveKind::AppChanged]);
        assert!(LiveKind::ALL.into_iter().all(|kind| KindSet::ALL.contains(kind)));
    }
}
