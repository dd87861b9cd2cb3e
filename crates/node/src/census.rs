//! How many, and who: the answers for the HTTP API, in one place.
//!
//! A node that stands alone counts in its hubs' own tables. Several nodes are counted in Redis, never by asking each of
//! them (CL-020). Nothing is cached, and nothing changed.

mod turns;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::{Bus, BusAway, ChannelCounts, ClusterQuestion, ClusterReply, KnownNode};
use fanfare_hub::{AppHub, Occupancy, SHARDS};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::presence::UserInfo;
use fanfare_protocol::user::OnlineUser;
use tokio::task::yield_now;
use tokio::time::timeout;

use self::turns::Turn;
pub(crate) use self::turns::Turns;
use crate::node::Node;
use crate::relay::hand_over;

/// Channels that are sorted, or users who are looked up, before the task yields.
const TURN: usize = 500;

/// How long a list of the cluster takes at most, the wait for its turn included (CL-021).
const PATIENCE: Duration = Duration::from_secs(1);

/// The occupied channels of an app, by name.
pub struct ChannelList {
    /// Each channel with its occupancy.
    pub channels: BTreeMap<ChannelName, Occupancy>,
    /// Kept while the list takes memory.
    _turn: Option<Turn>,
}

/// The last event of a cache channel.
pub struct LastEvent {
    /// The event, as a new subscriber gets it.
    pub frame: Frame,
    /// Milliseconds until the event expires.
    pub milliseconds_left: u64,
}

/// The other nodes cannot be asked now: their numbers would be missing (CL-021).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what other nodes know cannot be read at the moment")]
pub struct Unanswered;

fn hub_of(node: &Node, app: &AppId) -> Option<Arc<AppHub>> {
    node.hubs.get(app)
}

/// The occupied channels whose names begin with `prefix` (API-030, API-033).
///
/// Built in turns, so that a list of hundreds of thousands does not block others; two lists at a time, of two apps, because
/// each takes memory for all its channels.
/// # Errors
/// The cluster does not answer, or so slowly that others are still waiting for theirs.
pub async fn channels(
    node: &Node,
    app: &AppId,
    (prefix, with_users): (&str, bool),
) -> Result<ChannelList, Unanswered> {
    if let Some(bus) = node.bus() {
        let question = ClusterQuestion::Channels { prefix: prefix.to_owned(), with_users };
        let list = channels_of_cluster(node, bus, app, question);
        return timeout(PATIENCE, list).await.unwrap_or(Err(Unanswered));
    }
    let turn = node.lists.take(app).await;
    let mut channels = BTreeMap::new();
    if let Some(hub) = hub_of(node, app) {
        let mut piece = Vec::new();
        for shard in 0..SHARDS {
            hub.show_channels(shard, prefix, |name, counts| piece.push((name.clone(), counts)));
            if piece.len() > TURN {
                channels.extend(piece.drain(..));
                yield_now().await;
            }
        }
        channels.extend(piece);
    }
    Ok(ChannelList { channels, _turn: turn })
}

async fn channels_of_cluster(
    node: &Node,
    bus: &Bus,
    app: &AppId,
    question: ClusterQuestion,
) -> Result<ChannelList, Unanswered> {
    let turn = node.lists.take(app).await;
    let ClusterReply::Channels(found) = asked(node, bus, app, question).await? else {
        return Err(Unanswered);
    };
    let channels = found.into_iter().map(|(channel, counts)| (channel, occupancy_of(counts))).collect();
    Ok(ChannelList { channels, _turn: turn })
}

/// The occupancy of each of these channels, in their order; zero for a channel that nobody is subscribed to.
///
/// # Errors
/// The cluster does not answer.
pub async fn occupancies(
    node: &Node,
    app: &AppId,
    channels: &[&ChannelName],
) -> Result<Vec<Occupancy>, Unanswered> {
    if let Some(bus) = node.bus() {
        let named = ClusterQuestion::Counts(channels.iter().copied().cloned().collect());
        let ClusterReply::Counts(counts) = asked(node, bus, app, named).await? else {
            return Err(Unanswered);
        };
        return Ok(counts.into_iter().map(occupancy_of).collect());
    }
    let hub = hub_of(node, app);
    let of = |channel: &&ChannelName| hub.as_ref().map(|hub| hub.counts(channel)).unwrap_or_default();
    Ok(channels.iter().map(of).collect())
}

