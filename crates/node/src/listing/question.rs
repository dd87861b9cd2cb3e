//! What nodes ask each other for lists, and the answer from this node's own tables.

use std::net::IpAddr;

use fanfare_bus::NodeSubject;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use serde::{Deserialize, Serialize};

use super::connections::{self, ConnectionsWanted};
use super::page::MOST_ROWS;
use super::told::{ChannelHere, ConnectionRow, MemberRow, NodePage, SubscriberRow, UserRow};
use super::{members, subscribers};
use crate::asking::NodeQuestion;
use crate::node::Node;

/// A question of one node to all others; a later release may know more of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ListQuestion {
    /// What the node has of each of these channels: a list of [`ChannelHere`].
    Channels(Vec<String>),
    /// A page of a channel's subscribers behind a socket.
    Subscribers { channel: String, after: Option<u64>, limit: usize },
    /// A page of a presence channel's users behind one, with what they tell of themselves.
    Members { channel: String, after: Option<String>, limit: usize, infos: bool },
    /// A page of connections behind a socket.
    Connections {
        channel: Option<String>,
        user: Option<String>,
        address: Option<IpAddr>,
        after: Option<u64>,
        limit: usize,
    },
    /// The connection of a socket with its channels, or null.
    Connection(u64),
    /// Closes the connection of a socket with a code, and says whether there was one.
    Close(u64, u16),
    /// A page of the users who are signed in behind one.
    Users { prefix: String, after: Option<String>, limit: usize },
    /// Closes the connections of a user, and says how many there were.
    Terminate(String),
}

impl NodeQuestion for ListQuestion {
    const SUBJECT: NodeSubject = NodeSubject::Open;

    fn is_operation(&self) -> bool {
        matches!(self, Self::Close(..) | Self::Terminate(_))
    }
}

/// What this node answers to another one that asks; `None` for a question of a later release.
pub(crate) async fn told_to_others(node: &Node, app: &AppId, about: &[u8]) -> Option<Vec<u8>> {
    match serde_json::from_slice(about).ok()? {
        ListQuestion::Channels(names) => serde_json::to_vec(&channels_here(node, app, &names)).ok(),
        ListQuestion::Subscribers { channel, after, limit } => {
            let after = after.map(SocketId::from_bits);
            subscribers_here(node, (app, &ChannelName::trusted(&channel)), after, limit).await.text()
        }
        ListQuestion::Members { channel, after, limit, infos } => {
            let after = after.as_deref().map(UserId::from);
            members_here(node, (app, &ChannelName::trusted(&channel)), after, (limit, infos)).await.text()
        }
        ListQuestion::Connections { channel, user, address, after, limit } => {
            let channel = channel.as_deref().map(ChannelName::trusted);
            let (user, after) = (user.as_deref().map(UserId::from), after.map(SocketId::from_bits));
            connections_here(node, app, &ConnectionsWanted { channel, user, address, after, limit })
                .await
                .text()
        }
        ListQuestion::Connection(socket) => {
            serde_json::to_vec(&connection_here(node, app, SocketId::from_bits(socket)).await).ok()
        }
        ListQuestion::Close(socket, code) => {
            let closed = closed_here(node, app, SocketId::from_bits(socket), &reason_of(code)?);
            serde_json::to_vec(&closed).ok()
        }
        ListQuestion::Users { prefix, after, limit } => {
            users_here(node, app, (&prefix, after.as_deref().map(UserId::from)), limit).await.text()
        }
        ListQuestion::Terminate(user) => serde_json::to_vec(&terminated_here(node, app, &user)).ok(),
    }
}

/// The reason for which operators close with a code.
const fn reason_of(code: u16) -> Option<CloseReason> {
    match code {
        4200 => Some(CloseReason::ReconnectByOperator),
        4009 => Some(CloseReason::ClosedByOperator),
        _ => None,
    }
}

pub(super) fn channels_here(node: &Node, app: &AppId, names: &[String]) -> Vec<ChannelHere> {
    let (hub, now) = (node.hubs.get(app), node.milliseconds());
    let here = |name: &String| {
        let Some(hub) = &hub else { return ChannelHere::default() };
        let channel = ChannelName::trusted(name);
        let cached = channel.is_cached() && hub.cached(&channel, now).is_some();
        ChannelHere { subscribers: hub.counts(&channel).subscriptions, cached }
    };
    names.iter().take(MOST_ROWS).map(here).collect()
}

pub(super) async fn subscribers_here(
    node: &Node,
    of: (&AppId, &ChannelName),
    after: Option<SocketId>,
    limit: usize,
) -> NodePage<SubscriberRow> {
    NodePage::of(subscribers(node, of, after, limit.min(MOST_ROWS)).await, SubscriberRow::of)
}

pub(super) async fn members_here(
    node: &Node,
    of: (&AppId, &ChannelName),
    after: Option<UserId>,
    (limit, infos): (usize, bool),
) -> NodePage<MemberRow> {
    let page = members(node, of, after, limit.min(MOST_ROWS)).await;
    NodePage::of(page, |member| MemberRow::of(member, infos))
}

pub(super) async fn connections_here(
    node: &Node,
    app: &AppId,
    wanted: &ConnectionsWanted,
) -> NodePage<ConnectionRow> {
    let page = connections::connections(node, app, wanted).await;
    NodePage::of(page, |conn| ConnectionRow::of(node, &conn))
}

pub(super) async fn users_here(
    node: &Node,
    app: &AppId,
    wanted: (&str, Option<UserId>),
    limit: usize,
) -> NodePage<UserRow> {
    NodePage::of(connections::users(node, app, wanted, limit.min(MOST_ROWS)).await, UserRow::of)
}

pub(super) async fn connection_here(node: &Node, app: &AppId, socket: SocketId) -> Option<ConnectionRow> {
    let conn = connections::connection(node, app, socket)?;
    let channels = connections::channels_of(node, app, &conn).await;
    let channels = channels.iter().map(|channel| channel.as_str().to_owned()).collect();
    Some(ConnectionRow { channels, ..ConnectionRow::of(node, &conn) })
}

pub(super) fn closed_here(node: &Node, app: &AppId, socket: SocketId, reason: &CloseReason) -> bool {
    let conn = node.hubs.get(app).and_then(|hub| hub.conn(socket));
    conn.inspect(|conn| conn.outbox.close(reason.clone())).is_some()
}

pub(super) fn terminated_here(node: &Node, app: &AppId, user: &str) -> usize {
    node.hubs.get(app).map_or(0, |hub| hub.close_user(user, &CloseReason::Terminated))
}
