//! Connections and signed-in users in operators' lists.
//!
//! What a connection shows is what its own task needs: nothing is kept for the list, but the number of channels.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fanfare_hub::{AppHub, ChannelsPlace, Conn, OnlineHere, SomeUsers};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use tokio::task::yield_now;

use super::page::{First, ListedPage};
use crate::node::Node;

/// Most channels that are told of one connection.
pub const MOST_CHANNELS: usize = 1000;

/// Connections that are read in one piece where most of them do not fit.
const PIECE: usize = 1000;

/// Some connections: those that fit everything given.
pub struct ConnectionsWanted {
    /// Subscribed to this channel.
    pub channel: Option<ChannelName>,
    /// Signed in as this user.
    pub user: Option<UserId>,
    /// From this address.
    pub address: Option<IpAddr>,
    /// Behind which socket the page begins.
    pub after: Option<SocketId>,
    /// Rows of the page.
    pub limit: usize,
}

/// A page of the app's open connections, by socket.
pub async fn connections(
    node: &Node,
    app: &AppId,
    wanted: &ConnectionsWanted,
) -> ListedPage<Arc<Conn>, SocketId> {
    let Some(hub) = node.hubs.get(app) else { return ListedPage::empty() };
    let ConnectionsWanted { channel, user, address, after, limit } = wanted;
    let of_user: Option<BTreeMap<SocketId, Arc<Conn>>> = user
        .as_ref()
        .map(|user| hub.conns_of_user(user.as_str()).into_iter().map(|conn| (conn.id, conn)).collect());
    let fits = |conn: &Conn| {
        address.is_none_or(|address| conn.visitor.address == address)
            && of_user.as_ref().is_none_or(|conns| conns.contains_key(&conn.id))
    };
    let mut first = First::behind(*after, *limit);
    if let Some(channel) = channel {
        each_subscriber(&hub, channel, |conn| {
            if fits(conn) {
                first.take(conn.id, Arc::clone(conn));
            }
        })
        .await;
    } else if let Some(conns) = &of_user {
        for (socket, conn) in conns.iter().filter(|(_, conn)| fits(conn)) {
            first.take(*socket, Arc::clone(conn));
        }
    } else {
        let most = if address.is_some() { PIECE } else { limit + 1 };
        let mut behind = *after;
        while !first.is_full() {
            let piece = hub.some_conns(behind, most);
            let Some(last) = piece.last() else { break };
            behind = Some(last.id);
            for conn in piece.iter().filter(|conn| fits(conn)) {
                first.take(conn.id, Arc::clone(conn));
            }
            yield_now().await;
        }
    }
    let total = match (channel, user, address) {
        (None, None, None) => Some(hub.connections()),
        (Some(channel), None, None) => Some(hub.counts(channel).subscriptions),
        _ => None,
    };
    let (conns, has_more) = first.rows();
    let next = conns.last().filter(|_| has_more).map(|conn| conn.id);
    ListedPage { rows: conns, next, total }
}

async fn each_subscriber(hub: &AppHub, channel: &ChannelName, mut show: impl FnMut(&Arc<Conn>)) {
    let mut below = None;
    loop {
        below = hub.some_subscribers(channel, below, |conn, _| show(conn));
        if below.is_none() {
            return;
        }
        yield_now().await;
    }
}

/// The open connection of this socket.
pub fn connection(node: &Node, app: &AppId, socket: SocketId) -> Option<Arc<Conn>> {
    node.hubs.get(app)?.conn(socket)
}

/// The channels that the connection is subscribed to, by name, [`MOST_CHANNELS`] at most.
pub async fn channels_of(node: &Node, app: &AppId, conn: &Conn) -> Vec<ChannelName> {
    let Some(hub) = node.hubs.get(app) else { return Vec::new() };
    let mut channels = Vec::new();
    let most = conn.channels().min(MOST_CHANNELS);
    let mut place = Some(ChannelsPlace::default());
    while let Some(from) = place.filter(|_| channels.len() < most) {
        place = hub.some_channels_of(from, conn.id, |name| channels.push(name.clone()));
        yield_now().await;
    }
    channels.sort();
    channels.dedup();
    channels
}

/// A page of the users who are signed in on this node and whose ids begin with `prefix`, by id.
pub async fn users(
    node: &Node,
    app: &AppId,
    (prefix, after): (&str, Option<UserId>),
    limit: usize,
) -> ListedPage<OnlineHere, UserId> {
    let Some(hub) = node.hubs.get(app) else { return ListedPage::empty() };
    let (mut rows, mut behind) = (Vec::new(), after);
    loop {
        let SomeUsers { users, next } = hub.some_users(prefix, behind.as_ref());
        rows.extend(users);
        behind = next;
        if behind.is_none() || rows.len() > limit {
            break;
        }
        yield_now().await;
    }
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row: &OnlineHere| row.user.clone());
    ListedPage { rows, next, total: None }
}
