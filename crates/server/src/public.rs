//! The public listeners' requests: the route of each, its answer, and the log of refused ones.
//!
//! Answers follow Pusher: 200 with a JSON object, or a status with one sentence (API-003, API-005).

mod refused;
mod routes;
mod welcome;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_spans::{Span, TRACEPARENT, Work};
use hyper::header::{HeaderValue, SEC_WEBSOCKET_KEY};
use hyper::{Method, Request, StatusCode, Uri};
use matchit::Match;

pub use routes::PublicRoutes;

use refused::Noted;
use routes::{Route, own_path};

use crate::api::events::Accepted;
use crate::api::idempotency::{KeyPlace, once};
use crate::api::signed::Signed;
use crate::api::{channels, events, laravel_echo_server, open, signed, users, webhooks};
use crate::authorize;
use crate::clients::socket_io::requests::{self, SocketIoPath};
use crate::clients::ws;
use crate::clients::xhr::{self, XhrPath};
use crate::connections::RequestBody;
use crate::http::forwarded::client_address;
use crate::http::received::Received;
use crate::http::script::Script;
use crate::http::{Answer, ApiError, Peer, answer, forbid_sniffing, host};
use crate::metrics::RouteClass;
use crate::state::State;

/// What pages without a build load to resume; the file of the package.
static RESUME: Script =
    Script::new(include_bytes!("../../../clients/resume/fanfare-resume.js"), "public, max-age=3600");

/// Answers one request of the public listener.
pub async fn answer(
    state: Arc<State>,
    routes: Arc<PublicRoutes>,
    peer: Peer,
    request: Request<RequestBody>,
) -> Answer {
    let begun = Instant::now();
    let noted = Noted::of(&state, peer, &request);
    let path = own_path(noted.path(), &state.node.config().listen.path_prefix);
    let asked = Received { path, peer, request };
    let mut class = Some(RouteClass::Other);
    let mut answer = match find_and_answer(&state, &routes, asked, &mut class).await {
        Ok(answer) => answer,
        Err(error) => {
            noted.note(&state, &routes, &error).await;
            noted.log(&state, &routes, &error).await;
            error.into_answer()
        }
    };
    // Requests that became a WebSocket are counted as connections.
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = answer.status().as_u16();
        state.metrics.request_answered(status);
        if let Some(class) = class {
            state.metrics.request_took(class, status, begun.elapsed());
        }
    }
    forbid_sniffing(&mut answer);
    answer
}

/// The answer to a request at which the server has panicked; made known to operators (CON-045).
pub async fn after_panic(state: &State, routes: &PublicRoutes, target: &Uri) -> Answer {
    refused::note_panic(state, routes, target.path()).await;
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    state.metrics.request_answered(status.as_u16());
    let mut answer = answer::text(status, refused::FAILED);
    forbid_sniffing(&mut answer);
    answer
}

/// Finds the route of a request and its answer; `class` is set to that of the route, `None` for what waits for events.
async fn find_and_answer(
    state: &Arc<State>,
    routes: &PublicRoutes,
    asked: Received<'_>,
    class: &mut Option<RouteClass>,
) -> Result<Answer, ApiError> {
    host::of(&asked.request)?;
    let speaks_socket_io = state.node.config().socketio.enabled;
    let matched = routes.find(asked.path).filter(|matched| speaks_socket_io || !matched.value.is_socket_io());
    if let Some(matched) = &matched {
        *class = matched.value.class();
    }
    if let Some(path) = matched.as_ref().and_then(socket_io_path) {
        return Ok(requests::answer(state, path, asked).await);
    }
    let websocket = matched.as_ref().filter(|matched| *matched.value == Route::WebSocket);
    if is_handshake(&asked.request, websocket.is_some()) {
        let key = websocket.map(|matched| matched.params.get("key").unwrap_or_default());
        return ws::handshake::answer(state, key, asked).await;
    }
    match matched {
        Some(matched) => dispatch(state, &matched, asked).await,
        None if welcome::is_asked_for(
            asked.path,
            &state.node.config().listen.path_prefix,
            &asked.request,
        ) =>
        {
            Ok(welcome::page())
        }
        // As laravel-echo-server answers, so that health checks stay as they are.
        None if asked.path == "/" && state.node.config().socketio.enabled && is_read(&asked.request) => {
            Ok(answer::with_type(StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(b"OK")))
        }
        None => Err(ApiError::NoRoute(asked.request.uri().path().to_owned())),
    }
}

