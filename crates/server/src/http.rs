//! The HTTP API for back ends, the upgrade to the WebSocket, and the authorization endpoint for clients.
//!
//! Answers follow Pusher: 200 with a JSON object, or a status with one sentence (API-003, API-005).

mod admission;
pub(crate) mod answer;
mod authorize;
pub(crate) mod body;
mod channels;
mod error;
mod event;
mod events;
mod forwarded;
pub(crate) mod host;
mod received;
mod refused;
mod routes;
mod signed;
mod users;
mod welcome;

use std::sync::Arc;

use hyper::header::{HeaderValue, SEC_WEBSOCKET_KEY, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, StatusCode};
use matchit::Match;

pub use answer::Answer;
pub use error::ApiError;
pub use received::Peer;
pub use routes::PublicRoutes;

use received::Received;
use refused::Noted;
use routes::{Route, own_path};

use crate::connections::RequestBody;
use crate::state::State;

/// Answers one request of the public listener.
pub async fn answer(
    state: Arc<State>,
    routes: Arc<PublicRoutes>,
    peer: Peer,
    request: Request<RequestBody>,
) -> Answer {
    let noted = Noted::of(&state, peer, &request);
    let path = own_path(noted.path(), &state.node.config.listen.path_prefix);
    let asked = Received { path, peer, request };
    let mut answer = match find_and_answer(&state, &routes, asked).await {
        Ok(answer) => answer,
        Err(error) => {
            noted.log(&state, &routes, &error).await;
            error.into_answer()
        }
    };
    // Requests that became a WebSocket are counted as connections.
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        state.metrics.request_answered(answer.status().as_u16());
    }
    forbid_sniffing(&mut answer);
    answer
}

/// Tells browsers not to guess the type of an answer: sentences repeat input.
pub(crate) fn forbid_sniffing(answer: &mut Answer) {
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

async fn find_and_answer(
    state: &Arc<State>,
    routes: &PublicRoutes,
    asked: Received<'_>,
) -> Result<Answer, ApiError> {
    host::of(&asked.request)?;
    let matched = routes.find(asked.path);
    let websocket = matched.as_ref().filter(|matched| *matched.value == Route::WebSocket);
    if is_handshake(&asked.request, websocket.is_some()) {
        let key = websocket.map(|matched| matched.params.get("key").unwrap_or_default());
        return admission::admit(state, key, asked).await;
    }
    match matched {
        Some(matched) => dispatch(state, &matched, asked).await,
        None if welcome::is_asked_for(asked.path, &state.node.config.listen.path_prefix, &asked.request) => {
            Ok(welcome::page())
        }
        None => Err(ApiError::NoRoute(asked.request.uri().path().to_owned())),
    }
}

/// Whether a request asks for a WebSocket. At any path but a WebSocket's the headers must be a whole handshake
/// (WS-009): some proxies put the headers Upgrade and Connection into every request, and these do not count
/// there.
fn is_handshake<B>(request: &Request<B>, is_at_websocket: bool) -> bool {
    request.method() == Method::GET
        && fastwebsockets::upgrade::is_upgrade_request(request)
        && (is_at_websocket || request.headers().contains_key(SEC_WEBSOCKET_KEY))
}

async fn dispatch(
    state: &Arc<State>,
    matched: &Match<'_, '_, &Route>,
    asked: Received<'_>,
) -> Result<Answer, ApiError> {
    let route = *matched.value;
    // Browsers send preflights with another method.
    if let Route::Authorize(kind) = route {
        let key = matched.params.get("key").unwrap_or_default();
        return Ok(authorize::answer(state, key, kind, asked.peer.address, asked.request).await);
    }
    if !route.answers_to(asked.request.method()) {
        return Err(ApiError::MethodNotAllowed(route.method()));
    }
    match route {
        Route::Up => return Ok(answer::json(StatusCode::OK, r#"{"health":"OK"}"#)),
        Route::WebSocket => return Err(ApiError::WebSocketOnly),
        _ => {}
    }
    let app_id = matched.params.get("app").unwrap_or_default();
    let signed = signed::receive(state, app_id, asked.path, asked.request).await?;
    let channel = matched.params.get("channel").unwrap_or_default();
    let user = matched.params.get("user").unwrap_or_default();
    let json = match route {
        Route::ChannelEvents => {
            events::raw(state, &signed, channel)?;
            return Ok(answer::accepted());
        }
        Route::Events => events::single(state, &signed).await,
        Route::BatchEvents => events::batch(state, &signed).await,
        Route::Channels => channels::list(state, &signed).await,
        Route::Channel => channels::one(state, &signed, channel).await,
        Route::ChannelUsers => channels::users(state, &signed, channel).await,
        Route::ChannelStats => channels::stats(state, &signed, channel).await,
        Route::Connections => users::connections(state, &signed).await,
        Route::TerminateUser => users::terminate(state, &signed, user).await,
        Route::Up | Route::WebSocket | Route::Authorize(_) => Err(ApiError::WebSocketOnly),
    }?;
    Ok(answer::json(StatusCode::OK, json))
}
