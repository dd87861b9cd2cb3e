//! Lists of all nodes: each node is asked for its page, and the pages become one (CON-026).
//!
//! Which channels there are, and how many subscribe, is read from Redis (CL-020): a sum of what nodes have cannot be sorted
//! without all of it.

use std::collections::BTreeMap;

use fanfare_hub::Occupancy;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use serde::de::DeserializeOwned;

use super::page::{First, ListedPage};
use super::question::{self, ListQuestion};
use super::told::{
    ChannelHere, ConnectionRow, MemberRow, NodePage, NodeRow, PlacedRow, SubscriberRow, UserRow, merged,
    total,
};
use super::{
    ChannelsWanted, ConnectionsWanted, KindWanted, ListedChannel, MOST_COUNTED, channels as channels_here,
    key_of, totals,
};
use crate::asking;
pub use crate::asking::Reached;
use crate::census;
use crate::node::Node;

/// A page of a list of all nodes.
#[derive(Debug)]
pub struct PageOfNodes<Row> {
    /// The rows, in the list's order.
    pub rows: Vec<PlacedRow<Row>>,
    /// Whether there are rows behind.
    pub more: bool,
    /// How many rows the whole list has, where that takes no search.
    pub total: Option<usize>,
    /// The whole list has more rows than this, which were not all counted (CON-022).
    pub more_than: Option<usize>,
    /// Of which nodes.
    pub reached: Reached,
}

/// A page of the channels of all nodes.
#[derive(Debug)]
pub struct ChannelsOfNodes {
    /// The channels, in the list's order, with the subscribers of each node; of a node that stands alone without.
    pub rows: Vec<(ListedChannel, BTreeMap<String, usize>)>,
    /// Behind which channel the next page begins; `None` on the last.
    pub next: Option<ListedChannel>,
    /// How many rows the whole list has.
    pub total: Option<usize>,
    /// Of which nodes.
    pub reached: Reached,
}

/// Asks all nodes; `own` is this node's answer.
async fn of_all<Told: DeserializeOwned>(
    node: &Node,
    app: &AppId,
    question: &ListQuestion,
    own: Told,
) -> (Vec<(String, Told)>, Reached) {
    let (told, reached) = asking::of_all(node, app, question, own).await;
    (told.into_iter().map(|says| (says.name, says.said)).collect(), reached)
}

/// The page of all nodes for a question that each of them answers with its own page.
async fn page<Row: NodeRow + DeserializeOwned>(
    node: &Node,
    app: &AppId,
    (question, limit): (ListQuestion, usize),
    own: NodePage<Row>,
) -> PageOfNodes<Row> {
    let (pages, reached) = of_all(node, app, &question, own).await;
    let total = total(&pages);
    let (rows, more) = merged(pages, limit);
    PageOfNodes { rows, more, total, more_than: None, reached }
}

/// A page of the app's open connections, by socket.
pub async fn connections(node: &Node, app: &AppId, wanted: &ConnectionsWanted) -> PageOfNodes<ConnectionRow> {
    let ConnectionsWanted { channel, user, address, after, limit } = wanted;
    let question = ListQuestion::Connections {
        channel: channel.as_ref().map(|channel| channel.as_str().to_owned()),
        user: user.as_ref().map(UserId::to_string),
        address: *address,
        after: after.map(SocketId::bits),
        limit: *limit,
    };
    let own = question::connections_here(node, app, wanted).await;
    page(node, app, (question, *limit), own).await
}

/// A page of the channel's subscribers, by socket.
pub async fn subscribers(
    node: &Node,
    (app, channel): (&AppId, &ChannelName),
    after: Option<SocketId>,
    limit: usize,
) -> PageOfNodes<SubscriberRow> {
    let (name, behind) = (channel.as_str().to_owned(), after.map(SocketId::bits));
    let question = ListQuestion::Subscribers { channel: name, after: behind, limit };
    let own = question::subscribers_here(node, (app, channel), after, limit).await;
    page(node, app, (question, limit), own).await
}