/// The path of a route of Socket.IO.
fn socket_io_path<'a>(matched: &Match<'_, 'a, &Route>) -> Option<SocketIoPath<'a>> {
    match matched.value {
        Route::SocketIo => Some(SocketIoPath::OfSetting),
        Route::AppSocketIo => Some(SocketIoPath::OfKey(matched.params.get("key").unwrap_or_default())),
        Route::SocketIoScript => Some(SocketIoPath::Script),
        _ => None,
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

fn is_read<B>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

async fn dispatch(
    state: &Arc<State>,
    matched: &Match<'_, '_, &Route>,
    asked: Received<'_>,
) -> Result<Answer, ApiError> {
    let route = *matched.value;
    let of = |name| matched.params.get(name).unwrap_or_default();
    // Browsers send preflights with another method.
    if let Route::Authorize(kind) = route {
        return Ok(authorize::answer(state, of("key"), kind, asked.peer.address, asked.request).await);
    }
    if let Route::Fallback(wanted) = route {
        let path = XhrPath { key: of("key"), number: of("number"), letters: of("letters") };
        return Ok(xhr::answer(state, wanted, path, asked).await);
    }
    let Received { path, peer, request } = asked;
    let has_api = state.node.config().socketio.has_api();
    let request = match route.echo_question(of("channel")).filter(|_| has_api) {
        None => request,
        // A request that is none of laravel-echo-server's API comes back.
        Some(question) => {
            match laravel_echo_server::answer(state, (question, of("app")), peer.address, request).await {
                Ok(answer) => return Ok(answer),
                Err(request) => request,
            }
        }
    };
    match route {
        Route::Status => Err(ApiError::NoRoute(request.uri().path().to_owned())),
        _ if !route.answers_to(request.method()) => Err(ApiError::MethodNotAllowed(route.methods())),
        Route::ResumeScript => Ok(RESUME.answer(request.headers())),
        Route::Up => Ok(answer::json(StatusCode::OK, r#"{"health":"OK"}"#)),
        Route::WebSocket => Err(ApiError::WebSocketOnly),
        _ => answer_back_end(state, matched, Received { path, peer, request }).await,
    }
}

/// Answers an app's back end, whose request is signed; the request's span is a part of the trace that the back end names.
async fn answer_back_end(
    state: &Arc<State>,
    matched: &Match<'_, '_, &Route>,
    Received { path, peer, request }: Received<'_>,
) -> Result<Answer, ApiError> {
    let mut span = span_of(*matched.value, peer, &request);
    let from = client_address(state, request.headers(), peer.address);
    let signed = signed::receive(state, matched.params.get("app").unwrap_or_default(), path, request).await?;
    span.admit();
    span.text("fanfare.app", || signed.app.id.as_str());
    let answered = span.around(answer_signed(state, matched, (path, from), &signed)).await;
    let status = answered.as_ref().map_or_else(ApiError::status, Answer::status);
    span.number("http.response.status_code", || status.as_u16().into());
    if status.is_server_error() {
        span.failed(|| status.as_u16().to_string());
    }
    answered
}

/// The span of a request, with what OpenTelemetry's conventions say of one, without the path and the query: these have the
/// signature, and names of channels and users.
fn span_of(route: Route, peer: Peer, request: &Request<RequestBody>) -> Span {
    let traceparent = || request.headers().get(TRACEPARENT).map(HeaderValue::as_bytes);
    let mut span = Span::of_request(Work::Request, traceparent);
    span.named(|| format!("{} {}", request.method(), route.path()));
    span.text("http.request.method", || request.method().as_str());
    span.text("http.route", || route.path());
    span.text("url.scheme", || if peer.over_tls { "https" } else { "http" });
    span
}

/// Answers a request whose signature is valid.
async fn answer_signed(
    state: &Arc<State>,
    matched: &Match<'_, '_, &Route>,
    (path, from): (&str, IpAddr),
    signed: &Signed,
) -> Result<Answer, ApiError> {
    let of = |name| matched.params.get(name).unwrap_or_default();
    let channel = of("channel");
    let refused = |refusal: &ApiError| events::keep_refused(state, signed, &signed.body, refusal);
    let json = match *matched.value {
        Route::ChannelEvents => {
            let publish = async { events::raw(state, signed, channel).map(Accepted::without_body) };
            let published = once(state, signed, (path, KeyPlace::Header), publish).await;
            // The body is data, in which no name is looked for.
            let refused = |refusal: &ApiError| events::keep_refused(state, signed, &[], refusal);
            let Accepted { id, .. } = published.inspect_err(refused)?;
            // API-070.
            return Ok(events::with_event_id(answer::empty(StatusCode::ACCEPTED), id));
        }
        Route::Events => {
            let publish = events::single(state, signed);
            let published = once(state, signed, (path, KeyPlace::HeaderOrBody), publish).await;
            return Ok(published.inspect_err(refused)?.into_answer());
        }
        Route::BatchEvents => {
            let publish = events::batch(state, signed);
            let published = once(state, signed, (path, KeyPlace::HeaderOrBody), publish).await;
            return Ok(published.inspect_err(refused)?.into_answer());
        }
        Route::Channels => channels::list(state, signed).await,
        Route::Channel => channels::one(state, signed, channel).await,
        Route::ChannelUsers => channels::users(state, signed, channel).await,
        Route::ChannelStats => channels::stats(state, signed, channel).await,
        Route::Connections => users::connections(state, signed).await,
        Route::Users => users::online(state, signed).await,
        Route::TerminateUser => users::terminate(state, signed, of("user")).await,
        Route::TestWebhooks => webhooks::test(state, signed, from).await,
        Route::Deliveries => Ok(webhooks::deliveries(state, signed).await),
        Route::OpenChannels => open::channels(state, signed).await,
        Route::OpenConnections => open::connections(state, signed).await,
        Route::OpenUsers => open::users(state, signed).await,
        Route::CloseConnection => open::close(state, signed, (of("socket"), from)).await,
        Route::TerminateOpenUser => open::terminate(state, signed, (of("user"), from)).await,
        Route::Up
        | Route::Status
        | Route::WebSocket
        | Route::SocketIo
        | Route::AppSocketIo
        | Route::SocketIoScript
        | Route::ResumeScript
        | Route::Authorize(_)
        | Route::Fallback(_) => Err(ApiError::WebSocketOnly),
    }?;
    Ok(answer::json(StatusCode::OK, json))
}
