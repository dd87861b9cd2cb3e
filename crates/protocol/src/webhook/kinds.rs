//! Which kinds of events a webhook is told, by the names of their switches (HOOK-017).

/// What is switched on or off as one, as in hosted Pusher's dashboard.
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
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::ChannelExistence,
        Self::Presence,
        Self::ClientEvents,
        Self::CacheMiss,
        Self::SubscriptionCount,
    ];

    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelExistence => "channel_existence",
            Self::Presence => "presence",
            Self::ClientEvents => "client_events",
            Self::CacheMiss => "cache_miss",
            Self::SubscriptionCount => "subscription_count",
        }
    }

    /// All names, for those who look for one by what it tells.
    #[must_use]
    pub fn names_explained() -> String {
        let explained = Self::ALL.map(|kind| match kind {
            Self::ChannelExistence => format!("{} (channel_occupied, channel_vacated)", kind.name()),
            Self::Presence => format!("{} (member_added, member_removed)", kind.name()),
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

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this kind is among them.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those of these that are among the others.
    #[must_use]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those of these that are not among the others.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Each of them.
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
        assert_eq!(Kinds::from_iter(Kind::ALL).each().count(), 5);
        assert_eq!(Kind::named("channel_occupied"), None);
    }
}