/// A page of the users who are on a presence channel, by id; `infos` says whether with what they tell of themselves.
pub async fn members(
    node: &Node,
    (app, channel): (&AppId, &ChannelName),
    after: Option<UserId>,
    (limit, infos): (usize, bool),
) -> PageOfNodes<MemberRow> {
    let (name, behind) = (channel.as_str().to_owned(), after.as_ref().map(UserId::to_string));
    let question = ListQuestion::Members { channel: name, after: behind, limit, infos };
    let own = question::members_here(node, (app, channel), after, (limit, infos)).await;
    let mut page = page(node, app, (question, limit), own).await;
    if page.reached.nodes.len() > 1 {
        // A user on two nodes is one; Redis counts users.
        page.total = census::occupancy(node, app, channel).await.ok().map(|counts| counts.users);
    }
    page
}

/// A page of the users who are signed in and whose ids begin with `prefix`, by id.
pub async fn users(
    node: &Node,
    app: &AppId,
    (prefix, after): (&str, Option<UserId>),
    limit: usize,
) -> PageOfNodes<UserRow> {
    let behind = after.as_ref().map(UserId::to_string);
    let question = ListQuestion::Users { prefix: prefix.to_owned(), after: behind, limit };
    let own = question::users_here(node, app, (prefix, after.clone()), limit).await;
    let mut page = page(node, app, (question, limit), own).await;
    let is_whole = after.is_none() && !page.more && page.reached.missing == Some(Vec::new());
    let count = match node.bus() {
        _ if is_whole => Some(page.rows.len()),
        None => {
            let hub = node.hubs.get(app);
            match &hub {
                Some(hub) => Some(totals::users(hub, prefix, MOST_COUNTED).await),
                None => Some(0),
            }
        }
        // A user on two nodes is one: Redis counts users, if the answer is of all nodes.
        Some(bus) if page.reached.missing.is_some() => {
            census::users_online(node, bus, app, (prefix, MOST_COUNTED)).await.ok().flatten()
        }
        Some(_) => None,
    };
    page.total = count.filter(|count| *count <= MOST_COUNTED);
    page.more_than = count.filter(|count| *count > MOST_COUNTED).map(|_| MOST_COUNTED);
    page
}

/// A page of the app's occupied channels.
pub async fn channels(node: &Node, app: &AppId, wanted: &ChannelsWanted<'_>) -> ChannelsOfNodes {
    let of_all = match node.bus() {
        Some(_) => channels_of_all(node, app, wanted).await,
        None => None,
    };
    if let Some(page) = of_all {
        return page;
    }
    let ListedPage { rows, next, total } = channels_here(node, app, wanted).await;
    let is_alone = node.bus().is_none();
    let missing = is_alone.then(Vec::new);
    let reached = Reached { is_alone, nodes: vec![node.name().to_owned()], missing };
    let rows = rows.into_iter().map(|row| (row, BTreeMap::new())).collect();
    ChannelsOfNodes { rows, next, total, reached }
}

/// The page of all nodes; `None` while the others cannot be asked.
async fn channels_of_all(node: &Node, app: &AppId, wanted: &ChannelsWanted<'_>) -> Option<ChannelsOfNodes> {
    let list = census::channels(node, app, (wanted.prefix, false)).await.ok()?;
    let mut first = First::behind(wanted.order.after(), wanted.limit);
    for (name, counts) in list.channels.iter().filter(|(name, _)| KindWanted::has(wanted.kind, name)) {
        first.take(key_of(&wanted.order, counts.subscriptions, name), (name.clone(), *counts));
    }
    drop(list);
    let total = first.offered;
    let (found, has_more) = first.rows();
    let listed = |(name, occupancy): &(ChannelName, Occupancy)| ListedChannel {
        name: name.clone(),
        occupancy: *occupancy,
        is_cached: false,
    };
    let next = found.last().filter(|_| has_more).map(listed);
    let (told, reached) = here_and_there(node, app, found.iter().map(|(name, _)| name)).await;
    reached.missing.as_ref()?;
    let presence: Vec<&ChannelName> =
        found.iter().map(|(name, _)| name).filter(|name| name.kind() == ChannelKind::Presence).collect();
    let users = census::occupancies(node, app, &presence).await.ok()?;
    let users: BTreeMap<&ChannelName, Occupancy> = presence.into_iter().zip(users).collect();
    let mut rows = Vec::with_capacity(found.len());
    for (at, channel) in found.iter().enumerate() {
        let mut row = listed(channel);
        row.occupancy.users = users.get(&channel.0).map_or(0, |counts| counts.users);
        let of = told.iter().map(|(node, here)| (node, here.get(at).copied().unwrap_or_default()));
        row.is_cached = of.clone().any(|(_, here)| here.cached);
        let there = of.filter(|(_, here)| here.subscribers > 0);
        rows.push((row, there.map(|(node, here)| (node.clone(), here.subscribers)).collect()));
    }
    Some(ChannelsOfNodes { rows, next, total: Some(total), reached })
}

