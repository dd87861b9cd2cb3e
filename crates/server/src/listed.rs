//! What is open now, as operators and the command line see it: lists as JSON, and closing (CON-025, CON-047).
//!
//! The one shape of the administration API and of the signed API. Each close leaves an entry in the audit log.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fanfare_apps::{Apps, AuditEntry, OperationError};
use fanfare_node::Node;
use fanfare_node::listing::everywhere::{self, PageOfNodes, Reached};
use fanfare_node::listing::{
    ChannelOrder, ChannelsWanted, ConnectionRow, ConnectionsWanted, KindWanted, ListedChannel, MemberRow,
    PlacedRow, SubscriberRow, UserRow,
};
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::utc::utc_milliseconds;
use serde::Serialize;
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

/// No connection with this socket id is open on the nodes that could be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotOpen {
    /// Nodes that have not answered; `None` if nobody could be asked.
    pub silent: Option<Vec<String>>,
}

impl<'a> UsersWanted<'a> {
    /// The first users whose ids begin with `prefix`.
    pub const fn beginning_with(prefix: &'a str, limit: usize) -> Self {
        Self { prefix, after: None, limit }
    }
}

impl NotOpen {
    /// The text is no socket id.
    const fn no_id() -> Self {
        Self { silent: Some(Vec::new()) }
    }

    fn on(reached: Reached) -> Self {
        Self { silent: reached.missing }
    }

    /// Whether another node may have the connection; a sentence that says which.
    pub fn perhaps_elsewhere(&self) -> Option<String> {
        match self.silent.as_deref() {
            Some([]) => None,
            Some(silent) => Some(format!(
                "the nodes that have answered do not have it, {} did not answer",
                silent.join(", ")
            )),
            None => {
                Some("this node does not have it, and the others cannot be asked at the moment".to_owned())
            }
        }
    }
}

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
    let page = everywhere::channels(node, app, wanted).await;
    let next = page.next.map(|ListedChannel { name, occupancy, .. }| match &wanted.order {
        ChannelOrder::Name(_) => name.to_string(),
        ChannelOrder::Subscribers(_) => format!("{}:{name}", occupancy.subscriptions),
    });
    let row = |(row, nodes): &(ListedChannel, _)| with_nodes(channel(row), nodes, &page.reached);
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    of_nodes(node, json!({ "channels": rows, "next": next, "total": page.total }), &page.reached)
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
    let page = everywhere::connections(node, app, wanted).await;
    let rows: Vec<Value> =
        page.rows.iter().map(|placed| connection_row(&placed.row, first_of(placed))).collect();
    let next = next_socket(&page, |row| row.socket);
    of_nodes(node, json!({ "connections": rows, "next": next, "total": page.total }), &page.reached)
}

/// One connection with its channels, whichever node has it.
///
/// # Errors
/// The connection is not open.
pub(crate) async fn connection(node: &Node, app: &AppId, socket: &str) -> Result<Value, NotOpen> {
    let socket: SocketId = socket.parse().map_err(|_| NotOpen::no_id())?;
    let (found, name) = everywhere::connection(node, app, socket).await.map_err(NotOpen::on)?;
    let mut value = connection_row(&found, &name);
    value["channels"] = found.channels.into();
    value["of"] = if name == node.name() { "this node" } else { "one node" }.into();
    Ok(value)
}

fn connection_row(row: &ConnectionRow, node: &str) -> Value {
    json!({
        "socket": SocketId::from_bits(row.socket).to_string(),
        "node": node,
        "since": utc_milliseconds(row.since),
        "address": row.address,
        "transport": row.transport,
        "tls": row.tls,
        "protocol": row.protocol,
        "user": row.user,
        "subscriptions": row.subscriptions,
        "outbox_bytes": row.outbox_bytes,
        "client": null,
        "version": null,
        "key": null,
        "last_message_at": null,
    })
}

/// The name of the one node of a row.
fn first_of<Row>(placed: &PlacedRow<Row>) -> &str {
    placed.nodes.keys().next().map_or("", String::as_str)
}

/// Where a list by sockets goes on.
fn next_socket<Row>(page: &PageOfNodes<Row>, socket: impl Fn(&Row) -> u64) -> Option<String> {
    let last = page.rows.last().filter(|_| page.more)?;
    Some(SocketId::from_bits(socket(&last.row)).to_string())
}

