//! The operators' listener: health, readiness, metrics, and the administration API under `/v1`.
//!
//! On loopback unless configured otherwise. Everything under `/v1` but its description needs a token;
//! no token and no secret is ever logged.

mod app_list;
mod apps;
mod as_read;
mod asked;
mod audit;
mod bearer;
mod channels;
mod cluster;
mod connect;
mod connections;
mod cookie;
mod dependencies;
mod doctor;
mod entered;
mod events;
mod given;
mod host;
mod keys;
mod live;
mod node;
mod often;
mod openapi;
mod problem;
mod ready;
mod refusals;
mod reload;
mod routes;
mod search;
mod session;
mod shared;
mod stats;
mod tokens;
mod way_in;
mod webhooks;
mod wrong_tokens;

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;

use fanfare_node::metrics::Metrics;
use hyper::header::{ACCEPT, HOST, HeaderMap};
use hyper::{Request, StatusCode, Uri};
use tokio::sync::Semaphore;
use tracing::Level;

use self::often::{MOST_LISTS, Often};
use self::problem::Problem;
use self::routes::{Action, AdminRoutes};
use self::shared::Admin;
use self::wrong_tokens::WrongTokens;
use crate::connections::{Listening, RequestBody, Site};
use crate::console;
use crate::http::answer::{json, with_type};
use crate::http::{Answer, Peer, forbid_sniffing};
use crate::log::limited::{Line, limited};
use crate::sockets::ListeningSockets;
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

    async fn after_panic(&self, _target: &Uri) -> Answer {
        let mut answer = Problem::Panic.into_answer();
        forbid_sniffing(&mut answer);
        answer
    }
}

/// Serves operators until the process ends, also during the drain.
pub async fn run(state: Arc<State>, sockets: ListeningSockets) {
    node::tell_others(&state);
    run_with(state, sockets, MOST_AT_ONCE).await;
}

/// [`run`], with this many requests under way at once.
async fn run_with(state: Arc<State>, sockets: ListeningSockets, most_at_once: usize) {
    let places = Arc::clone(&state.operators_places);
    let admin = Admin {
        state,
        routes: AdminRoutes::default(),
        wrong_tokens: WrongTokens::default(),
        lists_opened: Often::at_most(MOST_LISTS),
        under_way: Arc::new(Semaphore::new(most_at_once)),
        examinations: Arc::default(),
    };
    Listening::new(admin, places, None).run(sockets, pending(), pending()).await;
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
    let config = admin.state.node.config();
    host::check(&request, &[&config.listen.admin_hosts, &config.console.hosts]).inspect_err(|problem| {
        let host = request.headers().get(HOST).map(tracing::field::debug);
        limited!(Line::ForeignHost, target: "fanfare::admin", Level::WARN, %peer, host, problem = %problem.label(), "refused");
    })?;
    if config.console.enabled
        && let Some(file) = console::answer(request.method(), request.uri().path(), request.headers())
    {
        return Ok(file);
    }
    drop(config);
    let found = admin.routes.find(request.method(), request.uri().path())?;
    Ok(match found.action {
        Action::Up => json(StatusCode::OK, r#"{"health":"OK"}"#),
        Action::Alive => ready::alive(&admin.state, request.headers()),
        Action::Ready => ready::answer(&admin.state, request.headers()),
        Action::Metrics => metrics(&admin.state.node.metrics, request.headers()),
        Action::OpenApi => apps::not_kept(json(StatusCode::OK, openapi::TEXT)),
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

/// The metrics in the format that the client asks for; in the older one, which every reader knows, if the client asks for none.
fn metrics(metrics: &Metrics, headers: &HeaderMap) -> Answer {
    let wants = |value: &hyper::header::HeaderValue| {
        value.to_str().is_ok_and(|list| list.contains("application/openmetrics-text"))
    };
    let (kind, text) = if headers.get_all(ACCEPT).iter().any(wants) {
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", metrics.text())
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", metrics.classic_text())
    };
    with_type(StatusCode::OK, kind, text.into())
}

#[cfg(test)]
mod tests;
