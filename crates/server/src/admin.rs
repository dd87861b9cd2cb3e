//! The operators' listener: health, readiness, metrics, and the administration API under `/v1`.
//!
//! On loopback unless configured otherwise. Everything under `/v1` but its description needs a token;
//! no token and no secret is ever logged.

mod apps;
mod bearer;
mod given;
mod host;
mod openapi;
mod problem;
mod routes;
mod wrong_tokens;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::Level;

use self::problem::Problem;
use self::routes::{Action, Routes};
use self::wrong_tokens::WrongTokens;
use crate::http::answer::{json, text, with_type};
use crate::http::{Answer, forbid_sniffing};
use crate::log::limited::{Line, limited};
use crate::state::State;

/// Requests of operators and monitors under way at once; more wait to be accepted.
const MOST_AT_ONCE: usize = 64;

/// The largest head of a request.
const HEAD_BYTES: usize = 64 * 1024;

/// How long accepting rests when no file descriptor is left.
const REST: Duration = Duration::from_millis(50);

/// What the requests of the listener share.
struct Admin {
    state: Arc<State>,
    routes: Routes,
    wrong_tokens: WrongTokens,
}

/// Answers operators until the process ends, also while it drains.
pub async fn run(state: Arc<State>, listener: TcpListener) {
    let admin = Admin { state, routes: Routes::default(), wrong_tokens: WrongTokens::default() };
    let admin = Arc::new(admin);
    let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let patience = admin.state.config.timeouts.handshake();
            let respond = service_fn(move |request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(answer(&admin, peer.ip(), request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(patience)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), respond);
            if let Err(error) = connection.await {
                tracing::debug!(target: "fanfare::http", %error, "admin connection failed");
            }
            drop(place);
        });
    }
}

async fn answer(admin: &Admin, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let mut answer = match find_and_answer(admin, peer, request).await {
        Ok(answer) => answer,
        Err(problem) => problem.into_answer(),
    };
    forbid_sniffing(&mut answer);
    answer
}

async fn find_and_answer(admin: &Admin, peer: IpAddr, request: Request<Incoming>) -> Result<Answer, Problem> {
    host::check(&request, &admin.state.config.listen.admin_hosts).inspect_err(|problem| {
        let host = request.headers().get(HOST);
        limited!(Line::ForeignHost, target: "fanfare::admin", Level::WARN, %peer, ?host, %problem, "refused");
    })?;
    let found = admin.routes.find(request.method(), request.uri().path())?;
    Ok(match found.action {
        Action::Up => json(StatusCode::OK, r#"{"health":"OK"}"#),
        Action::Ready => ready(&admin.state),
        Action::Metrics => with_type(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            admin.state.metrics.text().into(),
        ),
        Action::OpenApi => json(StatusCode::OK, openapi::TEXT),
        _ => apps::answer(admin, peer, &found, request).await.inspect_err(|problem| {
            tracing::debug!(target: "fanfare::admin", action = ?found.action, %problem, "refused");
        })?,
    })
}

/// A node without its database, or without a Redis that broadcasts come from, still serves the apps that it knows, so that it stays ready: taken out of
/// the balancer, it would drop connections that nothing is wrong with.
fn ready(state: &State) -> Answer {
    if state.drain.has_begun() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    let mut sentence = "ready".to_owned();
    if let Some(away) = state.apps.database_away_for() {
        let seconds = away.as_secs();
        let _ = write!(sentence, "; the apps' database is away since {seconds}s, apps in use go on");
    }
    if let Some(unwritable) = state.apps.database_unwritable_for() {
        let seconds = unwritable.as_secs();
        let _ = write!(
            sentence,
            "; the apps' database stores nothing since {seconds}s (its disk is full, or it may only be read), \
             apps go on"
        );
    }
    let feeds = state.redis_feed.connections();
    if let Some(away) = feeds.away_for {
        let (all, count, seconds) = (feeds.all, feeds.away, away.as_secs());
        let _ = write!(
            sentence,
            "; of {all} Redis feeds {count} are away, the longest since {seconds}s, all else goes on"
        );
    }
    if let Some(refused) = feeds.refused_for {
        let seconds = refused.as_secs();
        let reasons = feeds.refused.iter().map(|(reason, count)| format!("{count} with {reason}"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let _ = write!(
            sentence,
            "; Redis refuses the channels of prefixes ({reasons}) since {seconds}s, all else goes on"
        );
    }
    text(StatusCode::OK, &sentence)
}
