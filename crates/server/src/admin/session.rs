//! Sessions of browsers: `/v1/session`, and the cookie in place of a bearer token (CON-005 … CON-009).
//!
//! A cookie travels by itself, also with requests that another page makes a browser send: the checks of where a request comes from
//! are here, in one place. No session's id is ever logged or in a body.

mod origin;

use std::net::IpAddr;

use bytes::Bytes;
use fanfare_apps::{AdminSession, AuditAction, AuditEntry, Auditor, Bearer, NewSession, is_session_id};
use fanfare_node::clock::unix_milliseconds;
use fanfare_protocol::utc::utc_milliseconds;
use hyper::Method;
use hyper::header::{HeaderMap, SET_COOKIE};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::Level;

use super::asked::{nothing, ok};
use super::cookie::Cookie;
use super::entered::{Entered, LOOK_UP, find, look_up};
use super::problem::Problem;
use super::shared::Admin;
use crate::command_line::VERSION;
use crate::http::Answer;
use crate::http::forwarded::{came_over_tls, client_address};
use crate::log::limited::{Line, limited};

/// What a login sends: one of both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    token: Option<String>,
    code: Option<String>,
}

/// The session that a request's cookie belongs to; `None` for a request without a cookie, and where the console is switched
/// off.
///
/// # Errors
/// The request may come from another page, the session has ended, or the database is away.
pub(super) async fn of_cookie(
    admin: &Admin,
    peer: IpAddr,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Entered>, Problem> {
    if !admin.state.node.config().console.enabled {
        return Ok(None);
    }
    let Some(cookie) = Cookie::of(&admin.state, peer, headers) else { return Ok(None) };
    origin::check(method, headers)?;
    let client = client_address(&admin.state, headers, peer);
    let found = admin.state.node.apps.session(&cookie.id, admin.session_times());
    // An id of 256 random bits cannot be guessed: pages of a session that has ended must not keep others of their address out.
    let session = if is_session_id(&cookie.id) {
        find(admin, found).await?.ok_or(Problem::NoSession(None))?
    } else {
        look_up(admin, client, found, |wrong| Problem::NoSession(Some(wrong))).await?
    };
    if method != Method::GET && method != Method::HEAD {
        origin::check_csrf_token(headers, &session.csrf_token)?;
    }
    Ok(Some(Entered { bearer: session.bearer.clone(), session: Some((cookie, session)) }))
}

/// `POST /v1/session`: begins a session with a token or a code.
///
/// # Errors
/// Another page asks, or the connection is not safe; too many were wrong; the token or the code is wrong.
pub(super) async fn log_in(
    admin: &Admin,
    peer: IpAddr,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Answer, Problem> {
    origin::check(&Method::POST, headers)?;
    let client = client_address(&admin.state, headers, peer);
    let is_safe = came_over_tls(&admin.state, headers, peer)
        || client.to_canonical().is_loopback()
        || admin.state.node.config().console.plain_http;
    if !is_safe {
        return Err(Problem::PlainHttp);
    }
    let given: Given = serde_json::from_slice(body).map_err(|error| Problem::NotJson(error.to_string()))?;
    let apps = &admin.state.node.apps;
    if !apps.has_database() {
        return Err(Problem::NoDatabase);
    }
    let begun = async {
        match (&given.token, &given.code) {
            (Some(token), None) => apps.log_in(token.trim(), admin.session_times()).await,
            (None, Some(code)) => apps.log_in_by_code(code.trim(), admin.session_times()).await,
            _ => Ok(None),
        }
    };
    let wrong = if given.code.is_some() { Problem::WrongCode } else { Problem::WrongToken };
    let NewSession { id, session } = match look_up(admin, client, begun, wrong).await {
        Err(Problem::TooManyWrongTokens(wait)) => return Err(Problem::TooManyAttempts(wait)),
        Err(wrong @ (Problem::WrongCode(_) | Problem::WrongToken(_))) => {
            limited!(Line::OperatorRefused, target: "fanfare::admin", Level::INFO, peer = %client, "login refused");
            apps.audit(&AuditEntry::of_node(AuditAction::SessionFailed, Auditor::nobody(client))).await;
            return Err(wrong);
        }
        begun => begun?,
    };
    let by = Auditor::bearer(&session.bearer, client);
    apps.audit(&AuditEntry::of_node(AuditAction::SessionLogin, by)).await;
    let mut answer = shown(admin, &session.bearer, Some(&session));
    let cookie = Cookie::new(admin, peer, headers, id.expose().to_owned()).await;
    answer.headers_mut().insert(SET_COOKIE, cookie.set());
    Ok(answer)
}

/// `GET /v1/session`: who asks.
pub(super) fn who_am_i(admin: &Admin, entered: &Entered) -> Answer {
    shown(admin, &entered.bearer, entered.session.as_ref().map(|(_, session)| session))
}

/// `DELETE /v1/session`: ends the session, if the request has one, and its live lists on this node at once.
///
/// # Errors
/// The database is away.
pub(super) async fn log_out(admin: &Admin, entered: &Entered) -> Result<Answer, Problem> {
    let mut answer = nothing();
    if let Some((cookie, session)) = &entered.session {
        let ended = admin.state.node.apps.log_out(&cookie.id);
        timeout(LOOK_UP, ended).await.map_err(|_| Problem::DatabaseAway)??;
        admin.state.node.taps.end_of_session(&session.csrf_token);
        answer.headers_mut().insert(SET_COOKIE, cookie.unset());
    }
    Ok(answer)
}

fn shown(admin: &Admin, bearer: &Bearer, session: Option<&AdminSession>) -> Answer {
    let body: Value = json!({
        "name": bearer.name,
        "token": bearer.id,
        "scopes": bearer.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "apps": bearer.apps,
        "csrf_token": session.map(|session| &session.csrf_token),
        "server_version": VERSION,
        "server_time": utc_milliseconds(unix_milliseconds()),
        "ends_at": session.map(|session| utc_milliseconds(u64::try_from(session.ends_at).unwrap_or(0))),
        "node": admin.state.node.name(),
    });
    ok(&body)
}
