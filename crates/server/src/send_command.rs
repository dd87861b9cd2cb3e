//! `fanfare send`: publishes one event by the HTTP API, signed like a back end's.

mod told;

use std::time::Duration;

use fanfare_config::Config;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName, InvalidName};
use fanfare_protocol::error::invalid_name;
use fanfare_protocol::ids::has_socket_id_shape;
use hyper::Method;
use serde_json::json;

use crate::command_line::Send;
use crate::signed_request::{AppAtServer, SignedRequestError};

/// How long the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an event was not published.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no answer.
    #[error(transparent)]
    NotSigned(#[from] SignedRequestError),
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
    /// The socket id is none.
    #[error(
        "{0} is no socket id, which looks like 1234.5678: a client's is in pusher:connection_established"
    )]
    NoSocketId(String),
}

impl SendError {
    /// Whether the caller made the fault; otherwise a part was away, or has refused.
    #[must_use]
    pub const fn is_askers(&self) -> bool {
        match self {
            Self::NotSigned(error) => error.is_askers(),
            Self::ChannelName { .. } | Self::Encrypted | Self::NoSocketId(_) => true,
        }
    }
}

/// Publishes the event; returns the text to print.
///
/// # Errors
/// The event was not published, as far as is known.
pub async fn run(config: &Config, asked: &Send) -> Result<String, SendError> {
    let server = AppAtServer::find(config, asked.app.as_deref(), asked.place.url.as_ref()).await?;
    let channels = channels(asked, &server.app)?;
    if let Some(socket) = asked.except.as_deref().filter(|socket| !has_socket_id_shape(socket)) {
        return Err(SendError::NoSocketId(socket.to_owned()));
    }
    let body = json!({
        "name": asked.event,
        "channels": channels.iter().map(ChannelName::as_str).collect::<Vec<_>>(),
        "data": asked.data,
        "socket_id": asked.except,
        "info": "subscription_count,trace",
    });
    let answer = server.ask((Method::POST, "/events"), Some(&body), PATIENCE).await?;
    if asked.json {
        return Ok(format!("{:#}\n", if answer["trace"].is_null() { &answer } else { &answer["trace"] }));
    }
    let names: Vec<&str> = channels.iter().map(ChannelName::as_str).collect();
    let AppAtServer { app, url, .. } = &server;
    let sent = format!("{} was sent to {} of app {} at {url}", asked.event, names.join(" and "), app.id);
    Ok(told::whole(&sent, &names, &answer))
}

/// The channels of the event.
fn channels(asked: &Send, app: &App) -> Result<Vec<ChannelName>, SendError> {
    let names = std::iter::once(&asked.channel).chain(&asked.also_to);
    let channels = names.map(|name| {
        let channel = ChannelName::parse(name, app.limits.channel_name)
            .map_err(|fault| SendError::ChannelName { name: name.clone(), fault })?;
        if channel.kind() == ChannelKind::Encrypted { Err(SendError::Encrypted) } else { Ok(channel) }
    });
    channels.collect()
}
