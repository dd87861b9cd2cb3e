//! Any text as a client's message: the message read is the JSON's, and is forwarded unchanged.
//!
//! Owns an independent parser for section 2.2 of the protocol; compares no wording of errors.

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::client::{ClientMessage, Subscribe};
use fanfare_protocol::data::Data;
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::resume::{Position, ResumeRequest};
use fanfare_protocol::server::{QuotedEvent, data_of, error, signin_success};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::members::{Members, text_of};

/// Parses the text, compares the message with an independent parser's, and forwards its content.
pub fn client_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = ClientMessage::parse(&text);
    let expected = meaning(&text);
    match read {
        Ok(message) => {
            assert_eq!(Some(&message), expected.as_ref(), "{text}");
            sends_on(&message);
        }
        Err(fault) => {
            assert_eq!(expected, None, "refused with {fault:?}: {text}");
            is_told(&fault);
        }
    }
}

/// The message of the text, if clients may send such a message.
fn meaning(text: &str) -> Option<ClientMessage<'static>> {
    let envelope = Members::of(text)?;
    let event = text_of(envelope.only("event").ok()??)?;
    let data = envelope.only("data").ok()?;
    let channel = envelope.only("channel").ok()?;
    let is_client_event = event.starts_with("client-");
    match event.as_str() {
        "pusher:ping" => Some(ClientMessage::Ping),
        "pusher:pong" => Some(ClientMessage::Pong),
        "fanfare:resume" => Some(ClientMessage::Resume(resumed(data))),
        "pusher:subscribe" | "pusher:unsubscribe" | "pusher:signin" => command(&event, data),
        _ if is_client_event => Some(ClientMessage::ClientEvent {
            event: event.into(),
            channel: text_of(channel?)?.into(),
            data: passed_on(data?)?,
        }),
        _ => None,
    }
}

/// A command whose `data` is an object, or a string that holds an object.
fn command(event: &str, data: Option<&str>) -> Option<ClientMessage<'static>> {
    let inner = data.and_then(text_of);
    let object = match (&inner, data) {
        (Some(text), _) => text.trim(),
        (None, None | Some("null")) => "{}",
        (None, Some(json)) => json,
    };
    let members = Members::of(object)?;
    // A known member must not come twice, whether the command uses it or not.
    let [channel, auth, channel_data, user_data] =
        ["channel", "auth", "channel_data", "user_data"].map(|name| members.only(name));
    let (channel, auth) = (channel.ok()?, auth.ok()?);
    let (channel_data, user_data) = (channel_data.ok()?, user_data.ok()?);
    Some(match event {
        "pusher:subscribe" => ClientMessage::Subscribe(Subscribe {
            channel: text_of(channel?)?.into(),
            auth: optional(auth)?.map(Into::into),
            channel_data: optional(channel_data)?.map(Into::into),
        }),
        "pusher:unsubscribe" => ClientMessage::Unsubscribe { channel: text_of(channel?)?.into() },
        _ => ClientMessage::SignIn { auth: text_of(auth?)?.into(), user_data: text_of(user_data?)?.into() },
    })
}

/// The positions of `fanfare:resume`, by name; of a name that comes twice the last (RES-003).
fn resumed(data: Option<&str>) -> ResumeRequest<'static> {
    let members = data.and_then(|data| serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(data).ok());
    let mut request = ResumeRequest::default();
    for (name, value) in members.into_iter().flatten() {
        let value = value.get();
        if name == "late" && !value.starts_with('[') {
            request.is_late = value == "true";
            continue;
        }
        let parts: Vec<Value> = serde_json::from_str(value).unwrap_or_default();
        let position = match &parts[..] {
            [Value::String(token), Value::Number(count)] => {
                token.parse().ok().zip(count.as_u64()).map(|(token, count)| Position { token, count })
            }
            _ => None,
        };
        request.positions.push((name.into(), position));
    }
    request
}

/// `Some(None)` for an absent member, `None` for a member that is not a string.
fn optional(json: Option<&str>) -> Option<Option<String>> {
    match json {
        None | Some("null") => Some(None),
        Some(json) => text_of(json).map(Some),
    }
}

/// The forwarded data of an event: the text of a string, or the JSON without the white space
/// between its parts; a string that no text can hold stays as it is.
fn passed_on(json: &str) -> Option<Data<'static>> {
    if json.starts_with('"') {
        let data = Data::of_value(json)?;
        assert_eq!(data.text(), text_of(json).as_deref());
        return Some(data.into_owned());
    }
    let between = |part: &str| part.split([' ', '\t', '\n', '\r']).collect::<String>();
    let (mut compact, mut rest) = (String::new(), json);
    while let Some(quote) = rest.find('"') {
        let (before, from_quote) = rest.split_at(quote);
        // The parser decides where a string ends.
        let mut strings = serde_json::Deserializer::from_str(from_quote).into_iter::<&RawValue>();
        strings.next()?.ok()?;
        let (string, after) = from_quote.split_at(strings.byte_offset());
        compact += &between(before);
        compact += string;
        rest = after;
    }
    Some(Data::from(compact + &between(rest)))
}

/// Panics unless a message's texts arrive unchanged.
fn sends_on(message: &ClientMessage<'_>) {
    match message {
        ClientMessage::ClientEvent { event, channel, data } => {
            let named = ChannelName::parse(channel, 200).or_else(|_| ChannelName::parse("private-a", 200));
            let channel = named.expect("the second is a name");
            for user in [None, Some(UserId::from("u\"1"))] {
                let frame = QuotedEvent::new(event, data).from_client(&channel, user.as_ref());
                let kept = data_of(&frame).expect("its data is a string");
                let kept = Data::of_json(kept.get()).expect("JSON");
                assert_eq!((kept.text(), kept.len()), (data.text(), data.len()));
                // A `Value` cannot hold half a surrogate pair.
                let payload = std::str::from_utf8(frame.payload()).expect("a frame is text");
                let whole = fanfare_protocol::json::with_whole_characters(payload);
                let json: Value = serde_json::from_str(&whole).expect("a frame is JSON");
                assert_eq!(json["event"], **event);
                assert_eq!(json["data"].as_str().map(str::len), Some(data.len()));
                assert!(data.text().is_none_or(|text| json["data"] == text));
                assert_eq!(json["channel"], channel.as_str());
                assert_eq!(json["user_id"].as_str(), user.as_ref().map(UserId::as_str));
            }
        }
        ClientMessage::SignIn { user_data, .. } => {
            let frame = signin_success(user_data);
            let data = text_of(data_of(&frame).expect("its data is a string").get());
            let json: Value =
                serde_json::from_str(&data.expect("of whole characters")).expect("which is JSON");
            assert_eq!(json["user_data"], **user_data);
        }
        _ => {}
    }
}

/// Panics unless the client's error message is valid JSON with the fault's text.
fn is_told(fault: &ProtocolError) {
    let message = fault.to_string();
    let frame = error(Some(4009), &message);
    let json: Value = serde_json::from_slice(frame.payload()).expect("a frame is JSON");
    assert_eq!(json["data"]["message"], *message);
}
