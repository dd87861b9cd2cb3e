//! One event from a back end: parsed from JSON or from the query, checked field by field.

use std::borrow::Cow;

use fanfare_protocol::app::App;
use fanfare_protocol::auth::Query;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::event_name::check_event_name;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::json;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::error::ApiError;

/// The fields of an event, each still raw (API-010, API-025).
#[derive(Debug, Default, Deserialize)]
pub struct Fields<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    socket_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    info: Option<&'a RawValue>,
}

/// An event whose fields have the right types, and perhaps values that are not legal.
struct Unchecked<'a, 'names> {
    name: Cow<'a, str>,
    data: Data<'a>,
    channels: &'names [Cow<'names, str>],
    socket_id: Option<&'names str>,
    info: Option<&'names str>,
}

/// An event that may be published.
#[derive(Debug)]
pub struct Checked<'a> {
    /// The event's name.
    pub name: Cow<'a, str>,
    /// The event's data, byte for byte.
    pub data: Data<'a>,
    /// Distinct channels, in the order given (API-015).
    pub channels: Vec<ChannelName>,
    /// The connection that does not get the event.
    pub except: Option<SocketId>,
    /// The attributes to answer for each channel; `None` if the event asked for none.
    pub info: Option<Info>,
}

/// The attributes asked for in `info` (API-013, API-036).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Distinct users of a presence channel.
    pub user_count: bool,
    /// Number of connections.
    pub subscription_count: bool,
    /// The last event of a cache channel.
    pub cache: bool,
    /// Where the event went (CON-042); of a publish with one event.
    pub trace: bool,
}

impl Info {
    /// Reads a comma-separated list; unknown attributes are ignored (API-032, API-039).
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let has = |wanted: &str| list.split(',').any(|name| name.trim() == wanted);
        Self {
            user_count: has("user_count"),
            subscription_count: has("subscription_count"),
            cache: has("cache"),
            trace: has("trace"),
        }
    }
}

impl<'a> Checked<'a> {
    /// Checks the fields of a JSON object; `most_channels` is 1 for an item of a batch.
    ///
    /// # Errors
    /// The first field that is missing, of the wrong type, or over a limit of the app.
    pub fn from_fields(fields: &Fields<'a>, app: &App) -> Result<Self, ApiError> {
        let name = string(fields.name, "name")?.ok_or(wrong_type("name", "a string"))?;
        let data = data(fields.data)?;
        let mut names = Vec::new();
        names.extend(string(fields.channel, "channel")?);
        names.extend(strings(fields.channels, "channels")?);
        let socket_id = string(fields.socket_id, "socket_id")?;
        let info = string(fields.info, "info")?;
        Unchecked { name, data, channels: &names, socket_id: socket_id.as_deref(), info: info.as_deref() }
            .check(app)
    }

    /// Checks the parameters of a query, for a request without a body (API-002).
    ///
    /// # Errors
    /// As for JSON.
    pub fn from_query(query: &'a Query, app: &App) -> Result<Self, ApiError> {
        let name = query.get("name").ok_or(wrong_type("name", "a string"))?;
        let data = query.get("data").ok_or(wrong_type("data", "a string"))?;
        let names: Vec<Cow<'_, str>> =
            query.get("channel").into_iter().chain(query.all("channels[]")).map(Cow::from).collect();
        let (socket_id, info) = (query.get("socket_id"), query.get("info"));
        Unchecked { name: name.into(), data: data.into(), channels: &names, socket_id, info }.check(app)
    }

    /// Checks an event to one channel whose data is the body itself (API-070).
    ///
    /// # Errors
    /// The body is not UTF-8, there is no name, or a limit of the app is exceeded.
    pub fn from_raw(
        channel: ChannelName,
        query: &'a Query,
        body: &'a [u8],
        app: &App,
    ) -> Result<Self, ApiError> {
        let name = query.get("name").ok_or(wrong_type("name", "a string"))?;
        let data = Data::from(std::str::from_utf8(body).map_err(|_| ApiError::NotUtf8)?);
        check_size(app, &data)?;
        check_event_name(name, &app.limits)?;
        let except = query.get("socket_id").and_then(|id| id.parse().ok());
        Ok(Self { name: name.into(), data, channels: vec![channel], except, info: None })
    }
}

