//! One message of Redis: its broadcast, or why the message is none.
//!
//! The prefix covers everything else that the application publishes (Horizon, its own messages), so that most
//! messages without a broadcast are nobody's fault. The bytes of `data` stay unchanged.

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
    /// The event's name: a class with backslashes, or the result of `broadcastAs`.
    pub event: Cow<'a, str>,
    /// The `data` for clients.
    pub data: Data<'a>,
    /// The excluded connection; an id that no connection here can have excludes nobody.
    pub except: Option<SocketId>,
}

/// Why a message is no broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABroadcast {
    /// The message is not UTF-8, or no JSON object.
    #[error("it is no JSON object")]
    NotAnObject,
    /// phpredis has serialized or compressed what may be a broadcast.
    #[error("phpredis has packed it: {} is {}", .0.option(), .0.by())]
    Packed(Packed),
    /// The message has no `event`, or an `event` that is no string.
    #[error("it has no event name")]
    NoEvent,
    /// The event's name is reserved for the protocol.
    #[error("its event name begins with pusher:, pusher_internal: or fanfare:")]
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

/// A member's JSON, also for null; serde alone would read null as absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Broadcast<'a> {
    /// Parses a message.
    ///
    /// # Errors
    /// The message is not a broadcast.
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

/// The `data` for clients: a string's own text, else the value itself; null for absent data. A `socket` within
/// `data` that equals the one beside it is Laravel's, and is removed; any other is the application's own.
fn data<'a>(data: Option<&'a RawValue>, socket: Option<&RawValue>) -> Data<'a> {
    let Some(data) = data else { return Data::from("null") };
    let text = data.get();
    if text.starts_with('"') {
        return Data::of_value(text).unwrap_or(Data::from(text));
    }
    match socket.filter(|_| text.starts_with('{')).and_then(|socket| without_socket(text, socket.get())) {
        Some(rest) => Data::from(rest),
        None => Data::from(text),
    }
}

/// The object without its member `socket`, if the member has this value.
fn without_socket(object: &str, socket: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(object).ok()?;
    let at = members.iter().position(|(name, value)| name == "socket" && same(value.get(), socket))?;
    if members.len() == 1 {
        // An event without public properties: PHP's empty array, as over HTTP.
        return Some("[]".to_owned());
    }
    let end_of = |value: &RawValue| value.get().as_ptr().addr() - object.as_ptr().addr() + value.get().len();
    let end = end_of(members[at].1);
    let cut = match at.checked_sub(1) {
        // The cut begins behind the value before: the comma, the name, the value.
        Some(before) => end_of(members[before].1)..end,
        // The first member: up to and with the comma behind it.
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
