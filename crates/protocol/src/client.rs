//! Messages of a client: text in, a message or an error out.
//!
//! Borrows from the text. The session decides whether the client may do what the message asks.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::data::Data;
use crate::error::{ClientEventFault, ProtocolError, SignInFault};
use crate::json;

/// A command from a client (section 2.2 of the protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// `pusher:ping`: answered with `pusher:pong` (WS-042).
    Ping,
    /// `pusher:pong`: a sign of life, nothing more (WS-047).
    Pong,
    /// `pusher:subscribe` (WS-110).
    Subscribe(Subscribe<'a>),
    /// `pusher:unsubscribe` (WS-140).
    Unsubscribe {
        /// The channel to leave.
        channel: Cow<'a, str>,
    },
    /// `pusher:signin` (WS-180).
    SignIn {
        /// `KEY:SIGNATURE`.
        auth: Cow<'a, str>,
        /// Exactly the bytes that were signed.
        user_data: Cow<'a, str>,
    },
    /// `client-…`: an event for the other subscribers of a channel (WS-160).
    ClientEvent {
        /// The event's name, prefix included.
        event: Cow<'a, str>,
        /// The channel, unchecked.
        channel: Cow<'a, str>,
        /// The data as forwarded: a string verbatim, anything else as its compact JSON (WS-164).
        data: Data<'a>,
    },
}

/// The `data` of `pusher:subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The channel, unchecked.
    pub channel: Cow<'a, str>,
    /// `KEY:SIGNATURE`; public channels may have none, null or an empty text (WS-111).
    pub auth: Option<Cow<'a, str>>,
    /// Exactly the bytes that were signed (AUTH-021); an empty text counts as present (AUTH-023).
    pub channel_data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    /// Null and absent are different things in a client event (WS-169).
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Members of `data`, kept raw: a wrong type is an error of that member, not of the whole.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    auth: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel_data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_data: Option<&'a RawValue>,
}

impl<'a> ClientMessage<'a> {
    /// Reads one text message.
    ///
    /// # Errors
    /// No JSON object, no string `event` (WS-210, WS-211), an unknown event (WS-162, WS-212), or members that
    /// are missing or of the wrong type (WS-113, WS-131, WS-169).
    pub fn parse(text: &'a str) -> Result<Self, ProtocolError> {
        let envelope: Envelope<'a> = json::object(text).ok_or(ProtocolError::InvalidJson)?;
        match &*envelope.event {
            "pusher:ping" => Ok(Self::Ping),
            "pusher:pong" => Ok(Self::Pong),
            "pusher:subscribe" => with_fields(envelope.data, subscribe),
            "pusher:unsubscribe" => with_fields(envelope.data, unsubscribe),
            "pusher:signin" => with_fields(envelope.data, sign_in).map_err(as_failed_sign_in),
            event if event.starts_with("client-") => client_event(envelope),
            event => Err(ProtocolError::UnsupportedEvent(event.to_owned())),
        }
    }

    /// The same message, owning its texts.
    fn into_owned(self) -> ClientMessage<'static> {
        let own = |text: Cow<'a, str>| Cow::<'static, str>::Owned(text.into_owned());
        match self {
            Self::Ping => ClientMessage::Ping,
            Self::Pong => ClientMessage::Pong,
            Self::Unsubscribe { channel } => ClientMessage::Unsubscribe { channel: own(channel) },
            Self::SignIn { auth, user_data } => {
                ClientMessage::SignIn { auth: own(auth), user_data: own(user_data) }
            }
            Self::ClientEvent { event, channel, data } => ClientMessage::ClientEvent {
                event: own(event),
                channel: own(channel),
                data: data.into_owned(),
            },
            Self::Subscribe(subscribe) => ClientMessage::Subscribe(Subscribe {
                channel: own(subscribe.channel),
                auth: subscribe.auth.map(own),
                channel_data: subscribe.channel_data.map(own),
            }),
        }
    }
}

