//! Which requests show a client's key, and whether the key is right. Never logs a key.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_config::SocketIoSection;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::Query;
use hyper::Request;
use hyper::header::AUTHORIZATION;

use super::refusal::Refusal;
use crate::connections::RequestBody;
use crate::http::body::Arriving;
use crate::http::error::ApiError;
use crate::state::State;

/// A request whose key is that of a client.
pub(super) struct Admitted {
    /// The app that Socket.IO is for.
    pub app: Arc<App>,
    /// The client's name, which is no secret.
    pub client: String,
    pub query: Query,
    pub body: Bytes,
}

/// What a request shows of its sender. Not `Debug`: it holds a key.
pub(super) struct Shown {
    query: Query,
    key: Option<String>,
}

impl Shown {
    /// Reads the query, and the key: in the header, where the word `Bearer` may be left out, or else in the query.
    pub fn of(request: &Request<RequestBody>) -> Self {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let key = match request.headers().get(AUTHORIZATION) {
            Some(header) => {
                let text = String::from_utf8_lossy(header.as_bytes());
                Some(match text.split_once(' ') {
                    Some((word, key)) if word.eq_ignore_ascii_case("bearer") => key.trim().to_owned(),
                    _ => text.trim().to_owned(),
                })
            }
            None => query.get("auth_key").map(str::to_owned),
        };
        Self { query, key }
    }

    /// Whether there is a key in place of a signature. Pusher's libraries sign with some secret beside a client's key.
    pub fn is_by_key(&self, socketio: &SocketIoSection, name: &str) -> bool {
        let is_signed = self.query.get("auth_signature").is_some();
        match &self.key {
            Some(_) => !is_signed || self.is_right(socketio, name),
            None => !is_signed && socketio.clients.iter().any(|client| client.app_id == name),
        }
    }

    /// Whether the key is that of the client.
    fn is_right(&self, socketio: &SocketIoSection, name: &str) -> bool {
        self.key.as_deref().is_some_and(|key| socketio.admits(name, key))
    }
}

/// Checks the key before the body is read, so that no stranger can have the server buffer a body.
pub(super) async fn admit(
    state: &State,
    name: &str,
    shown: Shown,
    request: Request<RequestBody>,
) -> Result<Admitted, Refusal> {
    let config = state.node.config_kept();
    let arriving = Arriving::of(request, config.limits.request_bytes).await?;
    if !shown.is_right(&config.socketio, name) {
        return Err(arriving.refused(Refusal::Unauthorized).await);
    }
    let app = match app(state).await {
        Ok(app) => app,
        Err(refusal) => return Err(arriving.refused(refusal).await),
    };
    let body = arriving.read(config.timeouts.handshake()).await?;
    Ok(Admitted { app, client: name.to_owned(), query: shown.query, body })
}

/// The app that Socket.IO is for.
async fn app(state: &State) -> Result<Arc<App>, Refusal> {
    let config = state.node.config_kept();
    let id = config.socketio.app.as_ref().ok_or(Refusal::NoApp)?;
    match state.node.apps.by_id(id.as_str()).await {
        Ok(Some(app)) if app.enabled => Ok(app),
        Ok(Some(_)) => Err(ApiError::AppDisabled.into()),
        Ok(None) => Err(Refusal::NoApp),
        Err(error) => {
            tracing::debug!(target: "fanfare::apps", app = id.as_str(), %error, "app not looked up");
            Err(ApiError::AppsUnavailable.into())
        }
    }
}
