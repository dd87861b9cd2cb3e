//! One message of Redis: the broadcast that it is, or why it is none.
//!
//! The prefix covers whatever else the application publishes (Horizon, its own messages), so that most of what
//! is no broadcast is nobody's fault. What is kept of `data` is kept byte for byte.

use std::borrow::Cow;
use std::fmt;

use fanfare_protocol::data::Data;
use fanfare_protocol::event_name::is_reserved;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::json;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::packed::Packed;

/// An event, as Laravel's `redis` broadcaster publishes it to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast<'a> {
    /// The event's name: a class with backslashes, or what `broadcastAs` says.
    pub event: Cow<'a, str>,
    /// The text that clients get as `data`.
    pub data: Data<'a>,
    /// Who does not get it; an id that cannot be one of ours excludes nobody.
    pub except: Option<SocketId>,
}

/// Why a message is no broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABroadcast {
    /// It is not UTF-8, or no JSON object.
    #[error("it is no JSON object")]
    NotAnObject,
    /// phpredis has made something else of what may be a broadcast.
    #[error("phpredis has packed it: {} is {}", .0.option(), .0.by())]
    Packed(Packed),
    /// There is no `event`, or it is no string.
    #[error("it has no event name")]
    NoEvent,
    /// Its event is one of the protocol's own.
    #[error("its event name begins with pusher: or pusher_internal:")]
    Reserved,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    socket: Option<&'a RawValue>,
}

/// What is there, null included; serde alone would take null for nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Broadcast<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// It is not a broadcast.
    pub fn parse(message: &'a [u8]) -> Result<Self, NotABroadcast> {
        let fields: Option<Fields<'a>> = std::str::from_utf8(message).ok().and_then(json::object);
        let no_object = || Packed::of(message).map_or(NotABroadcast::NotAnObject, NotABroadcast::Packed);
        let fields = fields.ok_or_else(no_object)?;
        let event = fields.event.and_then(|event| json::string(event.get())).ok_or(NotABroadcast::NoEvent)?;
        if is_reserved(&event) {
            return Err(NotABroadcast::Reserved);
        }
        let except = fields.socket.and_then(|socket| json::string(socket.get())?.parse().ok());
        Ok(Self { event, data: data(fields.data, fields.socket), except })
    }
}

/// The text for clients: a string's own text, else the value itself; null where there is none. The `socket` that
/// Laravel puts into `data` is the one beside it, and is taken out; another one is the application's own.
fn data<'a>(data: Option<&'a RawValue>, socket: Option<&RawValue>) -> Data<'a> {
    let Some(data) = data else { return Data::from("null") };
    let text = data.get();
    if text.starts_with('"') {
        return Data::of_json(text).unwrap_or(Data::from(text));
    }
    match socket.filter(|_| text.starts_with('{')).and_then(|socket| without_socket(text, socket.get())) {
        Some(rest) => Data::from(rest),
        None => Data::from(text),
    }
}

/// The object without its member `socket`, if that has this value.
fn without_socket(object: &str, socket: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(object).ok()?;
    let at = members.iter().position(|(name, value)| name == "socket" && same(value.get(), socket))?;
    if members.len() == 1 {
        // What is left of no public property: PHP's empty array, as it comes over HTTP as well.
        return Some("[]".to_owned());
    }
    let end_of = |value: &RawValue| value.get().as_ptr().addr() - object.as_ptr().addr() + value.get().len();
    let end = end_of(members[at].1);
    let cut = match at.checked_sub(1) {
        // From behind the value before it: the comma, the name, the value.
        Some(before) => end_of(members[before].1)..end,
        // The first: up to and with the comma behind it.
        None => 1..end + object.get(end..)?.find(',')? + 1,
    };
    Some(format!("{}{}", object.get(..cut.start)?, object.get(cut.end..)?))
}

fn same(one: &str, other: &str) -> bool {
    one == other || json::string(one).is_some_and(|one| json::string(other) == Some(one))
}

/// The members of an object, in its order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests;
