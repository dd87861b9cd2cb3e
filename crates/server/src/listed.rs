//! What is open now, as operators and the command line see it: lists as JSON, and closing (CON-025, CON-047).
//!
//! The one shape of the administration API and of the signed API. Each close leaves an entry in the audit log.

use std::net::IpAddr;

use fanfare_apps::{Apps, AuditEntry};
use fanfare_hub::{Dialect, OnlineHere};
use fanfare_node::Node;
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::listing::{
    self, ChannelOrder, ChannelsWanted, ConnectionsWanted, KindWanted, ListedChannel, ListedConnection,
};
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::utc::{utc, utc_milliseconds};
use serde_json::{Value, json};

use crate::http::given::{FaultyQuery, Given};

/// The parameters of a list of channels.
pub(crate) const OF_CHANNELS: [&str; 5] = ["prefix", "kind", "order", "after", "limit"];

/// The parameters of a list of connections.
pub(crate) const OF_CONNECTIONS: [&str; 5] = ["channel", "user", "address", "after", "limit"];

/// The parameters of a list of users.
pub(crate) const OF_USERS: [&str; 3] = ["prefix", "after", "limit"];

/// The kinds that a list may be asked for.
const KINDS: [(&str, KindWanted); 5] = [
    ("public", KindWanted::Kind(ChannelKind::Public)),
    ("private", KindWanted::Kind(ChannelKind::Private)),
    ("encrypted", KindWanted::Kind(ChannelKind::Encrypted)),
    ("presence", KindWanted::Kind(ChannelKind::Presence)),
    ("cache", KindWanted::Cache),
];

/// A page of users.
pub(crate) struct UsersWanted<'a> {
    prefix: &'a str,
    after: Option<UserId>,
    limit: usize,
}

/// No connection with this socket id is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOpen;

/// The other nodes could not be told; this node has closed its own connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotTold;

