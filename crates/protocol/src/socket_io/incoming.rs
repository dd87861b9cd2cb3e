//! Packets of a client: text in, a message or an error out (SIO-040 … SIO-053).
//!
//! Borrows from the text. What nobody listens to is no error, as in laravel-echo-server.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::data::Data;
use crate::json;

/// What a packet of a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketIoMessage<'a> {
    /// `0`: the client connects to the only namespace (SIO-041, SIO-042).
    Connect,
    /// `0/x`: the client connects to a namespace that does not exist (SIO-043).
    ConnectElsewhere(&'a str),
    /// `1`: the client leaves the only namespace, and so ends the session (SIO-033).
    Disconnect,
    /// The event `subscribe` (SIO-050).
    Subscribe(SocketIoSubscribe<'a>),
    /// The event `unsubscribe` (SIO-052).
    Unsubscribe {
        /// The channel to leave, unchecked.
        channel: Cow<'a, str>,
    },
    /// The event `client event`, for the other subscribers of a channel (SIO-053).
    ClientEvent {
        /// The event's name, which begins with `client-`.
        event: Cow<'a, str>,
        /// The channel, unchecked.
        channel: Cow<'a, str>,
        /// The data; null if absent.
        data: Data<'a>,
    },
    /// Anything else: passed over (SIO-015, SIO-044).
    Ignored,
}

/// The argument of `subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIoSubscribe<'a> {
    /// The channel, unchecked.
    pub channel: Cow<'a, str>,
    /// The JSON of `auth`.
    auth: Option<&'a str>,
}

/// A text is no packet of Socket.IO; the session ends (SIO-014, SIO-045).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of Socket.IO")]
pub struct NotSocketIo;

impl<'a> SocketIoMessage<'a> {
    /// Reads the content of an Engine.IO message.
    ///
    /// # Errors
    /// An unknown type, a namespace with control characters, or an event that is no JSON array.
    pub fn parse(packet: &'a str) -> Result<Self, NotSocketIo> {
        let kind = packet.as_bytes().first();
        match (kind, packet.get(1..)) {
            (Some(b'0'), Some(rest)) => match namespace(rest)?.0 {
                "/" => Ok(Self::Connect),
                other => Ok(Self::ConnectElsewhere(other)),
            },
            (Some(b'1'), Some(rest)) => {
                Ok(if namespace(rest)?.0 == "/" { Self::Disconnect } else { Self::Ignored })
            }
            (Some(b'2'), Some(rest)) => match namespace(rest)? {
                ("/", content) => event(content),
                _ => Ok(Self::Ignored),
            },
            (Some(b'3'..=b'6'), Some(_)) => Ok(Self::Ignored),
            _ => Err(NotSocketIo),
        }
    }
}

impl SocketIoSubscribe<'_> {
    /// The texts of `auth.headers`, by name; empty if there are none, or if anything there is of another kind (SIO-050).
    /// The caller knows which headers are passed on (SIO-062).
    #[must_use]
    pub fn headers(&self) -> BTreeMap<String, String> {
        #[derive(Deserialize)]
        struct Auth<'a> {
            #[serde(borrow, default)]
            headers: Option<&'a RawValue>,
        }

        let auth: Option<Auth<'_>> = self.auth.and_then(json::object);
        let headers = auth.and_then(|auth| auth.headers).map_or("{}", RawValue::get);
        let headers: BTreeMap<String, &RawValue> = serde_json::from_str(headers).unwrap_or_default();
        let texts = headers.into_iter().filter_map(|(name, value)| {
            let text = json::string(value.get())?;
            let is_plain = !name.chars().chain(text.chars()).any(char::is_control);
            is_plain.then(|| (name, text.into_owned()))
        });
        texts.collect()
    }
}

/// The namespace that a packet names, without a query, and what stands behind.
fn namespace(rest: &str) -> Result<(&str, &str), NotSocketIo> {
    if !rest.starts_with('/') {
        return Ok(("/", rest));
    }
    let (name, behind) = rest.split_once(',').unwrap_or((rest, ""));
    let name = name.split_once('?').map_or(name, |(name, _)| name);
    // The name is sent back, and a control character may end a packet.
    if name.chars().any(char::is_control) { Err(NotSocketIo) } else { Ok((name, behind)) }
}

/// An event: perhaps the number of an acknowledgement that is asked for, then the arguments.
fn event(content: &str) -> Result<SocketIoMessage<'_>, NotSocketIo> {
    let arguments = content.trim_start_matches(|digit: char| digit.is_ascii_digit());
    if arguments.is_empty() {
        return Ok(SocketIoMessage::Ignored);
    }
    let Arguments { name, first } = serde_json::from_str(arguments).map_err(|_| NotSocketIo)?;
    let name = name.and_then(|name| json::string(name.get()));
    let first = first.map(RawValue::get);
    let message = match (name.as_deref(), first) {
        (Some("subscribe"), Some(first)) => subscribe(first),
        (Some("unsubscribe"), Some(first)) => unsubscribe(first),
        (Some("client event"), Some(first)) => client_event(first),
        _ => None,
    };
    Ok(message.unwrap_or(SocketIoMessage::Ignored))
}

