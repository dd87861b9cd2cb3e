//! Admission of WebSockets: the checks of WS-060 in their order.
//!
//! The upgrade itself is always completed; a refusal follows as a close code, because clients can read
//! close codes (WS-005).

use std::net::IpAddr;
use std::sync::Arc;

use fanfare_node::{Node, Seats};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::Query;
use fanfare_protocol::close::{CloseReason, shortened};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::version::Version;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Body as _;
use hyper::header::{HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;
use tracing::Level;

use super::answer::Answer;
use super::error::ApiError;
use super::forwarded::{came_over_tls, client_address};
use super::received::Received;
use crate::connections::{Place, RequestBody};
use crate::log::limited::{Line, limited};
use crate::log::unknown_key;
use crate::state::State;
use crate::ws::socket::Socket;
use crate::ws::{self, BareSocket, Newcomer};

/// Longest logged part of a key, in bytes.
const MOST_REPEATED: usize = 100;

/// A refused connection.
struct Refusal {
    reason: CloseReason,
    /// Whether the client expects the refusal as an event (WS-053).
    by_event: bool,
    client: IpAddr,
    /// The key that the client sent, at a WebSocket's path.
    key: Option<String>,
    /// The app of the key.
    app: Option<AppId>,
}

/// Answers the handshake, and continues the connection in a task of its own. `key` is the path's key, as sent;
/// `None` where the path is not a WebSocket's.
///
/// # Errors
/// The request is no WebSocket handshake, so that no WebSocket could carry the refusal.
pub async fn admit(
    state: &Arc<State>,
    key: Option<&str>,
    mut asked: Received<'_>,
) -> Result<Answer, ApiError> {
    let upgraded = hyper::upgrade::on(&mut asked.request);
    let mut response = shake_hands(&mut asked.request)?;
    if let Some(protocol) = subprotocol(asked.request.headers()) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let decision = decide(state, key, &asked).await;
    tokio::spawn(begin(Arc::clone(&state.node), upgraded, decision));
    Ok(response)
}

/// The answer to a handshake (RFC 6455, 4.2). The key is only hashed, whatever its content: HAProxy's usual
/// health check sends a key that is not base64.
fn shake_hands(request: &mut Request<RequestBody>) -> Result<Answer, ApiError> {
    if request.version() < hyper::Version::HTTP_11 {
        return Err(ApiError::HandshakeInOldHttp);
    }
    if !request.body().is_end_stream() {
        return Err(ApiError::HandshakeWithBody);
    }
    match fastwebsockets::upgrade::upgrade(request) {
        Ok((response, _)) => Ok(response.map(|_| Full::default())),
        Err(_) => Err(ApiError::BadHandshake),
    }
}

/// Waits for the bare socket, and frees the handshake's buffers by continuing in a fresh task.
async fn begin(node: Arc<Node>, upgraded: OnUpgrade, decision: Result<Newcomer, Refusal>) {
    // A broken handshake leaves no peer to inform.
    // The HTTP connection's slot is kept during a refusal, which takes a moment.
    let Some((socket, early, place)) = upgraded.await.ok().and_then(ws::into_socket) else {
        return;
    };
    match (decision, socket) {
        (Ok(newcomer), BareSocket::Plain(socket)) => {
            tokio::spawn(ws::run(node, newcomer, socket, early));
        }
        (Ok(newcomer), BareSocket::Tls(socket)) => {
            tokio::spawn(ws::run(node, newcomer, socket, early));
        }
        (Err(refusal), BareSocket::Plain(socket)) => refuse(&node, refusal, socket, &place).await,
        (Err(refusal), BareSocket::Tls(socket)) => refuse(&node, refusal, socket, &place).await,
    }
}

async fn refuse<S: Socket>(node: &Node, refusal: Refusal, socket: S, place: &Place) {
    let Refusal { reason, by_event, client, key, app } = refusal;
    let key = key.as_deref().map(|key| match app {
        Some(_) => shortened(key, MOST_REPEATED),
        None => unknown_key(key),
    });
    let told = match &reason {
        CloseReason::UnknownKey(key) => CloseReason::UnknownKey(unknown_key(key).into_owned()).to_string(),
        other => other.to_string(),
    };
    limited!(
        Line::ConnectionRefused,
        target: "fanfare::connection",
        Level::INFO,
        app = app.as_ref().map(AppId::as_str),
        key = key.as_deref(),
        code = reason.code(),
        reason = reason.label(),
        told,
        %client,
        "connection refused"
    );
    place.until_needed(ws::refuse(socket, by_event, &reason)).await;
    node.metrics.connection_closed(&reason);
}

/// The checks, in the order of WS-060; the app is looked up before the answer (WS-034).
async fn decide(state: &Arc<State>, key: Option<&str>, asked: &Received<'_>) -> Result<Newcomer, Refusal> {
    let query = Query::parse(asked.request.uri().query().unwrap_or_default());
    let spoken = query.get("protocol");
    let version = Version::parse(spoken, state.node.config.listen.version_required);
    let by_event = match &version {
        Ok(version) => version.hears_of_close_by_event(),
        Err(_) => spoken.and_then(|text| text.parse::<u32>().ok()).is_some_and(|number| number < 6),
    };
    let key = key.map(|key| percent_decode_str(key).decode_utf8_lossy());
    let refused = |app: Option<&App>, reason| Refusal {
        reason,
        by_event,
        client: client_address(state, asked.request.headers(), asked.peer.address),
        key: key.as_deref().map(str::to_owned),
        app: app.map(|app| app.id.clone()),
    };
    let path = asked.request.uri().path();
    let key = key.as_deref().ok_or_else(|| refused(None, CloseReason::PathNotFound(path.to_owned())))?;
    let version = version.map_err(|reason| refused(None, reason))?;
    let app = match state.node.apps.by_key(key).await {
        Ok(Some(app)) => app,
        Ok(None) => return Err(refused(None, CloseReason::UnknownKey(key.to_owned()))),
        Err(error) => {
            tracing::debug!(target: "fanfare::apps", %error, "app not looked up");
            return Err(refused(None, CloseReason::AppUnknownForNow));
        }
    };
    let refused = |reason| refused(Some(&app), reason);
    check_app(state, &app, asked).map_err(refused)?;
    if state.node.drain.has_begun() {
        return Err(refused(CloseReason::ShuttingDown));
    }
    let hub = state.node.hubs.open(&app);
    // A change between the look-up and here did not reach a hub that did not exist.
    if let Ok(Some(now)) = state.node.apps.by_key(key).await {
        hub.set_app(&now);
    }
    // An unauthorized connection does not count in the quota (WS-062).
    let place = if app.authorized_connections {
        None
    } else {
        let limit = app.max_connections.unwrap_or_default();
        Some(hub.take_slot().ok_or_else(|| refused(CloseReason::OverQuota { limit }))?)
    };
    let seat = Seats::take(&state.node).ok_or_else(|| refused(CloseReason::OverCapacity))?;
    Ok(Newcomer { hub, version, place, seat })
}

/// The app's conditions for every connection.
fn check_app(state: &State, app: &App, asked: &Received<'_>) -> Result<(), CloseReason> {
    let headers = asked.request.headers();
    if !app.enabled {
        return Err(CloseReason::AppDisabled);
    }
    if app.force_tls && !asked.peer.over_tls && !came_over_tls(state, headers, asked.peer.address) {
        return Err(CloseReason::TlsRequired);
    }
    match headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) {
        Some(origin) if !app.allows_origin(origin) => Err(CloseReason::OriginRefused(origin.to_owned())),
        _ => Ok(()),
    }
}

/// The subprotocol to echo: one of the form `pusher-channels-protocol-N`, if offered (WS-006).
fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    let offered = offers.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    let ours = |name: &&str| {
        name.strip_prefix("pusher-channels-protocol-")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    offered.map(str::trim).find(ours).and_then(|name| HeaderValue::from_str(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_006_only_pushers_own_subprotocol_is_echoed() {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("chat, pusher-channels-protocol-7"));
        assert_eq!(subprotocol(&headers), Some(HeaderValue::from_static("pusher-channels-protocol-7")));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("chat, pusher-channels-protocol-x"));
        assert_eq!(subprotocol(&headers), None);
    }
}
