//! The client's request: a form, or the same fields in JSON; and the refusals before the application is asked.

use std::time::Duration;

use fanfare_protocol::app::Limits;
use fanfare_protocol::auth::Query;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::json;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;

use super::refusal::{BODY_BYTES, Refusal};
use crate::connections::RequestBody;
use crate::http::body;

/// The fields, as sent.
#[derive(Debug, Deserialize)]
pub(super) struct AskedFor {
    #[serde(default)]
    socket_id: Option<String>,
    #[serde(default)]
    channel_name: Option<String>,
}

/// Reads the body of a request.
///
/// # Errors
/// The body is missing or unusable.
pub(super) async fn receive(request: Request<RequestBody>, patience: Duration) -> Result<AskedFor, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let body = body::read(request, BODY_BYTES, patience).await.map_err(Refusal::Body)?;
    let text = std::str::from_utf8(&body).map_err(|_| Refusal::NotAForm)?;
    if is_json {
        return json::object(text).ok_or(Refusal::NotAForm);
    }
    let form = Query::parse(text);
    let field = |name| form.get(name).map(str::to_owned);
    Ok(AskedFor { socket_id: field("socket_id"), channel_name: field("channel_name") })
}

impl AskedFor {
    /// The channel's name and the socket's id as sent, for the log.
    pub fn names(&self) -> (&str, &str) {
        (self.channel_name.as_deref().unwrap_or_default(), self.socket_id.as_deref().unwrap_or_default())
    }

    /// The socket. Only its form is checked: the socket may be another node's, and a signature is useless for every
    /// other connection (AUTH-025).
    ///
    /// # Errors
    /// The field is missing, or is no socket id.
    pub fn socket(&self) -> Result<SocketId, Refusal> {
        let text = self.socket_id.as_deref().ok_or(Refusal::Missing("socket_id"))?;
        text.parse().map_err(|_| Refusal::NotASocketId)
    }

    /// The channel.
    ///
    /// # Errors
    /// The field is missing, or is no channel name.
    pub fn channel(&self, limits: &Limits) -> Result<ChannelName, Refusal> {
        let text = self.channel_name.as_deref().ok_or(Refusal::Missing("channel_name"))?;
        ChannelName::parse(text, limits.channel_name)
            .map_err(|fault| Refusal::InvalidChannel { name: text.to_owned(), fault })
    }
}
