//! Reading an application's answer: by its status and its body, never by its content type.
//!
//! Pure. The redis broadcaster labels JSON as HTML, and the log broadcaster answers 200 to everybody: only
//! the body decides what is a yes. Signed bytes are the application's own wherever possible.

use std::ops::Range;

use bytes::Bytes;
use fanfare_protocol::app::{Limits, MustEqual};
use fanfare_protocol::channel::ChannelKind;
use fanfare_protocol::json;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::user::UserData;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::denial::Denial;
use super::request::Subject;

/// The parts of an application's answer that count.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Its status.
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<&'a str>,
    /// Its body.
    pub body: &'a Bytes,
}

/// The application said yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Yes {
    /// The application has signed: the body goes to the client unchanged.
    Signed(Bytes),
    /// The application has not signed. For a presence channel or a sign-in, with the text to be signed.
    Unsigned(Option<String>),
}

/// The fields that decide about the answer.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    auth: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel_data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Member<'a> {
    #[serde(borrow, default)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_info: Option<&'a RawValue>,
}

/// Reads the answer to a question.
///
/// # Errors
/// The answer is not a yes.
pub fn judge(
    answered: &Answered<'_>,
    subject: Subject<'_>,
    rule: Option<&MustEqual>,
    limits: &Limits,
) -> Result<Yes, Denial> {
    if answered.status != 200 {
        return Err(by_status(answered, subject));
    }
    let text = std::str::from_utf8(answered.body).map_err(|_| not_a_yes("bytes that are no text"))?;
    // Browsers drop a byte order mark, and so would the client that the answer is for.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.is_empty() {
        return Err(Denial::Empty);
    }
    if text.starts_with('<') {
        return Err(Denial::WebPage);
    }
    // A string that is cut within a character is legal JSON, which a `Value` can hold only with a replacement.
    let whole = json::with_whole_characters(text);
    let value: Value = serde_json::from_str(&whole).map_err(|_| not_a_yes("a text that is no JSON"))?;
    if let Some(rule) = rule.filter(|rule| !rule.is_met_by(&value)) {
        return Err(Denial::RuleNotMet(rule.to_string()));
    }
    let fields = match &value {
        // A repeated field, or an unreadable number.
        Value::Object(_) => {
            serde_json::from_str(text).map_err(|_| not_a_yes("JSON that says things twice"))?
        }
        _ => Fields { auth: None, channel_data: None, id: None },
    };
    if fields.auth.is_some_and(|auth| auth.get().starts_with('"')) {
        return Ok(Yes::Signed(Bytes::copy_from_slice(text.as_bytes())));
    }
    match subject {
        Subject::User => user(text, &value, &fields, limits),
        Subject::Channel(channel) => match channel.kind() {
            ChannelKind::Private => private(&value, &fields, rule.is_some()),
            ChannelKind::Presence => presence(&value, &fields, channel.as_str(), limits),
            ChannelKind::Encrypted => Err(Denial::Unsigned),
            ChannelKind::Public | ChannelKind::ServerToUser => Err(not_a_yes("something")),
        },
    }
}

fn by_status(answered: &Answered<'_>, subject: Subject<'_>) -> Denial {
    let routes = match subject {
        Subject::Channel(_) => "Broadcast::routes()",
        Subject::User => "Broadcast::userRoutes()",
    };
    match answered.status {
        401 => Denial::NotLoggedIn,
        403 => Denial::Forbidden,
        419 => Denial::CsrfToken,
        status @ (404 | 405) => Denial::NoRoute(status, routes),
        status @ 300..=399 => {
            let to = answered.location.unwrap_or("nowhere").split(['?', '#']).next().unwrap_or_default();
            Denial::Redirected { status, to: to.chars().take(200).collect() }
        }
        status @ 400..=499 => Denial::Refused(status),
        status @ 201..=299 => Denial::NotAYes { status, what: "a status that no broadcaster has" },
        status => Denial::Failed(status),
    }
}

/// `true`, or an array that the callback has returned; with a rule, any answer that meets the rule.
fn private(value: &Value, fields: &Fields<'_>, has_rule: bool) -> Result<Yes, Denial> {
    let returned_array = fields.channel_data.is_some_and(is_object);
    if *value == Value::Bool(true) || returned_array || (has_rule && value.is_object()) {
        return Ok(Yes::Unsigned(None));
    }
    Err(not_a_yes(described(value)))
}

/// A member with an id; the id becomes a string with its very digits, and `user_info` stays as it is.
fn presence(value: &Value, fields: &Fields<'_>, channel: &str, limits: &Limits) -> Result<Yes, Denial> {
    if *value == Value::Bool(true) {
        return Err(Denial::NobodyNamed);
    }
    let Some(data) = fields.channel_data.filter(|data| is_object(data)) else {
        return Err(not_a_yes(described(value)));
    };
    let member: Member<'_> =
        serde_json::from_str(data.get()).map_err(|_| not_a_yes("JSON that says things twice"))?;
    let id = member.user_id.and_then(as_string).ok_or(Denial::NobodyNamed)?;
    let data = match member.user_info {
        Some(info) => format!(r#"{{"user_id":{id},"user_info":{}}}"#, info.get()),
        None => format!(r#"{{"user_id":{id}}}"#),
    };
    match Identity::parse(&data, channel, limits) {
        Ok(_) => Ok(Yes::Unsigned(Some(data))),
        Err(error) => Err(Denial::Unfit(error.to_string())),
    }
}

/// The user alone, as from a broadcaster that cannot sign; the user's id becomes a string.
fn user(text: &str, value: &Value, fields: &Fields<'_>, limits: &Limits) -> Result<Yes, Denial> {
    let Some(raw) = fields.id else {
        return Err(not_a_yes(described(value)));
    };
    let id = as_string(raw).ok_or(not_a_yes("a user whose id is neither text nor number"))?;
    let place = place_of(raw.get(), text);
    let data = format!("{}{id}{}", &text[..place.start], &text[place.end..]);
    match UserData::parse(&data, limits) {
        Ok(_) => Ok(Yes::Unsigned(Some(data))),
        Err(fault) => Err(Denial::Unfit(fault.to_string())),
    }
}

/// The range of a part within the whole text.
fn place_of(part: &str, whole: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// A string unchanged, or a number in quotes, digit by digit.
fn as_string(json: &RawValue) -> Option<String> {
    match json.get().as_bytes().first()? {
        b'"' => Some(json.get().to_owned()),
        b'-' | b'0'..=b'9' => Some(format!("\"{}\"", json.get())),
        _ => None,
    }
}

fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

const fn not_a_yes(what: &'static str) -> Denial {
    Denial::NotAYes { status: 200, what }
}

/// The kind of a JSON value, without quoting the value.
fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(false) => "false",
        Value::Bool(true) => "true",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(fields) if fields.contains_key("error") => "an object with an error in it",
        Value::Object(_) => "an object without auth, channel_data or id",
    }
}

#[cfg(test)]
mod tests;