/// What Echo sends with each of its events.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    auth: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

fn subscribe(argument: &str) -> Option<SocketIoMessage<'_>> {
    let fields: Fields<'_> = json::object(argument)?;
    let auth = fields.auth.map(RawValue::get);
    Some(SocketIoMessage::Subscribe(SocketIoSubscribe { channel: text(fields.channel)?, auth }))
}

fn unsubscribe(argument: &str) -> Option<SocketIoMessage<'_>> {
    let fields: Fields<'_> = json::object(argument)?;
    Some(SocketIoMessage::Unsubscribe { channel: text(fields.channel)? })
}

/// The object, or a JSON text with the object.
fn client_event(argument: &str) -> Option<SocketIoMessage<'_>> {
    if !argument.starts_with('"') {
        let (event, channel, data) = whisper(argument)?;
        return Some(SocketIoMessage::ClientEvent { event, channel, data });
    }
    let inner = json::string(argument)?;
    let (event, channel, data) = whisper(inner.trim())?;
    let (event, channel) = (event.into_owned().into(), channel.into_owned().into());
    Some(SocketIoMessage::ClientEvent { event, channel, data: data.into_owned() })
}

/// Event, channel and data.
fn whisper(object: &str) -> Option<(Cow<'_, str>, Cow<'_, str>, Data<'_>)> {
    let fields: Fields<'_> = json::object(object)?;
    let event = text(fields.event).filter(|event| event.starts_with("client-"))?;
    let data = Data::of_value(fields.data.map_or("null", RawValue::get))?;
    Some((event, text(fields.channel)?, data))
}

fn text(json: Option<&RawValue>) -> Option<Cow<'_, str>> {
    json::string(json?.get())
}

