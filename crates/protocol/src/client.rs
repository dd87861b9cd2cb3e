//! Messages of a client: text in, a message or an error out.
//!
//! Borrows from the text. The session decides whether the client may do what the message asks.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::data::Data;
use crate::error::{ClientEventFault, ProtocolError, SignInFault};
use crate::json;
use crate::resume::ResumeRequest;

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
    /// `fanfare:resume`: the client counts what it gets, and may say what it got before (RES-002, RES-003).
    Resume(ResumeRequest<'a>),
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
            "fanfare:resume" => Ok(Self::Resume(ResumeRequest::parse(envelope.data))),
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
            Self::Resume(request) => ClientMessage::Resume(request.into_owned()),
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
    let data = envelope.data.and_then(|raw| Data::of_value(raw.get()));
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
mod tests;