fn subscribe(fields: Fields<'_>) -> Result<ClientMessage<'_>, ProtocolError> {
    Ok(ClientMessage::Subscribe(Subscribe {
        channel: required(fields.channel, "data.channel")?,
        auth: optional(fields.auth, "data.auth")?,
        channel_data: optional(fields.channel_data, "data.channel_data")?,
    }))
}

fn unsubscribe(fields: Fields<'_>) -> Result<ClientMessage<'_>, ProtocolError> {
    Ok(ClientMessage::Unsubscribe { channel: required(fields.channel, "data.channel")? })
}

fn sign_in(fields: Fields<'_>) -> Result<ClientMessage<'_>, ProtocolError> {
    Ok(ClientMessage::SignIn {
        user_data: required(fields.user_data, "data.user_data")?,
        auth: required(fields.auth, "data.auth")?,
    })
}

/// Every fault of a sign-in is a failed sign-in, and answered as such (WS-184).
fn as_failed_sign_in(error: ProtocolError) -> ProtocolError {
    match error {
        ProtocolError::MissingParameter(name) => ProtocolError::SignIn(SignInFault::Missing(name)),
        ProtocolError::NotAString(name) => ProtocolError::SignIn(SignInFault::NotAString(name)),
        ProtocolError::HalfCharacter(name) => ProtocolError::SignIn(SignInFault::HalfCharacter(name)),
        ProtocolError::DataNotAHash => ProtocolError::SignIn(SignInFault::DataNotAHash),
        other => other,
    }
}

fn client_event(envelope: Envelope<'_>) -> Result<ClientMessage<'_>, ProtocolError> {
    let channel = envelope.channel.and_then(|raw| json::string(raw.get()));
    let data = envelope.data.and_then(|raw| Data::of_json(raw.get()));
    match (channel, data) {
        (Some(channel), Some(data)) => {
            Ok(ClientMessage::ClientEvent { event: envelope.event, channel, data })
        }
        _ => Err(ProtocolError::ClientEvent(ClientEventFault::Incomplete)),
    }
}

/// Passes the members of `data`: an object, or a string that holds an object (WS-113).
fn with_fields<'a>(
    data: Option<&'a RawValue>,
    read: for<'b> fn(Fields<'b>) -> Result<ClientMessage<'b>, ProtocolError>,
) -> Result<ClientMessage<'a>, ProtocolError> {
    // Without data, each member of the data is missing.
    let raw = data.map(RawValue::get).filter(|raw| *raw != "null").unwrap_or("{}");
    if raw.starts_with('"') {
        let inner: String = serde_json::from_str(raw).map_err(|_| ProtocolError::InvalidJson)?;
        let fields = fields(inner.trim())?;
        return read(fields).map(ClientMessage::into_owned);
    }
    read(fields(raw)?)
}

fn fields(object: &str) -> Result<Fields<'_>, ProtocolError> {
    json::object(object).ok_or(ProtocolError::DataNotAHash)
}

fn required<'a>(raw: Option<&'a RawValue>, name: &'static str) -> Result<Cow<'a, str>, ProtocolError> {
    optional(raw, name)?.ok_or(ProtocolError::MissingParameter(name))
}

