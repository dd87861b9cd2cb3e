//! The operators' listener: health, readiness, metrics, and the administration API under `/v1`.
//!
//! On loopback unless configured otherwise. Everything under `/v1` but its description needs a token;
//! no token and no secret is ever logged.

mod apps;
mod asked;
mod audit;
mod bearer;
mod channels;
mod cluster;
mod connections;
mod cookie;
mod doctor;
mod entered;
mod events;
mod given;
mod host;
mod openapi;
mod problem;
mod refusals;
mod routes;
mod session;
mod shared;
mod webhooks;
mod wrong_tokens;

use std::fmt::Write as _;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HOST;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::Level;

use self::problem::Problem;
use self::routes::{Action, AdminRoutes};
use self::shared::Admin;
use self::wrong_tokens::WrongTokens;
use crate::connections::{Listening, RequestBody, Site};
use crate::console;
use crate::http::answer::{json, text, with_type};
use crate::http::{Answer, Peer, forbid_sniffing};
use crate::log::limited::{Line, limited};
use crate::state::State;

/// Most requests that the database works on at once; more are refused, so that API requests hold half of the
/// listener's slots at most. Health and metrics are answered under any load.
const MOST_AT_ONCE: usize = 64;

impl Site for Admin {
    fn state(&self) -> &State {
        &self.state
    }

    fn answer(&self, peer: Peer, request: Request<RequestBody>) -> impl Future<Output = Answer> + Send {
        answer(self, peer.address, request)
    }

    fn after_panic(&self) -> Answer {
        let mut answer = Problem::Panic.into_answer();
        forbid_sniffing(&mut answer);
        answer
    }
}

/// Serves operators until the process ends, also during the drain.
pub async fn run(state: Arc<State>, listener: TcpListener) {
    run_with(state, listener, MOST_AT_ONCE).await;
}

/// [`run`], with this many requests under way at once.
async fn run_with(state: Arc<State>, listener: TcpListener, most_at_once: usize) {
    let places = Arc::clone(&state.operators_places);
    let admin = Admin {
        state,
        routes: AdminRoutes::default(),
        wrong_tokens: WrongTokens::default(),
        under_way: Arc::new(Semaphore::new(most_at_once)),
        examinations: Arc::default(),
    };
    Listening::new(admin, places, None).run(listener, pending(), pending()).await;
}

async fn answer(admin: &Admin, peer: IpAddr, request: Request<RequestBody>) -> Answer {
    let mut answer = match find_and_answer(admin, peer, request).await {
        Ok(answer) => answer,
        Err(problem) => problem.into_answer(),
    };
    forbid_sniffing(&mut answer);
    answer
}

async fn find_and_answer(
    admin: &Admin,
    peer: IpAddr,
    request: Request<RequestBody>,
) -> Result<Answer, Problem> {
    let config = &admin.state.node.config;
    host::check(&request, &[&config.listen.admin_hosts, &config.console.hosts]).inspect_err(|problem| {
        let host = request.headers().get(HOST).map(tracing::field::debug);
        limited!(Line::ForeignHost, target: "fanfare::admin", Level::WARN, %peer, host, problem = %problem.label(), "refused");
    })?;
    if config.console.enabled
        && let Some(file) = console::answer(request.method(), request.uri().path(), request.headers())
    {
        return Ok(file);
    }
    let found = admin.routes.find(request.method(), request.uri().path())?;
    Ok(match found.action {
        Action::Up => json(StatusCode::OK, r#"{"health":"OK"}"#),
        Action::Ready => ready(&admin.state),
        Action::Metrics => with_type(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            admin.state.node.metrics.text().into(),
        ),
        Action::OpenApi => json(StatusCode::OK, openapi::TEXT),
        _ => apps::answer(admin, peer, &found, request).await.inspect_err(|problem| {
            limited!(
                Line::OperatorRefused,
                target: "fanfare::admin",
                Level::INFO,
                %peer, action = ?found.action, problem = %problem.label(), "refused"
            );
        })?,
    })
}

/// A node that has not been in touch with the others since its start is not ready, so that a rolling restart waits for it.
/// A node that lost touch later, or without its database, or without the Redis of a feed, still serves the apps that the node knows, and
/// stays ready: taken out of the balancer, the node would drop connections that work.
fn ready(state: &State) -> Answer {
    if state.node.drain.has_begun() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    let mut sentence = "ready".to_owned();
    if let Some(bus) = state.node.bus() {
        match cluster::readiness(bus, state.node.seen()) {
            Ok(None) => {}
            Ok(Some(degraded)) => sentence.push_str(&degraded),
            Err(not_ready) => return text(StatusCode::SERVICE_UNAVAILABLE, &not_ready),
        }
    }
    if let Some(away) = state.node.apps.database_away_for() {
        let seconds = away.as_secs();
        let _ = write!(sentence, "; the apps' database is away since {seconds}s, apps in use go on");
    }
    if let Some(unwritable) = state.node.apps.database_unwritable_for() {
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

#[cfg(test)]
mod tests;
