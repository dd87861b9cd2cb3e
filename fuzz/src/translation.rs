//! Any name and data as an event: what clients of Socket.IO get of it is JSON, with the same name, channel and data.
//!
//! Owns a second writing of SIO-054 and SIO-055.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::engine_io::{EngineVersion, Packet, PollAnswer, packets};
use fanfare_protocol::event_name::is_reserved;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::json::as_text;
use fanfare_protocol::server::QuotedEvent;
use fanfare_protocol::socket_io::event;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::members::text_of;

/// The first line is the event's name, the rest is its data; the whole is a frame as well.
pub fn translation(data: &[u8]) {
    let any = Frame::text(data.len(), |out| out.extend_from_slice(data));
    if let Some(translated) = event(&any) {
        parts(&translated);
    }
    let text = String::from_utf8_lossy(data);
    let (name, data) = text.split_once('\n').unwrap_or((&text, ""));
    let channel = ChannelName::parse("private-a", 200).expect("a name");
    let is_json = serde_json::from_str::<IgnoredAny>(data).is_ok();
    for user in [None, Some(UserId::from("u\"1"))] {
        let of = |data: &Data<'_>| {
            let frame =
                event(&QuotedEvent::for_both_dialects(name, data).from_client(&channel, user.as_ref()));
            assert_eq!(frame.is_none(), is_reserved(name), "{name}");
            let (event, named, data) = parts(&frame?);
            assert_eq!((event.as_str(), named.as_str()), (name, channel.as_str()));
            Some(data)
        };
        let Some(sent) = of(&Data::from(data)) else { return };
        if is_json {
            assert_eq!(sent, data.trim_matches([' ', '\t', '\n', '\r']), "the JSON itself");
            // As Redis has it, or a client.
            let value = Data::of_value(sent.as_str()).and_then(|value| of(&value)).expect("JSON");
            match text_of(&sent) {
                Some(text) => assert_eq!(text_of(&value), Some(text), "a text stays a text"),
                None if sent.starts_with('"') => assert_eq!(value, sent),
                None => assert_eq!(Some(&*value), as_text(&sent).as_deref()),
            }
        } else {
            assert_eq!(text_of(&sent).as_deref(), Some(data), "the text");
        }
    }
}

/// Name, channel, and the JSON of the data; panics unless the event arrives whole by polling too.
fn parts(frame: &Frame) -> (String, String, String) {
    let payload = std::str::from_utf8(frame.payload()).expect("a frame is text");
    for version in [EngineVersion::Three, EngineVersion::Four] {
        let mut answer = PollAnswer::new(version);
        answer.push(frame);
        answer.push(frame);
        let body = String::from_utf8(answer.into_body()).expect("an answer is text");
        let read: Vec<_> = packets(version, &body, usize::MAX).collect();
        let packet = Ok(Packet::Message(&payload[1..]));
        assert_eq!(read, [packet, packet], "{version:?} {payload}");
    }
    let event = payload.strip_prefix("42").expect("an event");
    let (name, channel, data): (Box<RawValue>, Box<RawValue>, Box<RawValue>) =
        serde_json::from_str(event).expect("an event is JSON");
    let text = |json: &RawValue| text_of(json.get()).unwrap_or_default();
    (text(&name), text(&channel), data.get().to_owned())
}
