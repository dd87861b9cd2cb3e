//! An entry of the live list: made once for all taps that want it, and its JSON (CON-027, CON-082).
//!
//! The data of an event is not copied: an entry refers to the message that was sent, and reads the data out of it when the
//! entry is written.

use std::collections::HashMap;
use std::fmt::Write as _;

use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::shortened;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fact::LiveFact;
use super::kind::LiveKind;
use crate::clock::unix_milliseconds;

/// Most bytes of an event's data in an entry.
const MOST_DATA: usize = 4096;

/// Longest text in an entry besides data, in bytes.
const MOST_TEXT: usize = 500;

/// A message larger than this is not kept for its data, in bytes: few would fill the ring.
const LARGEST_KEPT: usize = 128 * 1024;

/// Memory of an entry besides its text and its message, in bytes: its fields, and its place in a ring.
const ENTRY_COST: usize = 256;

/// One line of the live list.
#[derive(Debug)]
pub struct LiveEntry {
    /// The entry's number, which grows.
    pub id: u64,
    /// What it tells of.
    pub kind: LiveKind,
    /// All that is known but the number and the data: the members of a JSON object.
    members: Box<str>,
    data: Carried,
}

/// What an entry has of an event's data.
#[derive(Debug)]
enum Carried {
    Nothing,
    /// Only clients can read it.
    Encrypted,
    /// In this message.
    Message(Frame),
    /// In a message that was too large to be kept.
    TooLarge,
}

impl LiveEntry {
    /// The entry of a fact of the node with this name; `keeps_data` if a tap may show the data.
    pub(super) fn new(id: u64, node: &str, fact: &LiveFact<'_>, keeps_data: bool) -> Self {
        let data = match fact.frame.filter(|_| keeps_data) {
            Some(frame) => Carried::of(frame, fact.channel),
            None => Carried::Nothing,
        };
        Self { id, kind: fact.kind, members: members(node, fact).into(), data }
    }

    /// The entry that another node has told: the members of its object, with the data that the tap may show.
    pub(super) fn of_other_node(id: u64, kind: LiveKind, members: Box<str>) -> Self {
        Self { id, kind, members, data: Carried::Nothing }
    }

    /// The entry for another node, which gives the number.
    pub(super) fn without_id(&self, with_data: bool) -> String {
        let data = if with_data { self.data.members() } else { String::new() };
        format!("{{{}{data}}}", self.members)
    }

    /// Bytes that the entry keeps.
    pub(super) fn bytes(&self) -> usize {
        let message = match &self.data {
            Carried::Message(frame) => frame.exact_bytes(),
            _ => 0,
        };
        ENTRY_COST + self.members.len() + message
    }

