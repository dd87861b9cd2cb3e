//! An app's connections and signed-in users, seen by operators, and closing them (CON-047).

use fanfare_apps::AuditAction;

use super::asked::{Asked, nothing, ok};
use super::events;
use super::problem::Problem;
use crate::http::Answer;
use crate::http::given::Given;
use crate::listed::{self, NotOpen, NotTold};
use crate::state::State;

/// A page of the app's open connections.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn list(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let wanted = listed::connections_wanted(Given::of(&asked.query, &listed::OF_CONNECTIONS))?;
    let app = events::app(state, asked).await?;
    Ok(ok(&listed::connections(&state.node, &app.id, &wanted).await))
}

/// One connection with its channels.
///
/// # Errors
/// There is no such app, no such connection, or the query has faults.
pub(super) async fn one(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = events::app(state, asked).await?;
    let socket = &asked.found.name;
    let shown = listed::connection(&state.node, &app.id, socket).await;
    shown.map(|value| ok(&value)).map_err(|missing| not_open(&missing, socket))
}

/// Closes a connection: with 4200 its client comes back at once, with 4009 stock clients stay away.
///
/// # Errors
/// There is no such app, no such connection, or the query has faults.
pub(super) async fn close(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["code"]);
    let reason = given.of_these("code", &listed::CLOSES);
    if given.text("code").is_none() {
        given.fault("code is missing: 4200, or 4009");
    }
    given.end()?;
    let app = events::app(state, asked).await?;
    let socket = &asked.found.name;
    if let Some(reason) = reason {
        let entry = asked.entry(app.id.as_str(), AuditAction::ConnectionClose);
        let closed = listed::close(&state.node, &app.id, (socket, reason), entry).await;
        closed.map_err(|missing| not_open(&missing, socket))?;
    }
    Ok(nothing())
}

/// A page of the users who are signed in.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn users(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let wanted = listed::users_wanted(Given::of(&asked.query, &listed::OF_USERS))?;
    let app = events::app(state, asked).await?;
    Ok(ok(&listed::users(&state.node, &app.id, &wanted).await))
}

/// Closes all connections of a user with 4009, on all nodes.
///
/// # Errors
/// There is no such app, the query has faults, or the other nodes could not be told.
pub(super) async fn terminate(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    Given::of(&asked.query, &["name"]).end()?;
    let user = asked.name()?;
    let app = events::app(state, asked).await?;
    let entry = asked.entry(app.id.as_str(), AuditAction::UserTerminate);
    let closed = listed::terminate(&state.node, &app.id, user, entry).await;
    closed.map(|value| ok(&value)).map_err(|NotTold| Problem::ClusterAway)
}

fn not_open(missing: &NotOpen, socket: &str) -> Problem {
    match missing.perhaps_elsewhere() {
        None => Problem::NoSuchConnection(socket.to_owned()),
        Some(why) => Problem::Perhaps(why),
    }
}
