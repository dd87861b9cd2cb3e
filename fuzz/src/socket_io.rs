//! Any text as a packet of Socket.IO: the message read is the one that an independent reading finds.
//!
//! Owns that reading of Echo's events; what becomes of an event is the concern of `translation`.

use std::collections::BTreeMap;

use fanfare_protocol::engine_io::EngineVersion;
use fanfare_protocol::json::{as_text, with_whole_characters};
use fanfare_protocol::socket_io::{SocketIoMessage, invalid_namespace, subscription_error};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::members::{Members, text_of};

/// What a packet means.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    Connect,
    Elsewhere(String),
    Disconnect,
    Subscribe(String, BTreeMap<String, String>),
    Unsubscribe(String),
    /// Event, channel, and the data as Pusher's clients get it.
    Event(String, String, String),
    Ignored,
}

/// Parses the text, and compares the message with an independent reading.
pub fn socket_io(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = SocketIoMessage::parse(&text);
    if let Ok(SocketIoMessage::ConnectElsewhere(namespace)) = &read {
        is_told(namespace);
    }
    if let Ok(SocketIoMessage::Subscribe(subscribe)) = &read {
        is_refused(&subscribe.channel);
    }
    // No text of this program holds half a character, so only the absence of a panic is checked then.
    if with_whole_characters(&text) == text && !text.contains("\\ud") && !text.contains("\\uD") {
        assert_eq!(read.ok().map(meant), expected(&text), "{text}");
    }
}

fn meant(message: SocketIoMessage<'_>) -> Meant {
    match message {
        SocketIoMessage::Connect => Meant::Connect,
        SocketIoMessage::ConnectElsewhere(namespace) => Meant::Elsewhere(namespace.to_owned()),
        SocketIoMessage::Disconnect => Meant::Disconnect,
        SocketIoMessage::Subscribe(subscribe) => {
            Meant::Subscribe(subscribe.channel.to_string(), subscribe.headers())
        }
        SocketIoMessage::Unsubscribe { channel } => Meant::Unsubscribe(channel.into_owned()),
        SocketIoMessage::ClientEvent { event, channel, data } => {
            let data = data.text().expect("without half a character").to_owned();
            Meant::Event(event.into_owned(), channel.into_owned(), data)
        }
        SocketIoMessage::Ignored => Meant::Ignored,
    }
}

/// The message of the text; `None` for what is none.
fn expected(text: &str) -> Option<Meant> {
    let mut characters = text.chars();
    let kind = characters.next()?;
    let rest = characters.as_str();
    let (namespace, content) = match rest.strip_prefix('/') {
        None => ("", rest),
        Some(named) => named.split_once(',').unwrap_or((named, "")),
    };
    let namespace = namespace.split('?').next()?;
    match kind {
        '3'..='6' => Some(Meant::Ignored),
        '0'..='2' if namespace.chars().any(char::is_control) => None,
        '0' if namespace.is_empty() => Some(Meant::Connect),
        '0' => Some(Meant::Elsewhere(format!("/{namespace}"))),
        '1' | '2' if !namespace.is_empty() => Some(Meant::Ignored),
        '1' => Some(Meant::Disconnect),
        '2' => event(content.trim_start_matches(|digit: char| digit.is_ascii_digit())),
        _ => None,
    }
}

fn event(arguments: &str) -> Option<Meant> {
    if arguments.is_empty() {
        return Some(Meant::Ignored);
    }
    let arguments: Vec<Box<RawValue>> = serde_json::from_str(arguments).ok()?;
    let name = arguments.first().and_then(|name| text_of(name.get()));
    let first = arguments.get(1).map(|first| first.get());
    Some(name.zip(first).and_then(|(name, first)| of_echo(&name, first)).unwrap_or(Meant::Ignored))
}

fn of_echo(name: &str, argument: &str) -> Option<Meant> {
    let inner = text_of(argument).filter(|_| name == "client event");
    let members = Members::of(inner.as_deref().map_or(argument, str::trim))?;
    let [channel, auth, event, data] =
        ["channel", "auth", "event", "data"].map(|name| members.only(name).ok());
    let (channel, auth, event, data) = (channel?.and_then(text_of)?, auth?, event?, data?);
    match name {
        "subscribe" => Some(Meant::Subscribe(channel, headers(auth))),
        "unsubscribe" => Some(Meant::Unsubscribe(channel)),
        "client event" => {
            let event = event.and_then(text_of).filter(|event| event.starts_with("client-"))?;
            Some(Meant::Event(event, channel, as_text(data.unwrap_or("null"))?.into_owned()))
        }
        _ => None,
    }
}

fn headers(auth: Option<&str>) -> BTreeMap<String, String> {
    let auth = auth.and_then(Members::of);
    let headers = auth.as_ref().and_then(|auth| auth.only("headers").ok().flatten());
    let headers: Option<BTreeMap<String, Box<RawValue>>> =
        headers.and_then(|headers| serde_json::from_str(headers).ok());
    let texts = headers.into_iter().flatten().filter_map(|(name, value)| {
        let text = text_of(value.get())?;
        let is_plain = !name.chars().chain(text.chars()).any(char::is_control);
        is_plain.then_some((name, text))
    });
    texts.collect()
}

/// Panics unless the answer to an unknown namespace is short, one packet, and names the namespace.
fn is_told(namespace: &str) {
    for version in [EngineVersion::Three, EngineVersion::Four] {
        let frame = invalid_namespace(version, namespace);
        let text = std::str::from_utf8(frame.payload()).expect("a frame is text");
        assert!(text.starts_with("44/") && text.len() < 300 && !text.contains('\u{1e}'), "{text}");
        assert!(namespace.len() > 200 || text[2..].starts_with(namespace), "{text}");
    }
}

/// Panics unless a refusal names the channel.
fn is_refused(channel: &str) {
    let frame = subscription_error(channel, 403);
    let event = frame.payload().strip_prefix(b"42").expect("an event");
    let event: (String, String, Value) = serde_json::from_slice(event).expect("an event is JSON");
    assert_eq!(event, ("subscription_error".to_owned(), channel.to_owned(), 403.into()));
}