/// A member that is a string; null and absent are the same (WS-112).
fn optional<'a>(
    raw: Option<&'a RawValue>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, ProtocolError> {
    let Some(json) = raw.map(RawValue::get).filter(|json| *json != "null") else { return Ok(None) };
    match json::string(json) {
        Some(text) => Ok(Some(text)),
        // No back end could have signed the text, and no channel has such a name.
        None if json.starts_with('"') => Err(ProtocolError::HalfCharacter(name)),
        None => Err(ProtocolError::NotAString(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription<'a>(
        channel: &'a str,
        auth: Option<&'a str>,
        channel_data: Option<&'a str>,
    ) -> Result<ClientMessage<'a>, ProtocolError> {
        Ok(ClientMessage::Subscribe(Subscribe {
            channel: channel.into(),
            auth: auth.map(Cow::from),
            channel_data: channel_data.map(Cow::from),
        }))
    }

    #[test]
    fn ws_110_the_subscribe_forms_of_every_client_are_read() {
        let cases = [
            (
                r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#,
                subscription("news", Some(""), None),
            ),
            (r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#, subscription("news", None, None)),
            (
                r#"{"data":{"channel":"private-a","auth":"K:S","more":[1]},"event":"pusher:subscribe","x":1}"#,
                subscription("private-a", Some("K:S"), None),
            ),
            (
                r#"{"event":"pusher:subscribe","data":{"auth":null,"channel_data":null,"channel":"a"}}"#,
                subscription("a", None, None),
            ),
            (
                r#"{"event":"pusher:subscribe","data":{"auth":"K:S","channel_data":"{\"user_id\": 1}","channel":"presence-a"}}"#,
                subscription("presence-a", Some("K:S"), Some(r#"{"user_id": 1}"#)),
            ),
            (
                r#"{"event":"pusher:subscribe","data":"{\"channel\":\"caf\\u00e9\",\"channel_data\":\"\"}"}"#,
                subscription("café", None, Some("")),
            ),
        ];
        for (text, message) in cases {
            assert_eq!(ClientMessage::parse(text), message, "{text}");
        }
    }

    #[test]
    fn ws_113_data_that_is_no_object_is_refused() {
        for data in ["[]", "5", "true", r#""news""#, r#""[1]""#, r#"["news","",null]"#] {
            let text = format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#);
            assert_eq!(ClientMessage::parse(&text), Err(ProtocolError::DataNotAHash), "{text}");
        }
    }

    #[test]
    fn ws_131_a_missing_channel_is_named() {
        let missing = Err(ProtocolError::MissingParameter("data.channel"));
        for data in ["{}", r#"{"channel":null}"#, "null"] {
            let text = format!(r#"{{"event":"pusher:unsubscribe","data":{data}}}"#);
            assert_eq!(ClientMessage::parse(&text), missing, "{text}");
        }
        assert_eq!(ClientMessage::parse(r#"{"event":"pusher:subscribe"}"#), missing);
    }

    #[test]
    fn ws_160_a_client_event_has_a_channel_beside_its_data() {
        let event = |data: &str| {
            let text =
                format!(r#"{{"event":"client-typing","data":{data},"channel":"private-a","user_id":"x"}}"#);
            match ClientMessage::parse(&text).map(ClientMessage::into_owned) {
                Ok(ClientMessage::ClientEvent { event, channel, data }) => {
                    assert_eq!((&*event, &*channel), ("client-typing", "private-a"));
                    data.into_owned()
                }
                other => panic!("{other:?}"),
            }
        };
        for (data, passed_on) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("{ \"b\": 1, \"a\": \" \" }", r#"{"b":1,"a":" "}"#),
            (r#""plain \u00e9""#, "plain é"),
            (r#""{\"a\": 1}""#, r#"{"a": 1}"#),
            ("null", "null"),
            ("[ ]", "[]"),
            ("\"\"", ""),
        ] {
            assert_eq!(event(data), passed_on.into(), "{data}");
        }
    }

    #[test]
    fn a_text_that_is_signed_or_names_something_has_whole_characters() {
        let half = |name| Err(ProtocolError::HalfCharacter(name));
        for (data, fault) in [
            (r#"{"channel":"a\ud83d"}"#, half("data.channel")),
            (r#"{"channel":"presence-a","auth":"K:S","channel_data":"\ude00"}"#, half("data.channel_data")),
        ] {
            let text = format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#);
            assert_eq!(ClientMessage::parse(&text), fault, "{data}");
        }
        let text = r#"{"event":"pusher:signin","data":{"auth":"K:S","user_data":"\ud83d"}}"#;
        let fault = SignInFault::HalfCharacter("data.user_data");
        assert_eq!(ClientMessage::parse(text), Err(ProtocolError::SignIn(fault)));
    }

    #[test]
    fn ws_169_a_client_event_without_channel_or_data_is_invalid() {
        for rest in [
            r#""data":{}"#,
            r#""channel":"private-a""#,
            r#""data":{},"channel":null"#,
            r#""data":{},"channel":7"#,
        ] {
            let text = format!(r#"{{"event":"client-a",{rest}}}"#);
            assert_eq!(
                ClientMessage::parse(&text),
                Err(ProtocolError::ClientEvent(ClientEventFault::Incomplete)),
                "{text}"
            );
        }
    }

    #[test]
    fn ws_180_a_sign_in_has_auth_and_user_data() {
        assert_eq!(
            ClientMessage::parse(
                r#"{"event":"pusher:signin","data":{"auth":"K:S","user_data":"{\"id\": \"1\"}"}}"#
            ),
            Ok(ClientMessage::SignIn { auth: "K:S".into(), user_data: r#"{"id": "1"}"#.into() })
        );
        let failed = |fault| Err(ProtocolError::SignIn(fault));
        let missing = |name| failed(SignInFault::Missing(name));
        for (data, error) in [
            (r#"{"auth":"K:S"}"#, missing("data.user_data")),
            (r#"{"user_data":"{}"}"#, missing("data.auth")),
            ("null", missing("data.user_data")),
            (r#"{"auth":"K:S","user_data":{"id":"1"}}"#, failed(SignInFault::NotAString("data.user_data"))),
            (r#"{"auth":7,"user_data":"{}"}"#, failed(SignInFault::NotAString("data.auth"))),
            ("[]", failed(SignInFault::DataNotAHash)),
        ] {
            let text = format!(r#"{{"event":"pusher:signin","data":{data}}}"#);
            assert_eq!(ClientMessage::parse(&text), error, "{text}");
        }
        assert_eq!(ClientMessage::parse(r#"{"event":"pusher:signin"}"#), missing("data.user_data"));
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        assert_eq!(
            ClientMessage::parse(r#"{"event":"pusher:subscribe","data":{"channel":7}}"#),
            Err(ProtocolError::NotAString("data.channel"))
        );
        assert_eq!(
            ClientMessage::parse(
                r#"{"event":"pusher:subscribe","data":{"channel":"presence-a","channel_data":{"user_id":7}}}"#
            ),
            Err(ProtocolError::NotAString("data.channel_data"))
        );
    }

    #[test]
    fn ws_210_and_ws_211_what_is_no_event_is_invalid_json() {
        for text in ["", "{", "[]", "null", "1", r#""x""#, "{}", r#"{"event":1}"#, r#"{"event":null}"#, "é"]
        {
            assert_eq!(ClientMessage::parse(text), Err(ProtocolError::InvalidJson), "{text}");
        }
    }

    #[test]
    fn ws_211_an_array_of_the_members_is_no_message() {
        for text in [
            r#"["pusher:ping"]"#,
            r#"["pusher:subscribe",{"channel":"news"}]"#,
            r#"["client-a",{},"private-a"]"#,
        ] {
            assert_eq!(ClientMessage::parse(text), Err(ProtocolError::InvalidJson), "{text}");
        }
    }

    #[test]
    fn ws_212_events_that_are_not_for_clients_are_unsupported() {
        for event in ["hello", "pusher:nonsense", "pusher_internal:member_added", ""] {
            let text = format!(r#"{{"event":"{event}","data":{{}}}}"#);
            assert_eq!(ClientMessage::parse(&text), Err(ProtocolError::UnsupportedEvent(event.into())));
        }
    }

    #[test]
    fn ws_042_and_ws_047_ping_and_pong_need_no_data() {
        assert_eq!(ClientMessage::parse(r#"{"event":"pusher:ping"}"#), Ok(ClientMessage::Ping));
        assert_eq!(ClientMessage::parse(r#"{"event":"pusher:ping","data":{}}"#), Ok(ClientMessage::Ping));
        assert_eq!(ClientMessage::parse(r#"{"event":"pusher:pong","data":"{}"}"#), Ok(ClientMessage::Pong));
    }
}
