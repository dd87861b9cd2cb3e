//! The HTTP API for back ends, the door to the WebSocket, and what clients ask before they join a channel:
//! every route stands in this file.
//!
//! Answers are those of Pusher: 200 with a JSON object, or a status with one sentence (API-003, API-005).

mod admission;
pub(crate) mod answer;
mod authorize;
pub(crate) mod body;
mod channels;
mod error;
mod event;
mod events;
mod forwarded;
mod signed;
mod users;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use matchit::Router;

pub use answer::Answer;
pub use error::{ApiError, check_event_name};
pub use forwarded::client_address;

use crate::state::State;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    WebSocket,
    Authorize(authorize::Kind),
    Up,
    Events,
    BatchEvents,
    Channels,
    Channel,
    ChannelUsers,
    ChannelEvents,
    ChannelStats,
    Connections,
    TerminateUser,
}

impl Route {
    /// The one method that the route answers to (API-009).
    const fn method(self) -> Method {
        match self {
            Self::Events
            | Self::BatchEvents
            | Self::ChannelEvents
            | Self::TerminateUser
            | Self::Authorize(_) => Method::POST,
            Self::WebSocket
            | Self::Up
            | Self::Channels
            | Self::Channel
            | Self::ChannelUsers
            | Self::ChannelStats
            | Self::Connections => Method::GET,
        }
    }
}

/// All routes of the public listener.
pub struct Routes(Router<Route>);

impl Default for Routes {
    fn default() -> Self {
        let mut router = Router::new();
        for (path, route) in [
            ("/app/{key}", Route::WebSocket),
            ("/app/{key}/auth", Route::Authorize(authorize::Kind::Channel)),
            ("/app/{key}/user-auth", Route::Authorize(authorize::Kind::User)),
            ("/up", Route::Up),
            ("/apps/{app}/events", Route::Events),
            ("/apps/{app}/batch_events", Route::BatchEvents),
            ("/apps/{app}/channels", Route::Channels),
            ("/apps/{app}/channels/{channel}", Route::Channel),
            ("/apps/{app}/channels/{channel}/users", Route::ChannelUsers),
            ("/apps/{app}/channels/{channel}/events", Route::ChannelEvents),
            ("/apps/{app}/channels/{channel}/stats", Route::ChannelStats),
            ("/apps/{app}/connections", Route::Connections),
            ("/apps/{app}/users/{user}/terminate_connections", Route::TerminateUser),
        ] {
            router.insert(path, route).expect("the paths above do not clash");
        }
        Self(router)
    }
}

/// Who a connection was accepted from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Of the client, or of a proxy in front of it.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub over_tls: bool,
}

/// A request on its way to its route.
struct Asked<'a> {
    /// The path without the configured prefix (WS-003, AUTH-012).
    path: &'a str,
    peer: Peer,
    request: Request<Incoming>,
}

/// Answers one request of the public listener.
pub async fn answer(
    state: Arc<State>,
    routes: Arc<Routes>,
    peer: Peer,
    request: Request<Incoming>,
) -> Answer {
    let full_path = request.uri().path().to_owned();
    let path = without_prefix(&full_path, &state.config.listen.path_prefix);
    let asked = Asked { path, peer, request };
    if fastwebsockets::upgrade::is_upgrade_request(&asked.request) {
        return admission::admit(&state, &routes, asked).await;
    }
    let answer = match dispatch(&state, &routes, asked).await {
        Ok(answer) => answer,
        Err(error) => error.into_answer(),
    };
    state.metrics.request_answered(answer.status().as_u16());
    answer
}

async fn dispatch(state: &Arc<State>, routes: &Routes, asked: Asked<'_>) -> Result<Answer, ApiError> {
    let matched = routes.0.at(asked.path).map_err(|_| ApiError::NoRoute)?;
    let route = *matched.value;
    // Browsers ask with other methods whether they may ask.
    if let Route::Authorize(kind) = route {
        let key = matched.params.get("key").unwrap_or_default();
        return authorize::answer(state, key, kind, asked.peer.address, asked.request).await;
    }
    if asked.request.method() != route.method() {
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
        Route::Events => events::single(state, &signed),
        Route::BatchEvents => events::batch(state, &signed),
        Route::Channels => channels::list(state, &signed).await,
        Route::Channel => channels::one(state, &signed, channel),
        Route::ChannelUsers => channels::users(state, &signed, channel),
        Route::ChannelStats => channels::stats(state, &signed, channel),
        Route::Connections => Ok(users::connections(state, &signed)),
        Route::TerminateUser => Ok(users::terminate(state, &signed, user)),
        Route::Up | Route::WebSocket | Route::Authorize(_) => Err(ApiError::NoRoute),
    }?;
    Ok(answer::json(StatusCode::OK, json))
}

/// The path behind the configured prefix; proxies that take it off themselves are fine, too.
fn without_prefix<'a>(path: &'a str, prefix: &str) -> &'a str {
    match path.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() && rest.starts_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_003_a_path_prefix_is_taken_off_whole_or_not_at_all() {
        assert_eq!(without_prefix("/ws/app/k", "/ws"), "/app/k");
        assert_eq!(without_prefix("/app/k", "/ws"), "/app/k");
        assert_eq!(without_prefix("/wsx/app/k", "/ws"), "/wsx/app/k");
        assert_eq!(without_prefix("/app/k", ""), "/app/k");
    }
}
