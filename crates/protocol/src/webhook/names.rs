//! The names of events in webhooks, and sets of them.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Every name (HOOK-010 … HOOK-016, HOOK-027).
const NAMES: [&str; 9] = [
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "user_online",
    "user_offline",
    "cache_miss",
    "subscription_count",
    "client_event",
];

/// A set of names, in two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventNames(u16);

impl EventNames {
    /// The set of one name; empty for a text that is no event's name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        NAMES.iter().position(|known| *known == name).map_or(Self(0), |at| Self(1 << at))
    }

    /// The names of the events in a body that [`body`](super::body) has made. Within texts of JSON quotes are escaped, so
    /// that no text looks like the beginning of an event.
    #[must_use]
    pub fn in_body(body: &[u8]) -> Self {
        let body = str::from_utf8(body).unwrap_or_default();
        body.split(r#"{"name":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    /// The names of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().enumerate().filter(move |(at, _)| self.0 & 1 << at != 0).map(|(_, name)| name)
    }
}

impl<'a> FromIterator<&'a str> for EventNames {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        names.into_iter().fold(Self::default(), |set, name| set.with(Self::of(name)))
    }
}

impl Serialize for EventNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Names of another release are left out.
impl<'de> Deserialize<'de> for EventNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<Cow<'de, str>>::deserialize(deserializer)?;
        Ok(names.iter().map(|name| &**name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_054_a_set_holds_the_names_that_were_put_in_each_once() {
        let set: EventNames =
            ["member_added", "channel_occupied", "member_added", "zzz"].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), ["channel_occupied", "member_added"]);
        assert_eq!(NAMES.into_iter().collect::<EventNames>().iter().count(), NAMES.len());
    }

    #[test]
    fn con_054_the_names_in_a_body_are_those_of_its_events_whatever_their_data_says() {
        let sent = r#"{"name":"client_event","channel":"private-a","data":"{\"name\":\"cache_miss\"}"}"#;
        let body = super::super::body(7, ["{\"name\":\"member_added\"}", sent]);
        let names: Vec<_> = EventNames::in_body(body.as_bytes()).iter().collect();
        assert_eq!(names, ["member_added", "client_event"]);
        assert_eq!(EventNames::in_body(b"\xff").iter().count(), 0);
    }
}
