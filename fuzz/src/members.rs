//! Objects of JSON, read member by member, repeated ones included: the oracle for code that reads JSON.
//!
//! Never decides what a member means.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one object, in order.
pub struct Members(Vec<(Name, Box<RawValue>)>);

/// A member's name in bytes: a name with half a surrogate pair is JSON, but no text.
struct Name(Vec<u8>);

impl Members {
    /// Reads a text that is one object.
    pub fn of(json: &str) -> Option<Self> {
        // `serde_json` does not look for control characters where bytes are read.
        serde_json::from_str::<IgnoredAny>(json).ok()?;
        serde_json::from_str(json).ok()
    }

    /// The JSON of the member with this name; an error for a repeated member.
    pub fn only(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut found = self.0.iter().filter(|(own, _)| own.0 == name.as_bytes()).map(|(_, json)| json.get());
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err(Repeated),
        }
    }
}

/// Two members have the same name.
pub struct Repeated;

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(InBytes)
    }
}

struct InBytes;

impl Visitor<'_> for InBytes {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Name, E> {
        Ok(Name(name.to_owned()))
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// The text of a JSON string; `None` for anything else.
pub fn text_of(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}