    /// The entry as JSON; `with_data` for who may see what events carry.
    #[must_use]
    pub fn json(&self, with_data: bool) -> String {
        let Self { id, members, data, .. } = self;
        let data = if with_data { data.members() } else { String::new() };
        format!(r#"{{"id":{id},{members}{data}}}"#)
    }
}

/// All that a fact says but its data.
fn members(node: &str, fact: &LiveFact<'_>) -> String {
    let mut members = format!(r#""at":"{}""#, utc_milliseconds(unix_milliseconds()));
    let mut put = |name: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = write!(members, r#","{name}":{}"#, Value::from(shortened(text, MOST_TEXT)));
    };
    put("node", node);
    put("kind", fact.kind.name());
    let texts = [
        ("channel", fact.channel),
        ("event", fact.event),
        ("user", fact.user),
        ("why", fact.why),
        ("transport", fact.transport),
        ("url", fact.url),
        ("refusal", fact.refusal),
    ];
    texts
        .iter()
        .filter_map(|(name, text)| text.map(|text| (name, text)))
        .for_each(|(name, text)| put(name, text));
    if let Some(socket) = fact.socket {
        put("socket", &socket.to_string());
    }
    if let Some(by) = fact.by {
        put("by", &by.to_string());
    }
    if let Some(address) = fact.address {
        put("address", &address.to_string());
    }
    let numbers = [
        ("bytes", fact.bytes.map(|bytes| bytes as u64)),
        ("receivers", fact.receivers.map(|receivers| receivers as u64)),
        ("code", fact.code.map(u64::from)),
        ("milliseconds", fact.milliseconds),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            let _ = write!(members, r#","{name}":{number}"#);
        }
    }
    members
}

impl Carried {
    fn of(frame: &Frame, channel: Option<&str>) -> Self {
        let channel = channel.map(ChannelName::trusted);
        if channel.is_some_and(|channel| channel.kind() == ChannelKind::Encrypted) {
            Self::Encrypted
        } else if frame.bytes().len() > LARGEST_KEPT {
            Self::TooLarge
        } else {
            Self::Message(frame.clone())
        }
    }

    /// The first part of the data, and whether that is all.
    fn members(&self) -> String {
        let (data, is_whole) = match self {
            Self::Nothing => return String::new(),
            Self::Encrypted => return r#","data":"encrypted","encrypted":true"#.to_owned(),
            Self::TooLarge => (Value::Null, false),
            Self::Message(frame) => data_of(frame),
        };
        format!(r#","data":{data},"whole":{is_whole}"#)
    }
}

/// The data of a message as a text. A text that is no Unicode, as a half of a pair of surrogates, is shown as written.
fn data_of(frame: &Frame) -> (Value, bool) {
    let Ok(members) = serde_json::from_slice::<HashMap<&str, &RawValue>>(frame.payload()) else {
        return (Value::Null, false);
    };
    let raw = members.get("data").map_or("", |data| data.get());
    let text = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
    let end = text.floor_char_boundary(MOST_DATA);
    (text[..end].into(), end == text.len())
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::data::Data;
    use fanfare_protocol::server::QuotedEvent;
    use serde_json::json;

    use super::*;

    fn shown(channel: &str, data: &str) -> Value {
        let json = serde_json::to_string(data).unwrap();
        let data = Data::of_json(&json).unwrap();
        let frame = QuotedEvent::new("e", data).on(&ChannelName::trusted(channel));
        let fact = LiveFact { channel: Some(channel), frame: Some(&frame), ..LiveFact::of(LiveKind::Event) };
        serde_json::from_str(&LiveEntry::new(7, "a", &fact, true).json(true)).unwrap()
    }

    #[test]
    fn con_027_data_is_shown_up_to_four_kibibytes_and_says_whether_that_is_all() {
        let shown_of = |data: &str| {
            let entry = shown("news", data);
            (entry["data"].as_str().unwrap().to_owned(), entry["whole"].clone())
        };
        assert_eq!(shown_of(r#"{"a":"é\n"}"#), (r#"{"a":"é\n"}"#.to_owned(), json!(true)));
        let most = "x".repeat(MOST_DATA);
        assert_eq!(shown_of(&most), (most.clone(), json!(true)));
        assert_eq!(shown_of(&format!("{most}y")), (most, json!(false)));
        let (cut, whole) = shown_of(&format!("y{}", "é".repeat(MOST_DATA)));
        assert_eq!((cut.len(), whole), (MOST_DATA - 1, json!(false)), "no half of a character");
        assert_eq!(shown("news", &"x".repeat(LARGEST_KEPT + 1))["data"], Value::Null);
    }

    #[test]
    fn con_038_data_of_an_encrypted_channel_is_said_to_be_encrypted() {
        let entry = shown("private-encrypted-x", r#"{"ciphertext":"abc"}"#);
        assert_eq!((&entry["data"], &entry["encrypted"]), (&json!("encrypted"), &json!(true)));
        assert!(!entry.to_string().contains("abc"));
    }

    #[test]
    fn con_027_without_leave_nothing_of_the_data_is_shown() {
        let frame =
            QuotedEvent::new("e", Data::of_json("\"secret\"").unwrap()).on(&ChannelName::trusted("news"));
        let fact = LiveFact { frame: Some(&frame), ..LiveFact::of(LiveKind::Event) };
        for (keeps_data, with_data) in [(true, false), (false, true)] {
            let text = LiveEntry::new(7, "a", &fact, keeps_data).json(with_data);
            let entry: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&entry["id"], &entry["node"], entry.get("data")), (&json!(7), &json!("a"), None));
        }
    }
}