/// Which channels a query asks for.
///
/// # Errors
/// Every fault of the query.
pub(crate) fn channels_wanted(mut given: Given<'_>) -> Result<ChannelsWanted<'_>, FaultyQuery> {
    let kind = given.of_these("kind", &KINDS);
    let is_by_name = given.of_these("order", &[("subscribers", false), ("name", true)]).unwrap_or_default();
    let order = match is_by_name {
        true => ChannelOrder::Name(given.after(|text| Some(ChannelName::trusted(text)))),
        false => ChannelOrder::Subscribers(given.after(place_by_subscribers)),
    };
    let limit = given.rows();
    let prefix = given.text("prefix").unwrap_or_default();
    given.end().map(|()| ChannelsWanted { prefix, kind, order, limit })
}

/// A page of an app's channels.
pub(crate) async fn channels(node: &Node, app: &AppId, wanted: &ChannelsWanted<'_>) -> Value {
    let page = listing::channels(node, app, wanted).await;
    let next = page.next.map(|ListedChannel { name, occupancy, .. }| match &wanted.order {
        ChannelOrder::Name(_) => name.to_string(),
        ChannelOrder::Subscribers(_) => format!("{}:{name}", occupancy.subscriptions),
    });
    let rows: Vec<Value> = page.rows.iter().map(channel).collect();
    of_this_node(node, json!({ "channels": rows, "next": next, "total": page.total }))
}

/// Where a page by subscribers goes on: `12:news`.
fn place_by_subscribers(text: &str) -> Option<(usize, ChannelName)> {
    let (count, name) = text.split_once(':')?;
    Some((count.parse().ok()?, ChannelName::trusted(name)))
}

/// A row of the list of channels.
pub(crate) fn channel(ListedChannel { name, occupancy, is_cached }: &ListedChannel) -> Value {
    let kind = match name.kind() {
        ChannelKind::Public => "public",
        ChannelKind::Private => "private",
        ChannelKind::Encrypted => "encrypted",
        ChannelKind::Presence => "presence",
        ChannelKind::ServerToUser => "user",
    };
    json!({
        "name": name.as_str(),
        "kind": kind,
        "subscribers": occupancy.subscriptions,
        "users": (name.kind() == ChannelKind::Presence).then_some(occupancy.users),
        "cached": is_cached,
    })
}

/// Which connections a query asks for.
///
/// # Errors
/// Every fault of the query.
pub(crate) fn connections_wanted(mut given: Given<'_>) -> Result<ConnectionsWanted, FaultyQuery> {
    let address = given.parsed("address", "an IP address", |text| text.parse::<IpAddr>().ok());
    let after = given.after(|text| text.parse::<SocketId>().ok());
    let limit = given.rows();
    let channel = given.text("channel").map(ChannelName::trusted);
    let user = given.text("user").map(UserId::from);
    given.end().map(|()| ConnectionsWanted { channel, user, address, after, limit })
}

/// A page of an app's open connections.
pub(crate) async fn connections(node: &Node, app: &AppId, wanted: &ConnectionsWanted) -> Value {
    let page = listing::connections(node, app, wanted).await;
    let rows: Vec<Value> = page.rows.iter().map(|found| connection_row(node, found)).collect();
    let next = page.next.map(|socket| socket.to_string());
    of_this_node(node, json!({ "connections": rows, "next": next, "total": page.total }))
}

/// One connection with its channels.
///
/// # Errors
/// The connection is not open.
pub(crate) async fn connection(node: &Node, app: &AppId, socket: &str) -> Result<Value, NotOpen> {
    let socket: SocketId = socket.parse().map_err(|_| NotOpen)?;
    let found = listing::connection(node, app, socket).await.ok_or(NotOpen)?;
    let channels = listing::channels_of(node, app, &found.conn).await;
    let mut value = connection_row(node, &found);
    value["channels"] = channels.iter().map(ChannelName::as_str).collect();
    Ok(of_this_node(node, value))
}

fn connection_row(node: &Node, ListedConnection { conn, user }: &ListedConnection) -> Value {
    let age = node.milliseconds().saturating_sub(u64::from(conn.visitor.since) * 1000);
    json!({
        "socket": conn.id.to_string(),
        "node": node.name(),
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

/// The reasons for which an operator closes a connection, by their codes.
pub(crate) const CLOSES: [(&str, &CloseReason); 2] =
    [("4200", &CloseReason::ReconnectByOperator), ("4009", &CloseReason::ClosedByOperator)];

/// Closes a connection, and keeps `entry` with what was done.
///
/// # Errors
/// The connection is not open.
pub(crate) async fn close(
    node: &Node,
    app: &AppId,
    (socket, reason): (&str, &CloseReason),
    entry: AuditEntry,
) -> Result<(), NotOpen> {
    let socket: SocketId = socket.parse().map_err(|_| NotOpen)?;
    let conn = node.hubs.get(app).and_then(|hub| hub.conn(socket)).ok_or(NotOpen)?;
    conn.outbox.close(reason.clone());
    let entry = entry.with("socket", socket.to_string().into()).with("code", reason.code().into());
    note(&node.apps, entry).await;
    Ok(())
}

/// Closes all connections of a user with 4009, on all nodes, and keeps `entry` with what was done.
///
/// # Errors
/// The other nodes could not be told.
pub(crate) async fn terminate(
    node: &Node,
    app: &AppId,
    user: &str,
    entry: AuditEntry,
) -> Result<Value, NotTold> {
    let closed = node.hubs.get(app).map_or(0, |hub| hub.close_user(user, &CloseReason::Terminated));
    let entry = entry.with("user", user.into()).with("connections", closed.into());
    let told = match node.bus() {
        Some(bus) => bus.close_user(app, &UserId::from(user)).await.map_err(|_| NotTold),
        None => Ok(()),
    };
    note(&node.apps, entry).await;
    told.map(|()| of_this_node(node, json!({ "closed": closed })))
}

/// Logs who has done what, a token by its number, and keeps the entry.
pub(crate) async fn note(apps: &Apps, entry: AuditEntry) {
    let (app, action, by) = (entry.app.as_deref(), entry.action.as_str(), &entry.by);
    tracing::info!(target: "fanfare::admin", app, token = by.token(), name = by.name(), action, "{}", entry.action);
    apps.audit(&entry).await;
}

/// Which users a query asks for.
///
/// # Errors
/// Every fault of the query.
pub(crate) fn users_wanted(mut given: Given<'_>) -> Result<UsersWanted<'_>, FaultyQuery> {
    let after = given.after(|text| Some(UserId::from(text)));
    let limit = given.rows();
    let prefix = given.text("prefix").unwrap_or_default();
    given.end().map(|()| UsersWanted { prefix, after, limit })
}

/// A page of the users who are signed in.
pub(crate) async fn users(node: &Node, app: &AppId, wanted: &UsersWanted<'_>) -> Value {
    let UsersWanted { prefix, after, limit } = wanted;
    let page = listing::users(node, app, (prefix, after.clone()), *limit).await;
    let row = |OnlineHere { user, connections, since }: &OnlineHere| json!({ "user": user.as_str(), "connections": connections, "since": utc(*since) });
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    let next = page.next.map(|user| user.to_string());
    of_this_node(node, json!({ "users": rows, "next": next, "total": page.total }))
}

/// The answer, which says that it is of this node alone (CON-026).
pub(crate) fn of_this_node(node: &Node, mut value: Value) -> Value {
    value["of"] = "this node".into();
    value["node"] = node.name().into();
    value
}