/// The occupancy of a channel; zero if nobody is subscribed.
///
/// # Errors
/// The cluster does not answer.
pub async fn occupancy(node: &Node, app: &AppId, channel: &ChannelName) -> Result<Occupancy, Unanswered> {
    Ok(occupancies(node, app, &[channel]).await?.pop().unwrap_or_default())
}

/// How many connections are subscribed to each of these channels, in their order, by the names of the nodes (CON-042).
///
/// # Errors
/// The cluster does not answer.
pub async fn subscribers_by_node(
    node: &Node,
    app: &AppId,
    channels: &[ChannelName],
) -> Result<Vec<BTreeMap<String, usize>>, Unanswered> {
    if let Some(bus) = node.bus() {
        let question = ClusterQuestion::CountsByNode(channels.to_vec());
        let ClusterReply::CountsByNode(counts) = asked(node, bus, app, question).await? else {
            return Err(Unanswered);
        };
        return Ok(counts);
    }
    let hub = hub_of(node, app);
    let here = |channel| hub.as_ref().map_or(0, |hub| hub.counts(channel).subscriptions);
    Ok(channels.iter().map(|channel| BTreeMap::from([(node.name().to_owned(), here(channel))])).collect())
}

/// The distinct users on a presence channel (API-040).
///
/// # Errors
/// The cluster does not answer.
pub async fn users(node: &Node, app: &AppId, channel: &ChannelName) -> Result<Vec<UserId>, Unanswered> {
    if let Some(bus) = node.bus() {
        let ClusterReply::Users(users) =
            asked(node, bus, app, ClusterQuestion::Users(channel.clone())).await?
        else {
            return Err(Unanswered);
        };
        return Ok(users);
    }
    Ok(hub_of(node, app).map(|hub| hub.user_ids(channel)).unwrap_or_default())
}

/// The distinct users on a presence channel, with their `user_info` as far as this node knows it: of several nodes, one
/// without a subscriber of the channel knows none.
///
/// # Errors
/// The cluster does not answer.
pub async fn members(
    node: &Node,
    app: &AppId,
    channel: &ChannelName,
) -> Result<Vec<(UserId, UserInfo)>, Unanswered> {
    let known = hub_of(node, app).map(|hub| hub.known_users(channel)).unwrap_or_default();
    if node.bus().is_none() {
        return Ok(known);
    }
    let mut known: HashMap<UserId, UserInfo> = known.into_iter().collect();
    let users = users(node, app, channel).await?;
    Ok(users.into_iter().map(|user| known.remove_entry(&user).unwrap_or((user, None))).collect())
}

/// How many channels of an app are occupied, and how many users are signed in, on all nodes together.
///
/// # Errors
/// The cluster does not answer, or so slowly that others are still waiting for their lists.
pub async fn occupied(node: &Node, bus: &Bus, app: &AppId) -> Result<(usize, usize), Unanswered> {
    let counted = async {
        let _turn = node.lists.take(app).await;
        match asked(node, bus, app, ClusterQuestion::Occupied).await? {
            ClusterReply::Occupied(channels, users) => Ok((channels, users)),
            _ => Err(Unanswered),
        }
    };
    timeout(PATIENCE, counted).await.unwrap_or(Err(Unanswered))
}

