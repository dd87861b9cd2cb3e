//! The handshake of a WebSocket.
//!
//! The upgrade itself is always completed; a refusal follows as a close code, because clients can read
//! close codes (WS-005).

use std::sync::Arc;

use fanfare_hub::Transport;
use fanfare_node::Node;
use fanfare_protocol::auth::Query;
use fanfare_protocol::version::Version;
use hyper::Request;
use hyper::body::Body as _;
use hyper::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::upgrade::OnUpgrade;

use super::socket::Socket;
use super::{BareSocket, farewell, into_socket};
use crate::clients::admission::{self, Applicant, Refusal, WantedApp};
use crate::clients::connection::Newcomer;
use crate::connections::{AnswerBody, Place, RequestBody};
use crate::http::answer::Answer;
use crate::http::error::ApiError;
use crate::http::received::Received;
use crate::state::State;

/// A client that is not admitted, and how its close is told.
struct Refused {
    refusal: Refusal,
    /// Whether the client expects the refusal as an event (WS-053).
    by_event: bool,
}

/// Answers the handshake, and continues the connection in a task of its own. `key` is the path's key, as sent;
/// `None` where the path is not a WebSocket's.
///
/// # Errors
/// The request is no WebSocket handshake, so that no WebSocket could carry the refusal.
pub async fn answer(
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
pub(in crate::clients) fn shake_hands(request: &mut Request<RequestBody>) -> Result<Answer, ApiError> {
    if request.version() < hyper::Version::HTTP_11 {
        return Err(ApiError::HandshakeInOldHttp);
    }
    if !request.body().is_end_stream() {
        return Err(ApiError::HandshakeWithBody);
    }
    match fastwebsockets::upgrade::upgrade(request) {
        Ok((response, _)) => Ok(response.map(|_| AnswerBody::default())),
        Err(_) => Err(ApiError::BadHandshake),
    }
}

async fn decide(state: &Arc<State>, key: Option<&str>, asked: &Received<'_>) -> Result<Newcomer, Refused> {
    let query = Query::parse(asked.request.uri().query().unwrap_or_default());
    let spoken = query.get("protocol");
    let version = Version::parse(spoken, state.node.config().listen.version_required);
    let by_event = match &version {
        Ok(version) => version.hears_of_close_by_event(),
        Err(_) => spoken.and_then(|text| text.parse::<u32>().ok()).is_some_and(|number| number < 6),
    };
    let applicant = Applicant {
        transport: Transport::WebSocket,
        path: asked.request.uri().path(),
        wanted: key.map_or(WantedApp::Nothing, WantedApp::Key),
        version,
        headers: asked.request.headers(),
        peer: asked.peer,
    };
    admission::admit(state, applicant).await.map_err(|refusal| Refused { refusal, by_event })
}

/// Waits for the bare socket, and frees the handshake's buffers by continuing in a fresh task.
async fn begin(node: Arc<Node>, upgraded: OnUpgrade, decision: Result<Newcomer, Refused>) {
    // A broken handshake leaves no peer to inform.
    // The HTTP connection's slot is kept during a refusal, which takes a moment.
    let Some((socket, early, place)) = upgraded.await.ok().and_then(into_socket) else {
        return;
    };
    match (decision, socket) {
        (Ok(newcomer), BareSocket::Plain(socket)) => {
            tokio::spawn(super::run(node, newcomer, socket, early));
        }
        (Ok(newcomer), BareSocket::Tls(socket)) => {
            tokio::spawn(super::run(node, newcomer, socket, early));
        }
        (Err(refused), BareSocket::Plain(socket)) => refuse(&node, refused, socket, &place).await,
        (Err(refused), BareSocket::Tls(socket)) => refuse(&node, refused, socket, &place).await,
    }
}

async fn refuse<S: Socket>(node: &Node, Refused { refusal, by_event }: Refused, socket: S, place: &Place) {
    refusal.note(node);
    place.until_needed(farewell::refuse(socket, by_event, &refusal.reason)).await;
    node.metrics.connection_closed(&refusal.reason);
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
