//! `fanfare send`: publishes one event by the HTTP API, signed like a back end's.
//!
//! Creates neither an app nor a database: an event of an app that no server knows reaches no client.

use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{AppsError, Database};
use fanfare_config::{Config, ServerUrl};
use fanfare_node::clock::unix_seconds;
use fanfare_outgoing::{Bounds, Client, OutgoingError, Trust};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::signed_query;
use fanfare_protocol::channel::{ChannelKind, ChannelName, InvalidName};
use fanfare_protocol::close::shortened;
use fanfare_protocol::error::invalid_name;
use http_body_util::Full;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::command_line::Send;

/// The bounds of the request.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), bytes: 64 * 1024 };

/// Longest repeated part of a refusal, in bytes.
const MOST_REPEATED: usize = 500;

/// Why an event was not published.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The apps' database.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// The embedded database does not exist.
    #[error(
        "there is no app to send as: {} does not exist. Start the server first, or say where it keeps its data (--data-dir, \
         --config)",
        .0.place()
    )]
    NoDatabase(Database),
    /// There is no app, or none with the id given.
    #[error("there is no such app; `fanfare app list` shows those of the database")]
    NoApp,
    /// The channel's name is not legal.
    #[error("{}", invalid_name(name, *fault))]
    ChannelName {
        /// The name.
        name: String,
        /// What is wrong with the name.
        fault: InvalidName,
    },
    /// The channel is encrypted; this command does not encrypt.
    #[error(
        "clients could not read what is sent here to an encrypted channel: the SDK of a back end encrypts it, with a key \
         that Fanfare does not have"
    )]
    Encrypted,
    /// The server cannot be reached.
    #[error("{url} does not answer: {error} (does the server run? --listen and --url say where it is)")]
    Unanswered {
        /// The URL requested.
        url: String,
        /// The cause.
        error: OutgoingError,
    },
    /// The answer is a success, but not this API's.
    #[error("{url} answers 200, but not as Fanfare does, so that nothing was sent: {said}")]
    Foreign {
        /// The URL requested.
        url: String,
        /// The beginning of the answer.
        said: String,
    },
    /// The server has refused.
    #[error("{url} has refused with {status}: {said}")]
    Refused {
        /// The URL requested.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The sentence of the answer.
        said: String,
    },
}

impl SendError {
    /// Whether the caller made the fault; otherwise a part was away, or has refused.
    #[must_use]
    pub const fn is_askers(&self) -> bool {
        matches!(self, Self::NoDatabase(_) | Self::NoApp | Self::ChannelName { .. } | Self::Encrypted)
    }
}

/// Publishes the event; returns the text to print.
///
/// # Errors
/// The event was not published, as far as is known.
pub async fn run(config: &Config, asked: &Send) -> Result<String, SendError> {
    if let Some(database @ Database::Sqlite(file)) = &config.database()
        && !file.exists()
    {
        return Err(SendError::NoDatabase(database.clone()));
    }
    let app = app(config, asked.app.as_deref()).await?.ok_or(SendError::NoApp)?;
    let credential = app.credentials.first().ok_or(SendError::NoApp)?;
    let channel = ChannelName::parse(&asked.channel, app.limits.channel_name)
        .map_err(|fault| SendError::ChannelName { name: asked.channel.clone(), fault })?;
    if channel.kind() == ChannelKind::Encrypted {
        return Err(SendError::Encrypted);
    }
    let ServerUrl { tls, host, port } =
        asked.url.clone().unwrap_or_else(|| ServerUrl::near(config.listen.addr));
    let url = format!("{}://{host}:{port}{}", if tls { "https" } else { "http" }, config.listen.path_prefix);
    let body = json!({
        "name": asked.event,
        "channel": channel.as_str(),
        "data": asked.data,
        "info": "subscription_count",
    });
    let (path, body) = (format!("/apps/{}/events", app.id), body.to_string());
    let query = signed_query(credential, "POST", &path, body.as_bytes(), unix_seconds());
    let request = Request::post(format!("{url}{path}?{query}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)));
    let answered = match request {
        Ok(request) => Client::new(&Trust::public()).send(request, BOUNDS).await,
        Err(error) => Err(OutgoingError::Unreachable(error.to_string())),
    };
    let answer = answered.map_err(|error| SendError::Unanswered { url: url.clone(), error })?;
    let said = || {
        let text = String::from_utf8_lossy(&answer.body);
        shortened(text.trim(), MOST_REPEATED).replace(char::is_control, " ")
    };
    if answer.status.as_u16() != 200 {
        return Err(SendError::Refused { url, status: answer.status.as_u16(), said: said() });
    }
    let Ok(Value::Object(published)) = serde_json::from_slice(&answer.body) else {
        return Err(SendError::Foreign { url, said: said() });
    };
    let heard = heard_by(&Value::Object(published), channel.as_str());
    Ok(format!("{} was sent to {channel} of app {} at {url}{heard}.\n", asked.event, app.id))
}

/// The app with this id, or the first; the database is only read.
async fn app(config: &Config, id: Option<&str>) -> Result<Option<App>, AppsError> {
    let configured = config.fixed_apps().into_iter().find(|app| id.is_none_or(|id| app.id.as_str() == id));
    match configured {
        Some(app) => Ok(Some(app)),
        None => config.stored_app(None, id).await,
    }
}

/// Who received the event, according to the answer.
fn heard_by(answer: &Value, channel: &str) -> String {
    match answer["channels"][channel]["subscription_count"].as_u64() {
        Some(0) => ": nobody is subscribed to it".to_owned(),
        Some(1) => ": 1 connection is subscribed to it".to_owned(),
        Some(count) => format!(": {count} connections are subscribed to it"),
        // Asked for, and left out: the answer of a node that is out of touch with others (API-013).
        None => ". The server cannot say who is subscribed: perhaps it is out of touch with other nodes, whose clients \
                 then do not get the event; its /ready says more"
            .to_owned(),
    }
}
