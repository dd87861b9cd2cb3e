//! Requests of Socket.IO: what each is, by its path and its query, and the answers that need no session (SIO-001 … SIO-007).
//!
//! Every answer may be read by the page that asked (SIO-070).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_protocol::auth::Query;
use fanfare_protocol::engine_io::{EngineRefusal, EngineVersion};
use hyper::Method;

use super::table::Sid;
use super::{answers, cors, exchange, handshake, refused, script};
use crate::clients::admission::WantedApp;
use crate::http::answer::Answer;
use crate::http::body;
use crate::http::forwarded::client_address;
use crate::http::received::Received;
use crate::state::State;

/// A path of Socket.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketIoPath<'a> {
    /// `/socket.io/`: the app of the setting (SIO-080).
    OfSetting,
    /// `/app/KEY/socket.io/`, with the key as received.
    OfKey(&'a str),
    /// `/socket.io/socket.io.js`.
    Script,
}

/// Answers a request.
pub async fn answer(state: &Arc<State>, path: SocketIoPath<'_>, asked: Received<'_>) -> Answer {
    let origin = cors::origin_of(asked.request.headers());
    let mut answer = match (asked.request.method(), path) {
        (&Method::OPTIONS, _) => cors::preflight(asked.request.headers()),
        (&(Method::GET | Method::HEAD), SocketIoPath::Script) => {
            script::CLIENT.answer(asked.request.headers())
        }
        (_, SocketIoPath::Script) => answers::refuse(EngineRefusal::BadMethod),
        _ => speak(state, path, asked).await.unwrap_or_else(answers::refuse),
    };
    cors::put(&mut answer, origin);
    answer
}

async fn speak(
    state: &Arc<State>,
    path: SocketIoPath<'_>,
    asked: Received<'_>,
) -> Result<Answer, EngineRefusal> {
    let query = Query::parse(asked.request.uri().query().unwrap_or_default());
    let version = EngineVersion::parse(query.get("eio"));
    let is_websocket = match query.get("transport") {
        // No client needs JSONP (SIO-005).
        Some("polling") if query.get("j").is_none() => false,
        Some("websocket") => true,
        _ => return Err(EngineRefusal::TransportUnknown),
    };
    if is_websocket && !is_upgrade(&asked) {
        return Err(EngineRefusal::BadRequest);
    }
    if let Some(sid) = query.get("sid") {
        return of_session(state, sid, version, is_websocket, asked).await;
    }
    if asked.request.method() != Method::GET {
        return Err(EngineRefusal::BadMethod);
    }
    let config = state.node.config_kept();
    let wanted = match (path, &config.socketio.app) {
        (SocketIoPath::OfKey(key), _) => WantedApp::Key(key),
        (_, Some(app)) => WantedApp::Id(app),
        _ => WantedApp::Nothing,
    };
    if is_websocket {
        handshake::websocket(state, wanted, version, asked).await
    } else {
        handshake::polling(state, wanted, version, &asked).await
    }
}

/// Answers a request of a session.
async fn of_session(
    state: &Arc<State>,
    sid: &str,
    version: EngineVersion,
    is_websocket: bool,
    mut asked: Received<'_>,
) -> Result<Answer, EngineRefusal> {
    let method = asked.request.method().clone();
    let limit = state.node.config().limits.request_bytes;
    if let Some(text) = refused::reason_in(sid).filter(|_| !is_websocket) {
        body::throw_away(&mut asked.request, limit).await;
        return Ok(match method {
            Method::POST => answers::taken_in(),
            _ => answers::payload(refused::poll(version, &text)),
        });
    }
    let session = match Sid::parse(sid).and_then(|sid| state.socket_io.get(&sid)) {
        Some(session) if !session.is_upgraded.load(Ordering::Acquire) => session,
        other => {
            body::throw_away(&mut asked.request, limit).await;
            return Err(if other.is_some() {
                EngineRefusal::BadRequest
            } else {
                EngineRefusal::SessionUnknown
            });
        }
    };
    if is_websocket {
        return handshake::change(&session, asked);
    }
    match method {
        Method::GET => exchange::poll(&session, asked.request),
        Method::POST => {
            let client = client_address(state, asked.request.headers(), asked.peer.address);
            exchange::post(state, &session, client, asked.request).await
        }
        _ => Err(EngineRefusal::BadRequest),
    }
}

/// Whether a request asks for a WebSocket. Some proxies put the headers into every request: only the query decides for
/// polls.
fn is_upgrade(asked: &Received<'_>) -> bool {
    asked.request.method() == Method::GET && fastwebsockets::upgrade::is_upgrade_request(&asked.request)
}