impl<'a> Unchecked<'a, '_> {
    fn check(self, app: &App) -> Result<Checked<'a>, ApiError> {
        let Self { name, data, channels, socket_id, info } = self;
        check_event_name(&name, &app.limits)?;
        let channels = distinct_channels(channels, app)?;
        check_size(app, &data)?;
        // An id that no connection here can have excludes nobody (API-014).
        let except = socket_id.and_then(|id| id.parse().ok());
        Ok(Checked { name, data, channels, except, info: info.map(Info::parse) })
    }
}

impl<'a> Fields<'a> {
    /// The event's name as far as there is one, for the trace of a refused event.
    #[must_use]
    pub fn name_if_any(&self) -> Option<Cow<'a, str>> {
        self.name.and_then(|raw| json::string(raw.get()))
    }

    /// Whether channel, name and data are there, in the sense of laravel-echo-server: null, false, 0 and an empty text count
    /// as absent.
    #[must_use]
    pub fn are_filled(&self) -> bool {
        let is_filled = |raw: Option<&RawValue>| raw.is_some_and(|raw| !is_falsy(raw.get()));
        (is_filled(self.channel) || is_filled(self.channels)) && is_filled(self.name) && is_filled(self.data)
    }

    /// The fields as laravel-echo-server takes them: `channels` goes before `channel`, and `info` is no field.
    #[must_use]
    pub fn with_channels_first(self) -> Self {
        let several = self.channels.filter(|raw| !is_falsy(raw.get()));
        let channel = if several.is_some() { None } else { self.channel };
        Self { channel, channels: several, info: None, ..self }
    }

    /// An item of a batch names exactly one channel, as `channel` (API-025).
    ///
    /// # Errors
    /// `channel` is missing, or `channels` is there.
    pub fn check_batch_item(&self) -> Result<(), ApiError> {
        if self.channels.is_some() || self.channel.is_none() {
            return Err(wrong_type("channel", "a string"));
        }
        Ok(())
    }
}

/// Parses a JSON object, and nothing else, into fields.
pub fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    std::str::from_utf8(body).ok().and_then(json::object).ok_or(ApiError::NotJson)
}

fn distinct_channels(names: &[Cow<'_, str>], app: &App) -> Result<Vec<ChannelName>, ApiError> {
    let limit = app.limits.channels_per_event;
    if names.is_empty() {
        return Err(ApiError::NoChannel);
    }
    if names.len() > limit {
        return Err(ApiError::TooManyChannels { limit, given: names.len() });
    }
    let mut channels: Vec<ChannelName> = Vec::with_capacity(names.len());
    for name in names {
        let channel = ChannelName::parse(name, app.limits.channel_name)
            .map_err(|fault| ApiError::InvalidChannelName { name: name.to_string(), fault })?;
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    Ok(channels)
}

fn check_size(app: &App, data: &Data<'_>) -> Result<(), ApiError> {
    let (limit, size) = (app.limits.event_bytes, data.len());
    if size > limit { Err(ApiError::EventTooBig { limit, size }) } else { Ok(()) }
}

const fn wrong_type(field: &'static str, expected: &'static str) -> ApiError {
    ApiError::WrongType { field, expected }
}

/// A string, or `None` where the field is absent or null.
pub fn string<'a>(raw: Option<&'a RawValue>, field: &'static str) -> Result<Option<Cow<'a, str>>, ApiError> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(json) => json::string(json).map(Some).ok_or(wrong_type(field, "a string")),
    }
}

/// An array of strings; empty where the field is absent or null.
pub fn strings<'a>(raw: Option<&'a RawValue>, field: &'static str) -> Result<Vec<Cow<'a, str>>, ApiError> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(Vec::new()),
        Some(json) => {
            let wrong = || wrong_type(field, "an array of strings");
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| wrong())?;
            items.into_iter().map(|item| json::string(item.get()).ok_or_else(wrong)).collect()
        }
    }
}

/// Whether JavaScript takes a JSON value for false.
fn is_falsy(json: &str) -> bool {
    matches!(json, "null" | "false" | "\"\"") || json.parse::<f64>().is_ok_and(|number| number == 0.0)
}

/// The event's data; a value that is not a string becomes its compact JSON (API-018).
fn data(raw: Option<&RawValue>) -> Result<Data<'_>, ApiError> {
    raw.and_then(|raw| Data::of_json(raw.get())).ok_or(wrong_type("data", "a string"))
}