/// The name and the first argument of an event; further arguments are read over.
struct Arguments<'a> {
    name: Option<&'a RawValue>,
    first: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Arguments<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Arguments<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let arguments = Arguments { name: array.next_element()?, first: array.next_element()? };
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(arguments)
            }
        }

        deserializer.deserialize_seq(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(packet: &str) -> Result<SocketIoMessage<'_>, NotSocketIo> {
        SocketIoMessage::parse(packet)
    }

    fn headers(packet: &str) -> Vec<(String, String)> {
        match parse(packet) {
            Ok(SocketIoMessage::Subscribe(subscribe)) => {
                assert_eq!(subscribe.channel, "private-a");
                subscribe.headers().into_iter().collect()
            }
            other => panic!("{packet}: {other:?}"),
        }
    }

    #[test]
    fn sio_040_the_type_comes_first() {
        for (packet, message) in [
            ("0", SocketIoMessage::Connect),
            (r#"0{"headers":{}}"#, SocketIoMessage::Connect),
            ("0not json", SocketIoMessage::Connect),
            ("0/", SocketIoMessage::Connect),
            ("0/,{}", SocketIoMessage::Connect),
            ("0/?a=b,", SocketIoMessage::Connect),
            ("1", SocketIoMessage::Disconnect),
            ("1/,", SocketIoMessage::Disconnect),
            ("1/x,", SocketIoMessage::Ignored),
            ("31[]", SocketIoMessage::Ignored),
            ("3", SocketIoMessage::Ignored),
            (r#"4"oh""#, SocketIoMessage::Ignored),
        ] {
            assert_eq!(parse(packet), Ok(message), "{packet}");
        }
        for packet in ["", "7", "x", "é", " 0", "-1", "9[]"] {
            assert_eq!(parse(packet), Err(NotSocketIo), "{packet:?}");
        }
    }

    #[test]
    fn sio_043_another_namespace_is_named() {
        assert_eq!(parse("0/x"), Ok(SocketIoMessage::ConnectElsewhere("/x")));
        assert_eq!(parse("0/admin?token=1,{}"), Ok(SocketIoMessage::ConnectElsewhere("/admin")));
        assert_eq!(parse("0/a\u{1e}4,"), Err(NotSocketIo));
        assert_eq!(parse(r#"2/x,["subscribe",{"channel":"news"}]"#), Ok(SocketIoMessage::Ignored));
    }

    #[test]
    fn sio_050_echos_subscribe_is_read() {
        let packet =
            r#"2["subscribe",{"channel":"private-a","auth":{"headers":{"Authorization":"Bearer é\"x"}}}]"#;
        assert_eq!(headers(packet), [("Authorization".to_owned(), "Bearer é\"x".to_owned())]);
        let packet =
            r#"2/,17["subscribe",{"channel":"private-\u0061","auth":{"headers":{"b":"2","a":"1"}}},null]"#;
        assert_eq!(headers(packet).len(), 2);
    }

    #[test]
    fn sio_050_auth_of_a_wrong_kind_is_as_if_empty() {
        for auth in [
            "",
            r#","auth":null"#,
            r#","auth":7"#,
            r#","auth":[]"#,
            r#","auth":{}"#,
            r#","auth":{"headers":null}"#,
            r#","auth":{"headers":[1]}"#,
            r#","auth":{"headers":"x"}"#,
            r#","auth":{"headers":{"a":1,"b":null,"c":{},"d":"\n","e\u0000":"x"}}"#,
        ] {
            let packet = format!(r#"2["subscribe",{{"channel":"private-a"{auth}}}]"#);
            assert_eq!(headers(&packet), [], "{packet}");
        }
    }

    #[test]
    fn sio_050_without_a_channel_there_is_no_subscribe() {
        for packet in [
            "2",
            "23",
            "2[]",
            "2[null]",
            "2[7,{}]",
            r#"2["subscribe"]"#,
            r#"2["subscribe",null]"#,
            r#"2["subscribe","news"]"#,
            r#"2["subscribe",["news",{}]]"#,
            r#"2["subscribe",{}]"#,
            r#"2["subscribe",{"channel":null}]"#,
            r#"2["subscribe",{"channel":7}]"#,
            r#"2["subscribe",{"channel":["news"]}]"#,
            r#"2["subscribe",{"channel":"\ud83d"}]"#,
            r#"2["subscribe",{"channel":"a","channel":"b"}]"#,
            r#"2["unsubscribe",{}]"#,
            r#"2["anything",{"channel":"news"}]"#,
            r#"2["\ud83d",{"channel":"news"}]"#,
        ] {
            assert_eq!(parse(packet), Ok(SocketIoMessage::Ignored), "{packet}");
        }
    }

    #[test]
    fn sio_045_an_event_that_is_no_array_is_an_error() {
        for packet in
            ["2{", "2{}", "2[", r#"2["subscribe""#, "2null", "2[] x", "2-", r#"2"x""#, "2[1,]", "2[\u{1}]"]
        {
            assert_eq!(parse(packet), Err(NotSocketIo), "{packet}");
        }
    }

    #[test]
    fn sio_045_nesting_takes_no_stack() {
        let deep = |open: &str, close: &str| [open.repeat(200_000), close.repeat(200_000)].concat();
        let packet = format!(r#"2["subscribe",{{"channel":"news","auth":{}}}]"#, deep("[", "]"));
        assert!(matches!(parse(&packet), Ok(SocketIoMessage::Subscribe(_))));
        assert_eq!(parse(&format!("2{}", deep("[", "]"))), Ok(SocketIoMessage::Ignored));
        assert_eq!(parse(&format!("2{}", "[".repeat(200_000))), Err(NotSocketIo));
    }

    #[test]
    fn sio_052_unsubscribe_has_a_channel() {
        assert_eq!(
            parse(r#"2["unsubscribe",{"channel":"news","auth":{}}]"#),
            Ok(SocketIoMessage::Unsubscribe { channel: "news".into() })
        );
    }

    #[test]
    fn sio_053_a_client_event_is_an_object_or_a_text_with_the_object() {
        let whisper = |data: &'static str| {
            let data = Data::of_value(data).expect("JSON");
            Ok(SocketIoMessage::ClientEvent {
                event: "client-typing".into(),
                channel: "private-a".into(),
                data,
            })
        };
        for (argument, data) in [
            (r#"{"channel":"private-a","event":"client-typing","data":{"a": 1}}"#, r#"{"a":1}"#),
            (r#"{"channel":"private-a","event":"client-typing","data":"5"}"#, r#""5""#),
            (r#"{"channel":"private-a","event":"client-typing"}"#, "null"),
            (r#"{"channel":"private-a","event":"client-typing","data":null,"more":1}"#, "null"),
            (r#""{\"channel\":\"private-a\",\"event\":\"client-typing\",\"data\":[1]}""#, "[1]"),
        ] {
            let packet = format!(r#"2["client event",{argument}]"#);
            assert_eq!(parse(&packet), whisper(data), "{packet}");
        }
    }

    #[test]
    fn sio_053_names_that_do_not_begin_with_client_are_dropped() {
        for argument in [
            r#"{"channel":"private-a","event":"notclient-x","data":1}"#,
            r#"{"channel":"private-a","event":"connect","data":1}"#,
            r#"{"channel":"private-a","event":7,"data":1}"#,
            r#"{"event":"client-x","data":1}"#,
            r#""not an object""#,
            r#""\ud83d""#,
            "[]",
        ] {
            let packet = format!(r#"2["client event",{argument}]"#);
            assert_eq!(parse(&packet), Ok(SocketIoMessage::Ignored), "{packet}");
        }
    }

    #[test]
    fn sio_015_and_044_attachments_and_acknowledgements() {
        assert_eq!(
            parse(r#"51-["client event",{"_placeholder":true,"num":0}]"#),
            Ok(SocketIoMessage::Ignored)
        );
        assert_eq!(
            parse(r#"20["unsubscribe",{"channel":"news"}]"#),
            Ok(SocketIoMessage::Unsubscribe { channel: "news".into() })
        );
    }
}