/// How many users are signed in on all nodes together whose ids begin with `prefix`; above `most`, some number above it. `None`
/// where so many other channels are occupied that counting would take too long.
///
/// # Errors
/// The cluster does not answer, or so slowly that others are still waiting for their lists.
pub async fn users_online(
    node: &Node,
    bus: &Bus,
    app: &AppId,
    (prefix, most): (&str, usize),
) -> Result<Option<usize>, Unanswered> {
    let counted = async {
        let _turn = node.lists.take(app).await;
        let question = ClusterQuestion::OnlineCount { prefix: prefix.to_owned(), most };
        match asked(node, bus, app, question).await? {
            ClusterReply::OnlineCount(count) => Ok(count),
            _ => Err(Unanswered),
        }
    };
    timeout(PATIENCE, counted).await.unwrap_or(Err(Unanswered))
}

/// Of each of these users, whether the user is signed in on an open connection, in their order (API-042).
///
/// # Errors
/// The cluster does not answer.
pub async fn online(node: &Node, app: &AppId, users: &[UserId]) -> Result<Vec<OnlineUser>, Unanswered> {
    if let Some(bus) = node.bus() {
        let ClusterReply::Online(found) =
            asked(node, bus, app, ClusterQuestion::Online(users.to_vec())).await?
        else {
            return Err(Unanswered);
        };
        return Ok(found);
    }
    let Some(hub) = hub_of(node, app) else { return Ok(vec![OnlineUser::default(); users.len()]) };
    let mut found = Vec::with_capacity(users.len());
    for part in users.chunks(TURN) {
        found.extend(hub.online(part));
        yield_now().await;
    }
    Ok(found)
}

/// The last event of a cache channel, if the channel has one (API-037).
///
/// # Errors
/// The cluster does not answer.
pub async fn last_event(
    node: &Node,
    app: &AppId,
    channel: &ChannelName,
) -> Result<Option<LastEvent>, Unanswered> {
    if let Some(bus) = node.bus() {
        return kept_in_cluster(node, bus, app, channel).await;
    }
    let now = node.milliseconds();
    let cached = hub_of(node, app).and_then(|hub| hub.cached(channel, now));
    let left = |until: u64| until.saturating_sub(now);
    Ok(cached.map(|cached| LastEvent { frame: cached.frame, milliseconds_left: left(cached.until) }))
}

/// Number of open connections of an app.
///
/// # Errors
/// The cluster does not answer.
pub async fn connections(node: &Node, app: &AppId) -> Result<usize, Unanswered> {
    if node.bus().is_some() {
        return Ok(occupancy(node, app, &ChannelName::connections()).await?.subscriptions);
    }
    Ok(hub_of(node, app).map_or(0, |hub| hub.connections()))
}

/// The nodes of the cluster, this one too.
///
/// # Errors
/// The cluster does not answer.
pub async fn nodes(bus: &Bus) -> Result<Vec<KnownNode>, Unanswered> {
    // The app does not matter.
    match bus.ask(&AppId::from(""), ClusterQuestion::Nodes).await? {
        ClusterReply::Nodes(nodes) => Ok(nodes),
        _ => Err(Unanswered),
    }
}

/// The cluster's answer, which this node's own part is in (CL-020).
async fn asked(
    node: &Node,
    bus: &Bus,
    app: &AppId,
    question: ClusterQuestion,
) -> Result<ClusterReply, BusAway> {
    hand_over(node, bus, app);
    bus.ask(app, question).await
}

async fn kept_in_cluster(
    node: &Node,
    bus: &Bus,
    app: &AppId,
    channel: &ChannelName,
) -> Result<Option<LastEvent>, Unanswered> {
    let ClusterReply::Cached(found) = asked(node, bus, app, ClusterQuestion::Cached(channel.clone())).await?
    else {
        return Err(Unanswered);
    };
    Ok(found.map(|(text, milliseconds_left)| {
        let frame = Frame::text(text.len(), |out| out.extend_from_slice(&text));
        LastEvent { frame, milliseconds_left }
    }))
}

fn occupancy_of(ChannelCounts { subscriptions, users }: ChannelCounts) -> Occupancy {
    Occupancy { subscriptions, users }
}

impl From<BusAway> for Unanswered {
    fn from(_: BusAway) -> Self {
        Self
    }
}