/// What each node has of these channels.
async fn here_and_there<'a>(
    node: &Node,
    app: &AppId,
    channels: impl Iterator<Item = &'a ChannelName>,
) -> (Vec<(String, Vec<ChannelHere>)>, Reached) {
    let names: Vec<String> = channels.map(|channel| channel.as_str().to_owned()).collect();
    let own = question::channels_here(node, app, &names);
    of_all(node, app, &ListQuestion::Channels(names), own).await
}

/// One channel: who is there on all nodes, and how many on which.
pub async fn channel(
    node: &Node,
    app: &AppId,
    channel: &ChannelName,
) -> (Occupancy, BTreeMap<String, usize>, Reached) {
    let (told, mut reached) = here_and_there(node, app, std::iter::once(channel)).await;
    let count = |here: &[ChannelHere]| here.first().map_or(0, |here| here.subscribers);
    let nodes = told.iter().map(|(name, here)| (name.clone(), count(here))).filter(|(_, count)| *count > 0);
    let nodes = nodes.collect();
    let here = || node.hubs.get(app).map(|hub| hub.counts(channel)).unwrap_or_default();
    let occupancy = match reached.missing {
        Some(_) => census::occupancy(node, app, channel).await.ok(),
        None => None,
    };
    if occupancy.is_none() {
        reached.missing = None;
    }
    (occupancy.unwrap_or_else(here), nodes, reached)
}

/// The open connection of this socket with its channels, and the name of its node; else of which nodes that is so.
///
/// # Errors
/// No node that has answered has the connection.
pub async fn connection(
    node: &Node,
    app: &AppId,
    socket: SocketId,
) -> Result<(ConnectionRow, String), Reached> {
    if let Some(own) = question::connection_here(node, app, socket).await {
        return Ok((own, node.name().to_owned()));
    }
    let question = ListQuestion::Connection(socket.bits());
    let (told, reached) = of_all::<Option<ConnectionRow>>(node, app, &question, None).await;
    told.into_iter().find_map(|(name, found)| Some((found?, name))).ok_or(reached)
}

/// Closes the connection of this socket, whichever node has it.
///
/// # Errors
/// No node that has answered has the connection.
pub async fn close(node: &Node, app: &AppId, socket: SocketId, reason: &CloseReason) -> Result<(), Reached> {
    if question::closed_here(node, app, socket, reason) {
        return Ok(());
    }
    let question = ListQuestion::Close(socket.bits(), reason.code().unwrap_or_default());
    let (told, reached) = of_all(node, app, &question, false).await;
    if told.iter().any(|(_, closed)| *closed) { Ok(()) } else { Err(reached) }
}

/// Closes all connections of a user on the nodes that answer, and says how many there were.
pub async fn terminate(node: &Node, app: &AppId, user: &str) -> (usize, Reached) {
    let own = question::terminated_here(node, app, user);
    let (told, reached) = of_all(node, app, &ListQuestion::Terminate(user.to_owned()), own).await;
    (told.iter().map(|(_, closed)| closed).sum(), reached)
}
