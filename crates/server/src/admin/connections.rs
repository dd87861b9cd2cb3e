//! An app's connections and signed-in users, seen by operators, and closing them (CON-047).
//!
//! Lists are of this node alone, read from the live tables when asked for. Each close leaves an entry in the audit log.

use std::net::IpAddr;

use fanfare_apps::AuditAction;
use fanfare_hub::{Dialect, OnlineHere};
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::listing::{self, ConnectionsWanted, ListedConnection};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::utc::{utc, utc_milliseconds};
use serde_json::{Value, json};

use super::asked::{Asked, nothing};
use super::channels::of_this_node;
use super::events;
use super::given::Given;
use super::problem::Problem;
use crate::http::Answer;
use crate::state::State;

/// A page of the app's open connections.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn list(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["channel", "user", "address", "after", "limit"]);
    let address = given.parsed("address", "an IP address", |text| text.parse::<IpAddr>().ok());
    let after = given.after(|text| text.parse::<SocketId>().ok());
    let limit = given.rows();
    let channel = given.text("channel").map(ChannelName::trusted);
    let user = given.text("user").map(UserId::from);
    given.end()?;
    let app = events::app(state, asked).await?;
    let wanted = ConnectionsWanted { channel, user, address, after, limit };
    let page = listing::connections(&state.node, &app.id, &wanted).await;
    let rows: Vec<Value> = page.rows.iter().map(|found| row(state, found)).collect();
    let next = page.next.map(|socket| socket.to_string());
    Ok(of_this_node(state, json!({ "connections": rows, "next": next, "total": page.total })))
}

/// One connection with its channels.
///
/// # Errors
/// There is no such app, no such connection on this node, or the query has faults.
pub(super) async fn one(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = events::app(state, asked).await?;
    let missing = || Problem::NoSuchConnection(asked.found.name.clone());
    let socket: SocketId = asked.found.name.parse().map_err(|_| missing())?;
    let found = listing::connection(&state.node, &app.id, socket).await.ok_or_else(missing)?;
    let channels = listing::channels_of(&state.node, &app.id, &found.conn).await;
    let mut value = row(state, &found);
    value["channels"] = channels.iter().map(ChannelName::as_str).collect();
    Ok(of_this_node(state, value))
}

/// Closes a connection: with 4200 its client comes back at once, with 4009 stock clients stay away.
///
/// # Errors
/// There is no such app, no such connection on this node, or the query has faults.
pub(super) async fn close(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["code"]);
    let reasons = [("4200", &CloseReason::ReconnectByOperator), ("4009", &CloseReason::ClosedByOperator)];
    let reason = given.of_these("code", &reasons);
    if given.text("code").is_none() {
        given.fault("code is missing: 4200, or 4009");
    }
    given.end()?;
    let app = events::app(state, asked).await?;
    let missing = || Problem::NoSuchConnection(asked.found.name.clone());
    let socket: SocketId = asked.found.name.parse().map_err(|_| missing())?;
    let conn = state.node.hubs.get(&app.id).and_then(|hub| hub.conn(socket)).ok_or_else(missing)?;
    if let Some(reason) = reason {
        conn.outbox.close(reason.clone());
        let entry = asked.entry(app.id.as_str(), AuditAction::ConnectionClose);
        let entry = entry.with("socket", socket.to_string().into()).with("code", reason.code().into());
        asked.note(&state.node.apps, entry).await;
    }
    Ok(nothing())
}

/// A page of the users who are signed in.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn users(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["prefix", "after", "limit"]);
    let after = given.after(|text| Some(UserId::from(text)));
    let limit = given.rows();
    let prefix = given.text("prefix").unwrap_or_default();
    given.end()?;
    let app = events::app(state, asked).await?;
    let page = listing::users(&state.node, &app.id, (prefix, after), limit).await;
    let row = |OnlineHere { user, connections, since }: &OnlineHere| json!({ "user": user.as_str(), "connections": connections, "since": utc(*since) });
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    let next = page.next.map(|user| user.to_string());
    Ok(of_this_node(state, json!({ "users": rows, "next": next, "total": page.total })))
}

/// Closes all connections of a user with 4009, on all nodes.
///
/// # Errors
/// There is no such app, the query has faults, or the other nodes could not be told.
pub(super) async fn terminate(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = events::app(state, asked).await?;
    let user = &asked.found.name;
    let hub = state.node.hubs.get(&app.id);
    let closed = hub.map_or(0, |hub| hub.close_user(user, &CloseReason::Terminated));
    let entry = asked.entry(app.id.as_str(), AuditAction::UserTerminate);
    let entry = entry.with("user", user.as_str().into()).with("connections", closed.into());
    let told = match state.node.bus() {
        Some(bus) => bus.close_user(&app.id, &UserId::from(&**user)).await.map_err(|_| Problem::ClusterAway),
        None => Ok(()),
    };
    asked.note(&state.node.apps, entry).await;
    told?;
    Ok(of_this_node(state, json!({ "closed": closed })))
}

fn row(state: &State, ListedConnection { conn, user }: &ListedConnection) -> Value {
    let now = state.node.milliseconds();
    let age = now.saturating_sub(u64::from(conn.visitor.since) * 1000);
    json!({
        "socket": conn.id.to_string(),
        "node": state.node.name(),
        "since": utc_milliseconds(unix_milliseconds().saturating_sub(age)),
        "address": conn.visitor.address,
        "transport": conn.transport().label(),
        "tls": conn.visitor.over_tls,
        "protocol": (conn.dialect == Dialect::Pusher).then(|| conn.visitor.version.number()),
        "user": user.as_ref().map(UserId::as_str),
        "subscriptions": conn.channels(),
        "outbox_bytes": conn.waiting(),
        "client": null,
        "version": null,
        "key": null,
        "last_message_at": null,
    })
}