/// A page of a channel's subscribers.
pub(crate) async fn subscribers(
    node: &Node,
    of: (&AppId, &ChannelName),
    after: Option<SocketId>,
    limit: usize,
) -> Value {
    let page = everywhere::subscribers(node, of, after, limit).await;
    let row = |placed: &PlacedRow<SubscriberRow>| {
        let SubscriberRow { socket, user } = &placed.row;
        json!({ "socket": SocketId::from_bits(*socket).to_string(), "user": user, "node": first_of(placed) })
    };
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    let next = next_socket(&page, |row| row.socket);
    of_nodes(node, json!({ "subscribers": rows, "next": next, "total": page.total }), &page.reached)
}

/// A page of the users on a presence channel; `infos` says whether with what they tell of themselves.
pub(crate) async fn members(
    node: &Node,
    of: (&AppId, &ChannelName),
    after: Option<UserId>,
    (limit, infos): (usize, bool),
) -> Value {
    let page = everywhere::members(node, of, after, (limit, infos)).await;
    let row = |placed: &PlacedRow<MemberRow>| {
        let MemberRow { user, connections, info } = &placed.row;
        let row = json!({ "user": user, "connections": connections, "user_info": info });
        with_nodes(row, &placed.nodes, &page.reached)
    };
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    let next = page.rows.last().filter(|_| page.more).map(|placed| &placed.row.user);
    of_nodes(node, json!({ "members": rows, "next": next, "total": page.total }), &page.reached)
}

/// A row with its connections by node, where there are several.
pub(crate) fn with_nodes<Count: Serialize>(
    mut row: Value,
    nodes: &BTreeMap<String, Count>,
    reached: &Reached,
) -> Value {
    if !reached.is_alone {
        row["nodes"] = json!(nodes);
    }
    row
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
    let socket: SocketId = socket.parse().map_err(|_| NotOpen::no_id())?;
    everywhere::close(node, app, socket, reason).await.map_err(NotOpen::on)?;
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
    let (closed, reached) = everywhere::terminate(node, app, user).await;
    let entry = entry.with("user", user.into()).with("connections", closed.into());
    // A node that has not answered, as of an earlier release, hears of it all the same.
    let told = match node.bus().filter(|_| reached.missing != Some(Vec::new())) {
        Some(bus) => bus.close_user(app, &UserId::from(user)).await.map_err(|_| NotTold),
        None => Ok(()),
    };
    note(&node.apps, entry).await;
    told.map(|()| of_nodes(node, json!({ "closed": closed }), &reached))
}

/// Logs who has done what, a token by its number, and keeps the entry.
pub(crate) async fn note(apps: &Apps, entry: AuditEntry) {
    log(&entry);
    apps.audit(&entry).await;
}

/// As [`note`], before what the entry says is done.
///
/// # Errors
/// The entry is not kept: what it says must not be done.
pub(crate) async fn note_first(apps: &Apps, entry: &AuditEntry) -> Result<(), OperationError> {
    apps.audit_first(entry).await?;
    log(entry);
    Ok(())
}

fn log(entry: &AuditEntry) {
    let (app, action, by) = (entry.app.as_deref(), entry.action.as_str(), &entry.by);
    tracing::info!(target: "fanfare::admin", app, token = by.token(), name = by.name(), action, "{}", entry.action);
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
    let page = everywhere::users(node, app, (prefix, after.clone()), *limit).await;
    let row = |placed: &PlacedRow<UserRow>| {
        let UserRow { user, connections, since } = &placed.row;
        let row =
            json!({ "user": user, "connections": connections, "since": utc_milliseconds(1000 * since) });
        with_nodes(row, &placed.nodes, &page.reached)
    };
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    let next = page.rows.last().filter(|_| page.more).map(|placed| &placed.row.user);
    let list = json!({ "users": rows, "next": next, "total": page.total, "more_than": page.more_than });
    of_nodes(node, list, &page.reached)
}

/// The answer, which says of which nodes it is (CON-026).
pub(crate) fn of_nodes(node: &Node, value: Value, reached: &Reached) -> Value {
    let mut value = of_this_node(node, value);
    if !reached.is_alone && reached.missing.is_some() {
        value["of"] = "all nodes".into();
    }
    value["nodes"] = reached.nodes.as_slice().into();
    value["missing"] = json!(reached.missing);
    value
}

/// The answer, which says that it is of this node alone (CON-026).
pub(crate) fn of_this_node(node: &Node, mut value: Value) -> Value {
    value["of"] = "this node".into();
    value["node"] = node.name().into();
    value
}
