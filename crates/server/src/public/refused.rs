//! Refused requests made known: to operators, and in the log. Never with a secret, a signature, or data of events.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use fanfare_node::refusals::{NotedRefusal, RefusalKind};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Query, RequestError, Secret};
use fanfare_protocol::close::shortened;
use hyper::{Method, Request, Uri};
use percent_encoding::percent_decode_str;
use tracing::Level;

use super::routes::{PublicRoutes, own_path};
use crate::connections::RequestBody;
use crate::http::Peer;
use crate::http::error::ApiError;
use crate::http::forwarded::client_address;
use crate::log::limited::{Line, limited};
use crate::log::unknown_key;
use crate::state::State;

/// Longest logged part of a path or key, in bytes.
const MOST_REPEATED: usize = 200;

/// Logged in place of a key that is the app's secret.
const IS_THE_SECRET: &str = "(the secret of this app: key and secret have changed places)";

/// Logged in place of a key that is a client's of laravel-echo-server's API (SIO-082), and so a secret.
const IS_OF_A_CLIENT: &str = "(the key of one of socketio.clients)";

/// The answer to a request at which the server has panicked.
pub(super) const FAILED: &str = "The server has failed at this request";

/// What a path names: an app, if memory has the app, and a channel, decoded.
struct Named {
    app: Option<Arc<App>>,
    channel: Option<String>,
}

/// The facts for the log line, kept while the request is answered.
pub(super) struct Noted {
    method: Method,
    uri: Uri,
    client: IpAddr,
}

impl Noted {
    pub fn of(state: &State, peer: Peer, request: &Request<RequestBody>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            client: client_address(state, request.headers(), peer.address),
        }
    }

    /// The path as it came.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Makes known that the request was refused, but for requests that are meant for no such server.
    pub async fn note(&self, state: &State, routes: &PublicRoutes, error: &ApiError) {
        if is_of_nobody(error) {
            return;
        }
        let Named { app, channel } = Named::at(state, routes, self.path()).await;
        let signed = match error {
            ApiError::Unauthorized(error) => error.signed(),
            _ => None,
        };
        let kind = if is_about_handshake(error) { RefusalKind::Handshake } else { error.refusal_kind() };
        let (status, reason) = (error.status().as_u16(), reason(error));
        let refusal = NotedRefusal {
            channel: channel.as_deref(),
            address: Some(self.client),
            signed: signed.as_deref(),
            ..NotedRefusal::new(kind, Some(status), error.label(), &reason)
        };
        state.node.note_refusal(app.as_ref().map(|app| &app.id), &refusal);
    }

    /// Logs that the request was refused.
    pub async fn log(&self, state: &State, routes: &PublicRoutes, error: &ApiError) {
        if is_about_handshake(error) {
            return self.log_handshake(error);
        }
        let is_of_nobody = is_of_nobody(error);
        // Asked first: a line that is not written must not cost a look-up of its app.
        let is_written = if is_of_nobody {
            tracing::enabled!(target: "fanfare::http", Level::DEBUG)
        } else {
            tracing::enabled!(target: "fanfare::http", Level::INFO) && Line::RequestRefused.admits()
        };
        if !is_written {
            return;
        }
        let path = own_path(self.path(), &state.node.config().listen.path_prefix);
        let params = routes.find(path).map(|matched| matched.params);
        let param = |name| params.as_ref().and_then(|params| params.get(name));
        let app = param("app");
        let query = Query::parse(self.uri.query().unwrap_or_default());
        let key = query.get("auth_key").or(param("key"));
        let key = match (app, key) {
            (Some(app), Some(key)) => Some(shown_key(state, app, key).await),
            (_, key) => key.map(unknown_key),
        };
        let app = app.map(|app| shortened(app, MOST_REPEATED));
        let (app, key) = (app.as_deref(), key.as_deref());
        let path = match param("key") {
            Some(sent) => unsigned(self.path()).replace(sent, &unknown_key(sent)),
            None => unsigned(self.path()).to_owned(),
        };
        let (method, path) = (self.method.as_str(), &*shortened(&path, MOST_REPEATED));
        let (status, client, reason) = (error.status().as_u16(), self.client, &*reason(error));
        if is_of_nobody {
            tracing::debug!(target: "fanfare::http", status, method, path, %client, reason, "request refused");
        } else {
            tracing::info!(
                target: "fanfare::http",
                app, key, status, method, path, %client, reason, "request refused"
            );
        }
    }

    fn log_handshake(&self, error: &ApiError) {
        limited!(
            Line::FaultyHandshake,
            target: "fanfare::connection",
            Level::INFO,
            status = error.status().as_u16(),
            client = %self.client,
            reason = &*reason(error),
            "WebSocket handshake refused"
        );
    }
}

