//! An event of a channel in the form of Socket.IO, made from the frame that Pusher's clients get (SIO-054, SIO-055).
//!
//! Bytes are copied: nothing is parsed and written anew but a text that holds JSON, whose quoting is taken off.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event_name::is_reserved;
use crate::frame::Frame;
use crate::json;

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    channel: &'a RawValue,
}

/// The event `42["EVENT","CHANNEL",DATA]` of a frame of Pusher's; `None` for what is no event of a channel, and for the
/// events of Pusher's own protocol.
#[must_use]
pub fn event(frame: &Frame) -> Option<Frame> {
    let payload = std::str::from_utf8(frame.payload()).ok().filter(|_| frame.is_text())?;
    let sent: Sent<'_> = json::object(payload)?;
    let (event, channel, data) = (sent.event.get(), sent.channel.get(), sent.data.get());
    let is_event = event.starts_with('"') && channel.starts_with('"');
    if !is_event || json::string(event).is_some_and(|name| is_reserved(&name)) {
        return None;
    }
    let data = if is_marked(payload, data) { Cow::Borrowed(data) } else { content(data) };
    Some(Frame::text(event.len() + channel.len() + data.len() + 8, |out| {
        out.extend_from_slice(b"42[");
        for part in [event, ",", channel, ",", &data, "]"] {
            out.extend_from_slice(part.as_bytes());
        }
    }))
}

/// The value that a text holds, if the text is JSON; else the text.
fn content(data: &str) -> Cow<'_, str> {
    if !data.starts_with('"') {
        return Cow::Borrowed(data);
    }
    json::string(data).filter(|text| json::is_json(text)).unwrap_or(Cow::Borrowed(data))
}

/// Whether the data stands behind a space: a text that stays one ([`Data::of_value`](crate::data::Data::of_value)).
fn is_marked(payload: &str, data: &str) -> bool {
    let at = data.as_ptr().addr().checked_sub(payload.as_ptr().addr());
    let before = at.and_then(|at| payload.as_bytes().get(at.checked_sub(1)?));
    before == Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelName;
    use crate::data::Data;
    use crate::server;
    use crate::server::QuotedEvent;

    fn translated(frame: &Frame) -> Option<String> {
        event(frame).map(|frame| String::from_utf8(frame.payload().to_vec()).expect("UTF-8"))
    }

    fn news() -> ChannelName {
        ChannelName::parse("news", 164).expect("a name")
    }

    fn sent<'a>(name: &str, data: impl Into<Data<'a>>) -> Option<String> {
        translated(&QuotedEvent::for_both_dialects(name, &data.into()).on(&news()))
    }

    #[test]
    fn sio_054_an_event_has_its_name_its_channel_and_its_data() {
        assert_eq!(
            sent("App\\Events\\OrderShipped", r#"{"id":7}"#).as_deref(),
            Some(r#"42["App\\Events\\OrderShipped","news",{"id":7}]"#)
        );
        assert_eq!(sent("e", "{\"text\":\"é😀\"}").as_deref(), Some("42[\"e\",\"news\",{\"text\":\"é😀\"}]"));
    }

    #[test]
    fn sio_055_a_text_that_holds_json_becomes_the_json() {
        for (data, value) in [
            ("5", "5"),
            ("null", "null"),
            ("\"x\"", "\"x\""),
            ("[1, 2]", "[1, 2]"),
            ("{\"a\": \"\\u00e9 \\\" \\ud83d\"}", "{\"a\": \"\\u00e9 \\\" \\ud83d\"}"),
            (" {} ", " {} "),
            ("1e400", "1e400"),
            ("", "\"\""),
            ("plain", "\"plain\""),
            ("{", "\"{\""),
            ("5 6", "\"5 6\""),
            ("\u{a0}5", "\"\u{a0}5\""),
            ("nul", "\"nul\""),
            ("a\"b\n", "\"a\\\"b\\n\""),
        ] {
            assert_eq!(sent("e", data), Some(format!("42[\"e\",\"news\",{value}]")), "{data}");
        }
    }

    #[test]
    fn sio_055_a_value_goes_out_as_it_stands() {
        for value in ["5", "\"5\"", "\"{}\"", "\"plain\"", "{\"a\":1}", "null", "\"cut \\ud83d\""] {
            let data = Data::of_value(value).expect("JSON");
            assert_eq!(sent("e", &data), Some(format!("42[\"e\",\"news\",{value}]")), "{value}");
        }
    }

    #[test]
    fn sio_104_a_client_event_has_no_user() {
        let event = QuotedEvent::new("client-typing", r#"{"a":1}"#);
        assert_eq!(
            translated(&event.from_client(&news(), Some(&"u1".into()))).as_deref(),
            Some(r#"42["client-typing","news",{"a":1}]"#)
        );
    }

    #[test]
    fn sio_105_events_of_pushers_protocol_are_for_its_clients_alone() {
        for frame in [
            server::cache_miss(&news()),
            server::subscription_count(&news(), 3),
            server::subscription_succeeded(&news()),
            server::error(None, "x"),
            server::pong(),
            Frame::ping(),
            Frame::close(Some(4100), "x"),
            Frame::text(2, |out| out.extend_from_slice(b"42")),
            Frame::text(2, |out| out.extend_from_slice(b"\xff")),
            Frame::text(2, |out| out.extend_from_slice(br#"{"event":7,"data":"x","channel":"c"}"#)),
        ] {
            assert_eq!(translated(&frame), None, "{frame:?}");
        }
    }

    #[test]
    fn sio_012_no_event_holds_the_byte_that_parts_packets() {
        let text = sent("e\u{1e}", "{\"a\":\"\u{1e}\"}").expect("an event");
        assert!(!text.contains('\u{1e}'), "{text}");
    }
}
