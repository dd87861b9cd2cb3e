//! What is asked of the cluster, read from Redis alone (CL-020, CL-021).
//!
//! Many small questions instead of one that blocks Redis: lists are read in parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::user::OnlineUser;
use redis::{Cmd, Value, cmd};
use tokio::task::JoinSet;

use super::by_node::counts_by_node;
use super::counting::{occupied, online_count};
use super::known_nodes::{KnownNode, nodes, number, text};
use super::links::{BusAway, Links};
use super::scanning::{in_each_partition, scan};
use crate::message::kept;
use crate::partition::{Partition, Topic};

/// Channels whose users are counted at once.
const COUNTED_AT_ONCE: usize = 1000;

/// Users in one part, because a beat may wait behind it (N14).
const ONLINE_AT_ONCE: usize = 250;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterQuestion {
    /// How many subscriptions and users these channels have; answered by [`ClusterReply::Counts`], in the same order.
    Counts(Vec<ChannelName>),
    /// How many subscriptions each node has of these channels; answered by [`ClusterReply::CountsByNode`], in the same order.
    CountsByNode(Vec<ChannelName>),
    /// Which users are on a channel; answered by [`ClusterReply::Users`].
    Users(ChannelName),
    /// Which channels with this prefix have subscriptions; answered by [`ClusterReply::Channels`].
    Channels {
        /// The prefix; an empty one is that of all channels.
        prefix: String,
        /// Whether users are counted, too.
        with_users: bool,
    },
    /// How many channels have subscriptions, and how many users are online; answered by [`ClusterReply::Occupied`].
    Occupied,
    /// How many users are online whose ids begin with `prefix`, as far as `most`; answered by [`ClusterReply::OnlineCount`].
    OnlineCount {
        /// The prefix; an empty one is that of all users.
        prefix: String,
        /// The users that are counted at most.
        most: usize,
    },
    /// Which of these users are online, and since when; answered by [`ClusterReply::Online`], in the same order.
    Online(Vec<UserId>),
    /// The last event of a cache channel; answered by [`ClusterReply::Cached`].
    Cached(ChannelName),
    /// The nodes, whatever the app; answered by [`ClusterReply::Nodes`].
    Nodes,
}

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum ClusterReply {
    /// Of each channel.
    Counts(Vec<ChannelCounts>),
    /// Of each channel, by the name of the node; nodes without subscriptions are left out.
    CountsByNode(Vec<BTreeMap<String, usize>>),
    /// Sorted.
    Users(Vec<UserId>),
    /// By name; hidden channels are left out.
    Channels(BTreeMap<ChannelName, ChannelCounts>),
    /// The number of channels, and of users.
    Occupied(usize, usize),
    /// The count; above `most`, some number above it. `None` if so many other channels are occupied that counting would take too
    /// long.
    OnlineCount(Option<usize>),
    /// Of each user.
    Online(Vec<OnlineUser>),
    /// The text of the message for clients, and how many milliseconds the event lives.
    Cached(Option<(Bytes, u64)>),
    /// By id.
    Nodes(Vec<KnownNode>),
}

/// Numbers of a channel in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Subscriptions.
    pub subscriptions: usize,
    /// Users; 0 where nobody asked.
    pub users: usize,
}

/// Asks; the caller has the bound.
pub(super) async fn ask(
    links: &Links,
    app: &AppId,
    question: ClusterQuestion,
) -> Result<ClusterReply, BusAway> {
    match question {
        ClusterQuestion::Counts(channels) => counts(links, app, channels).await.map(ClusterReply::Counts),
        ClusterQuestion::CountsByNode(channels) => {
            counts_by_node(links, app, &channels).await.map(ClusterReply::CountsByNode)
        }
        ClusterQuestion::Users(channel) => users(links, app, &channel).await.map(ClusterReply::Users),
        ClusterQuestion::Channels { prefix, with_users } => {
            channels(links, app, prefix, with_users).await.map(ClusterReply::Channels)
        }
        ClusterQuestion::Occupied => {
            let (channels, users) = occupied(links, app).await?;
            Ok(ClusterReply::Occupied(channels, users))
        }
        ClusterQuestion::OnlineCount { prefix, most } => {
            online_count(links, app, &prefix, most).await.map(ClusterReply::OnlineCount)
        }
        ClusterQuestion::Online(users) => online(links, app, users).await.map(ClusterReply::Online),
        ClusterQuestion::Cached(channel) => cached(links, app, &channel).await.map(ClusterReply::Cached),
        ClusterQuestion::Nodes => nodes(links).await.map(ClusterReply::Nodes),
    }
}

