//! Rows of lists as nodes tell them to each other, and how the pages of several nodes become one (CON-026).
//!
//! In JSON, of which a field of another release is ignored. Knows no node and no lock.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use fanfare_hub::{Conn, Dialect, OnlineHere};
use fanfare_protocol::ids::{SocketId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ListedMember;
use super::page::ListedPage;
use crate::clock::unix_milliseconds;
use crate::node::Node;

/// Most bytes of the rows that a node tells at once; a page that is cut goes on behind its last row.
const MOST_BYTES: usize = 512 * 1024;

/// A row that several nodes may have.
pub trait NodeRow: Serialize {
    /// Where the row stands in the list.
    type Key: Ord;

    /// The place; rows of several nodes with one place are one row.
    fn key(&self) -> Self::Key;

    /// Connections of the row on its node.
    fn count(&self) -> usize {
        1
    }

    /// Adds what another node has of the row; a socket is on one node alone.
    fn join(&mut self, _: Self)
    where
        Self: Sized,
    {
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// The bits of the socket id.
    pub socket: u64,
    /// When the connection was opened, in milliseconds since 1970.
    pub since: u64,
    /// The client's address.
    pub address: IpAddr,
    /// The transport's name.
    pub transport: String,
    /// Whether the client came over TLS.
    pub tls: bool,
    /// The version of Pusher's protocol, if the client speaks that.
    pub protocol: Option<u8>,
    /// The user that the connection is signed in as.
    pub user: Option<String>,
    /// Subscribed channels.
    pub subscriptions: usize,
    /// Bytes that wait for the client.
    pub outbox_bytes: usize,
    /// The channels, where they were asked for.
    #[serde(default)]
    pub channels: Vec<String>,
}

/// A subscriber of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberRow {
    /// The bits of the socket id.
    pub socket: u64,
    /// The user that the connection stands for on a presence channel.
    pub user: Option<String>,
}

/// A user on a presence channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The user.
    pub user: String,
    /// Acknowledged connections.
    pub connections: usize,
    /// The newest `user_info`, where it was asked for.
    pub info: Option<Value>,
}

/// A user who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The user.
    pub user: String,
    /// Signed-in connections.
    pub connections: usize,
    /// When the first of them signed in since there was none, in seconds since 1970.
    pub since: u64,
}

/// What a node has of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelHere {
    /// Subscriptions.
    pub subscribers: usize,
    /// Whether the channel has a cached event.
    pub cached: bool,
}

/// A row, and how many connections of each node are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedRow<Row> {
    /// The row.
    pub row: Row,
    /// Connections by the node's name.
    pub nodes: BTreeMap<String, usize>,
}

/// A node's page of a list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NodePage<Row> {
    pub rows: Vec<Row>,
    /// Whether there are rows behind.
    pub more: bool,
    /// Rows of the node's whole list, where that takes no search.
    pub total: Option<usize>,
}

impl<Row: NodeRow> NodePage<Row> {
    pub fn of<Listed, Key>(page: ListedPage<Listed, Key>, row: impl FnMut(Listed) -> Row) -> Self {
        let more = page.next.is_some();
        Self { rows: page.rows.into_iter().map(row).collect(), more, total: page.total }
    }

    /// The page for another node: so many rows as fit, one at least.
    pub fn text(mut self) -> Option<Vec<u8>> {
        let mut bytes = 0;
        let fits = |row: &&Row| {
            bytes += serde_json::to_vec(row).map_or(0, |text| text.len() + 1);
            bytes <= MOST_BYTES
        };
        let fitting = self.rows.iter().take_while(fits).count().max(1);
        self.more |= fitting < self.rows.len();
        self.rows.truncate(fitting);
        serde_json::to_vec(&self).ok()
    }
}

/// The first rows of all nodes, and whether there are more.
pub(super) fn merged<Row: NodeRow>(
    pages: Vec<(String, NodePage<Row>)>,
    limit: usize,
) -> (Vec<PlacedRow<Row>>, bool) {
    // Behind the last row of a page that goes on, the node may have rows that are not told.
    let ends = pages.iter().filter(|(_, page)| page.more).filter_map(|(_, page)| page.rows.last());
    let end = ends.map(NodeRow::key).min();
    let mut more = end.is_some();
    let mut found: BTreeMap<Row::Key, PlacedRow<Row>> = BTreeMap::new();
    for (node, page) in pages {
        for row in page.rows {
            let (key, count) = (row.key(), row.count());
            if end.as_ref().is_some_and(|end| key > *end) {
                break;
            }
            match found.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(PlacedRow { row, nodes: BTreeMap::from([(node.clone(), count)]) });
                }
                Entry::Occupied(mut known) => {
                    known.get_mut().nodes.insert(node.clone(), count);
                    known.get_mut().row.join(row);
                }
            }
        }
    }
    more |= found.len() > limit;
    (found.into_values().take(limit).collect(), more)
}

