//! The kinds of webhook events, by the names of their settings (HOOK-017).

use crate::channel::ChannelName;

/// A kind of events with one switch, as in hosted Pusher's dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `channel_occupied` and `channel_vacated`.
    ChannelExistence,
    /// `member_added` and `member_removed`.
    Presence,
    /// `client_event`.
    ClientEvents,
    /// `cache_miss`.
    CacheMiss,
    /// `subscription_count`.
    SubscriptionCount,
    /// `user_online` and `user_offline`.
    Users,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::ChannelExistence,
        Self::Presence,
        Self::ClientEvents,
        Self::CacheMiss,
        Self::SubscriptionCount,
        Self::Users,
    ];

    /// The kind that tells of the members of a channel: of a user's hidden channel, whether the user is online.
    #[must_use]
    pub fn of_members(channel: &ChannelName) -> Self {
        if channel.online_user().is_some() { Self::Users } else { Self::Presence }
    }

    /// The kind's name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelExistence => "channel_existence",
            Self::Presence => "presence",
            Self::ClientEvents => "client_events",
            Self::CacheMiss => "cache_miss",
            Self::SubscriptionCount => "subscription_count",
            Self::Users => "users",
        }
    }

    /// Every kind with the events that the kind covers, for error messages.
    #[must_use]
    pub fn names_explained() -> String {
        let explained = Self::ALL.map(|kind| match kind {
            Self::ChannelExistence => format!("{} (channel_occupied, channel_vacated)", kind.name()),
            Self::Presence => format!("{} (member_added, member_removed)", kind.name()),
            Self::Users => format!("{} (user_online, user_offline)", kind.name()),
            Self::ClientEvents | Self::CacheMiss | Self::SubscriptionCount => kind.name().to_owned(),
        });
        explained.join(", ")
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// No kind at all.
    pub const NONE: Self = Self(0);

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set holds this kind.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// The union of both sets.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// The intersection of both sets.
    #[must_use]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// The kinds that `others` does not hold.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// The kinds of the set, one after the other.
    pub fn each(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_each_kind_has_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
            let set = Kinds::from_iter([kind]);
            assert_eq!(set.each().collect::<Vec<_>>(), [kind]);
            assert!(set.without(set).is_empty() && set.among(Kinds::NONE).is_empty());
            assert_eq!((set.and(Kinds::NONE), set.among(Kinds::from_iter(Kind::ALL))), (set, set));
        }
        assert_eq!(Kinds::from_iter(Kind::ALL).each().count(), 6);
        assert_eq!(Kind::named("channel_occupied"), None);
    }
}