impl Named {
    /// Never has the database asked: strangers could have it asked at every refusal.
    async fn at(state: &State, routes: &PublicRoutes, path: &str) -> Self {
        let path = own_path(path, &state.node.config().listen.path_prefix);
        let params = routes.find(path).map(|matched| matched.params);
        let param = |name| params.as_ref().and_then(|params| params.get(name));
        let app = match (param("app"), param("key")) {
            (Some(id), _) => state.node.apps.in_memory(id).await,
            (None, Some(key)) => state.node.apps.in_memory_by_key(key).await,
            (None, None) => None,
        };
        let channel = param("channel").map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
        Self { app, channel }
    }
}

/// Makes known that the server has panicked at a request, which is answered with 500.
pub(super) async fn note_panic(state: &State, routes: &PublicRoutes, path: &str) {
    let Named { app, channel } = Named::at(state, routes, path).await;
    let refusal = NotedRefusal {
        channel: channel.as_deref(),
        ..NotedRefusal::new(RefusalKind::Http, Some(500), "panicked", &FAILED)
    };
    state.node.note_refusal(app.as_ref().map(|app| &app.id), &refusal);
}

/// Whether a request was a WebSocket handshake with a fault of HTTP.
const fn is_about_handshake(error: &ApiError) -> bool {
    matches!(error, ApiError::BadHandshake | ApiError::HandshakeWithBody | ApiError::HandshakeInOldHttp)
}

/// Whether a request was for no path of this server, as scanners send. A path that holds a known path behind an
/// unknown prefix comes from a back end or a browser with a wrong setting.
fn is_of_nobody(error: &ApiError) -> bool {
    match error {
        ApiError::NoRoute(path) => !path.contains("/apps/") && !path.contains("/app/"),
        ApiError::FaultyHost => true,
        _ => false,
    }
}

/// The answer's sentence; a sentence about a signature loses the signature.
fn reason(error: &ApiError) -> Cow<'static, str> {
    match error {
        ApiError::Unauthorized(RequestError::SignatureMismatch { .. }) => {
            "Invalid signature: another secret has signed, or something has changed the request on its way"
                .into()
        }
        ApiError::NoRoute(path) => ApiError::NoRoute(unsigned(path).to_owned()).to_string().into(),
        ApiError::UnknownKey(key) => ApiError::UnknownKey(unknown_key(key).into_owned()).to_string().into(),
        _ => error.to_string().into(),
    }
}

/// A path without the signature of a URL whose question mark is lost or encoded, and what follows.
fn unsigned(path: &str) -> &str {
    path.split_once("auth_signature").map_or(path, |(before, _)| before)
}

/// The key sent for an app, as logs show it. Never has the database asked: strangers could have it asked at every refusal.
async fn shown_key<'k>(state: &State, app: &str, key: &'k str) -> Cow<'k, str> {
    match state.node.apps.in_memory(app).await {
        Some(app) if app.credential(key).is_some() => shortened(key, MOST_REPEATED),
        Some(app) if is_secret_of(&app, key) => IS_THE_SECRET.into(),
        _ if state.node.config().socketio.is_key(key) => IS_OF_A_CLIENT.into(),
        _ => unknown_key(key),
    }
}

/// Whether a text sent as a key is a secret of the app. Takes constant time, as the check of a signature does.
fn is_secret_of(app: &App, text: &str) -> bool {
    const ANY: &[&[u8]] = &[b"key"];
    let signed = Secret::new(text).sign(ANY);
    app.credentials.iter().any(|credential| credential.secret.verify(ANY, &signed))
}

#[cfg(test)]
mod tests {
    use fanfare_apps::Apps;
    use fanfare_config::Config;
    use fanfare_node::tasks::Tasks;
    use fanfare_protocol::ids::AppId;
    use hyper::StatusCode;

    use super::*;
    use crate::descriptors::Division;
    use crate::public::after_panic;

    #[tokio::test]
    async fn con_045_a_panic_is_told_as_a_500_of_its_app_with_the_decoded_channel() {
        let (config, id) = (Config::default(), AppId::from("3"));
        let apps = vec![App::new(id.clone(), Vec::new())];
        let apps = Apps::open(apps, None, config.kept()).await.unwrap();
        let state = State::new(config, apps, Tasks::default(), &Division::default());
        for target in ["/apps/3/channels/a%20b?auth_key=k", "/up"] {
            let answer = after_panic(&state, &PublicRoutes::default(), &target.parse().unwrap()).await;
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
        for (app, channel) in [(Some(&id), Some("a b")), (None, None)] {
            let [row] = &state.node.refusals.show(app)[..] else { panic!("one refusal") };
            assert_eq!((row.kind, row.code, row.cause), (RefusalKind::Http, Some(500), "panicked"));
            assert_eq!((&*row.text, row.channel.as_deref(), row.count), (FAILED, channel, 1));
        }
    }
}