/// The rows of all nodes together, where each node knows its own and none is on two.
pub(super) fn total<Row>(pages: &[(String, NodePage<Row>)]) -> Option<usize> {
    pages.iter().map(|(_, page)| page.total).sum()
}

impl ConnectionRow {
    pub(super) fn of(node: &Node, conn: &Conn) -> Self {
        let age = node.milliseconds().saturating_sub(conn.visitor.since);
        Self {
            socket: conn.id.bits(),
            since: unix_milliseconds().saturating_sub(age),
            address: conn.visitor.address,
            transport: conn.transport().label().to_owned(),
            tls: conn.visitor.over_tls,
            protocol: (conn.dialect == Dialect::Pusher).then(|| conn.visitor.version.number()),
            user: conn.user().map(UserId::to_string),
            subscriptions: conn.channels(),
            outbox_bytes: conn.waiting(),
            channels: Vec::new(),
        }
    }
}

impl SubscriberRow {
    pub(super) fn of((socket, user): (SocketId, Option<UserId>)) -> Self {
        Self { socket: socket.bits(), user: user.map(|user| user.to_string()) }
    }
}

impl MemberRow {
    pub(super) fn of(ListedMember { user, connections, info }: ListedMember, wants_info: bool) -> Self {
        let info = info.filter(|_| wants_info).and_then(|info| serde_json::from_str(info.get()).ok());
        Self { user: user.to_string(), connections, info }
    }
}

impl UserRow {
    pub(super) fn of(OnlineHere { user, connections, since }: OnlineHere) -> Self {
        Self { user: user.to_string(), connections, since }
    }
}

impl NodeRow for ConnectionRow {
    type Key = u64;

    fn key(&self) -> u64 {
        self.socket
    }
}

impl NodeRow for SubscriberRow {
    type Key = u64;

    fn key(&self) -> u64 {
        self.socket
    }
}

impl NodeRow for MemberRow {
    type Key = String;

    fn key(&self) -> String {
        self.user.clone()
    }

    fn count(&self) -> usize {
        self.connections
    }

    fn join(&mut self, other: Self) {
        self.connections += other.connections;
        self.info = self.info.take().or(other.info);
    }
}

impl NodeRow for UserRow {
    type Key = String;

    fn key(&self) -> String {
        self.user.clone()
    }

    fn count(&self) -> usize {
        self.connections
    }

    fn join(&mut self, other: Self) {
        self.connections += other.connections;
        self.since = self.since.min(other.since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(users: &[&str], more: bool) -> NodePage<UserRow> {
        let row = |user: &&str| UserRow { user: (*user).to_owned(), connections: 2, since: 7 };
        NodePage { rows: users.iter().map(row).collect(), more, total: None }
    }

    #[test]
    fn con_026_a_user_on_two_nodes_is_one_row_and_nobody_is_left_out_behind_a_page_that_was_cut() {
        let pages =
            vec![("a".to_owned(), page(&["1", "2"], true)), ("b".to_owned(), page(&["2", "3", "9"], false))];
        let (rows, more) = merged(pages, 10);
        let told: Vec<_> = rows.iter().map(|placed| (&*placed.row.user, placed.row.connections)).collect();
        assert_eq!((told, more), (vec![("1", 2), ("2", 4)], true), "node a may have a user between 2 and 3");
        assert_eq!(rows[1].nodes, BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 2)]));
        let (rows, more) = merged(vec![("a".to_owned(), page(&["1", "2", "3"], false))], 2);
        assert_eq!((rows.len(), more), (2, true));
    }

    #[test]
    fn con_026_what_a_node_tells_is_bounded_in_bytes_and_goes_on_behind_its_last_row() {
        let long = |number: usize| format!("{number:03}{}", "x".repeat(MOST_BYTES / 3));
        let users: Vec<String> = (0..9).map(long).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let text = page(&users, false).text().expect("JSON");
        assert!(text.len() < MOST_BYTES + 100, "{} bytes", text.len());
        let told: NodePage<UserRow> = serde_json::from_slice(&text).expect("JSON");
        assert_eq!((told.rows.len(), told.more), (2, true));
        let one = page(&["x".repeat(MOST_BYTES).as_str(), "y"], false).text().expect("JSON");
        let told: NodePage<UserRow> = serde_json::from_slice(&one).expect("JSON");
        assert_eq!((told.rows.len(), told.more), (1, true), "a list always goes on");
    }
}