async fn counts(
    links: &Links,
    app: &AppId,
    channels: Vec<ChannelName>,
) -> Result<Vec<ChannelCounts>, BusAway> {
    let mut by_partition: BTreeMap<Partition, Vec<(usize, &ChannelName)>> = BTreeMap::new();
    for (at, channel) in channels.iter().enumerate() {
        by_partition.entry(links.topic(app, channel).partition).or_default().push((at, channel));
    }
    let mut found = vec![ChannelCounts::default(); channels.len()];
    let mut asked = JoinSet::new();
    for (partition, own) in by_partition {
        let topic = Topic { partition, app: app.clone() };
        let commands = own
            .iter()
            .flat_map(|(_, channel)| [total(links, &topic, channel), users_of(links, &topic, channel)]);
        let (links, commands, places) =
            (links.clone(), commands.collect(), own.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        asked.spawn(async move {
            let values = links.command(partition, Some(topic.app), commands).await?;
            Ok::<_, BusAway>((places, values))
        });
    }
    while let Some(answer) = asked.join_next().await {
        let (places, values) = answer.map_err(|_| BusAway)??;
        for (at, pair) in places.into_iter().zip(values.chunks(2)) {
            let [subscriptions, users] = pair else { return Err(BusAway) };
            if let Some(place) = found.get_mut(at) {
                *place = ChannelCounts { subscriptions: number(subscriptions)?, users: number(users)? };
            }
        }
    }
    Ok(found)
}

/// The users' hidden channels: connections are their subscriptions, and the one member's info says since when.
async fn online(links: &Links, app: &AppId, users: Vec<UserId>) -> Result<Vec<OnlineUser>, BusAway> {
    let mut by_partition: BTreeMap<Partition, Vec<(usize, UserId, ChannelName)>> = BTreeMap::new();
    let mut found = vec![OnlineUser::default(); users.len()];
    for (at, user) in users.into_iter().enumerate() {
        let channel = ChannelName::online(&user);
        by_partition.entry(links.topic(app, &channel).partition).or_default().push((at, user, channel));
    }
    let mut asked = JoinSet::new();
    for (partition, mut own) in by_partition {
        while !own.is_empty() {
            let part: Vec<_> = own.drain(..own.len().min(ONLINE_AT_ONCE)).collect();
            let (links, topic) = (links.clone(), Topic { partition, app: app.clone() });
            asked.spawn(async move { online_part(&links, topic, part).await });
        }
    }
    while let Some(answer) = asked.join_next().await {
        for (at, user) in answer.map_err(|_| BusAway)?? {
            if let Some(place) = found.get_mut(at) {
                *place = user;
            }
        }
    }
    Ok(found)
}

async fn online_part(
    links: &Links,
    topic: Topic,
    part: Vec<(usize, UserId, ChannelName)>,
) -> Result<Vec<(usize, OnlineUser)>, BusAway> {
    let mut totals = cmd("HMGET");
    totals.arg(links.shared.layout.app_key(&topic, "totals"));
    for (_, _, channel) in &part {
        totals.arg(channel.as_str());
    }
    let member = |(_, user, channel): &(usize, UserId, ChannelName)| {
        let mut command = cmd("HGET");
        command.arg(links.shared.layout.channel_key(&topic, "m", channel)).arg(user.as_str());
        command
    };
    let commands = std::iter::once(totals).chain(part.iter().map(member)).collect();
    let values = links.command(topic.partition, Some(topic.app), commands).await?;
    let [Value::Array(totals), members @ ..] = &*values else { return Err(BusAway) };
    let mut found = Vec::with_capacity(part.len());
    for (((at, ..), total), member) in part.iter().zip(totals).zip(members) {
        let user = match member {
            Value::Nil => OnlineUser::default(),
            // A node of an earlier release says neither since when, nor how many.
            member => {
                let member = text(member)?;
                let (nodes, since) = member.split_once(':').ok_or(BusAway)?;
                let nodes = nodes.parse().map_err(|_| BusAway)?;
                OnlineUser { connections: number(total)?.max(nodes), since: since.parse().ok() }
            }
        };
        found.push((*at, user));
    }
    Ok(found)
}

fn total(links: &Links, topic: &Topic, channel: &ChannelName) -> Cmd {
    let mut command = cmd("HGET");
    command.arg(links.shared.layout.app_key(topic, "totals")).arg(channel.as_str());
    command
}

fn users_of(links: &Links, topic: &Topic, channel: &ChannelName) -> Cmd {
    let mut command = cmd("HLEN");
    command.arg(links.shared.layout.channel_key(topic, "m", channel));
    command
}

async fn users(links: &Links, app: &AppId, channel: &ChannelName) -> Result<Vec<UserId>, BusAway> {
    let topic = links.topic(app, channel);
    let key = links.shared.layout.channel_key(&topic, "m", channel);
    let pairs = scan(links, &topic, &key).await?;
    let mut users: Vec<UserId> = pairs.iter().map(|(user, _)| UserId::from(user.as_str())).collect();
    users.sort_unstable();
    // A scan may give an element twice.
    users.dedup();
    Ok(users)
}

async fn channels(
    links: &Links,
    app: &AppId,
    prefix: String,
    with_users: bool,
) -> Result<BTreeMap<ChannelName, ChannelCounts>, BusAway> {
    let found = in_each_partition(links, app, move |links, topic| {
        let prefix = prefix.clone();
        async move { channels_of(&links, &topic, &prefix, with_users).await }
    });
    Ok(found.await?.into_iter().flatten().collect())
}

async fn channels_of(
    links: &Links,
    topic: &Topic,
    prefix: &str,
    with_users: bool,
) -> Result<BTreeMap<ChannelName, ChannelCounts>, BusAway> {
    let key = links.shared.layout.app_key(topic, "totals");
    let mut found = BTreeMap::new();
    for (name, total) in scan(links, topic, &key).await? {
        if name.starts_with(prefix) && !name.starts_with('#') {
            let subscriptions = total.parse().map_err(|_| BusAway)?;
            found.insert(ChannelName::trusted(&name), ChannelCounts { subscriptions, users: 0 });
        }
    }
    if with_users {
        let rostered: Vec<ChannelName> = found.keys().filter(|name| name.has_roster()).cloned().collect();
        for part in rostered.chunks(COUNTED_AT_ONCE) {
            let commands = part.iter().map(|channel| users_of(links, topic, channel)).collect();
            let values = links.command(topic.partition, None, commands).await?;
            for (channel, value) in part.iter().zip(&values) {
                if let Some(counts) = found.get_mut(channel) {
                    counts.users = number(value)?;
                }
            }
        }
    }
    Ok(found)
}

async fn cached(links: &Links, app: &AppId, channel: &ChannelName) -> Result<Option<(Bytes, u64)>, BusAway> {
    let topic = links.topic(app, channel);
    let key = links.shared.layout.channel_key(&topic, "cache", channel);
    let (mut event, mut lives) = (cmd("GET"), cmd("PTTL"));
    event.arg(&key);
    lives.arg(&key);
    let values = links.command(topic.partition, Some(topic.app.clone()), vec![event, lives]).await?;
    match &*values {
        [Value::Nil, _] => Ok(None),
        [Value::BulkString(bytes), Value::Int(lives)] => {
            // Between both commands the event may have ended.
            let lives = u64::try_from(*lives).ok().filter(|lives| *lives > 0);
            let event = kept(bytes).ok().map(|(_, event)| Bytes::copy_from_slice(event.text));
            Ok(event.zip(lives))
        }
        _ => Err(BusAway),
    }
}
