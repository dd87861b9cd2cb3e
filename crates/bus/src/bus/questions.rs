//! What is asked of the cluster, read from Redis alone (CL-020, CL-021).
//!
//! Many small questions instead of one that blocks Redis: lists are read in parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};
use redis::{Cmd, Value, cmd};
use tokio::task::JoinSet;

use super::{Bus, BusAway};
use crate::link::NodeReport;
use crate::message::kept;
use crate::partition::{Partition, Topic};

/// Channels, or users, in one part.
const PART: usize = 1000;

/// Channels whose users are counted at once.
const COUNTED_AT_ONCE: usize = 1000;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How many subscriptions and users these channels have; answered by [`Reply::Counts`], in the same order.
    Counts(Vec<ChannelName>),
    /// Which users are on a channel; answered by [`Reply::Users`].
    Users(ChannelName),
    /// Which channels with this prefix have subscriptions; answered by [`Reply::Channels`].
    Channels {
        /// The prefix; an empty one is that of all channels.
        prefix: String,
        /// Whether users are counted, too.
        with_users: bool,
    },
    /// The last event of a cache channel; answered by [`Reply::Cached`].
    Cached(ChannelName),
    /// The nodes, whatever the app; answered by [`Reply::Nodes`].
    Nodes,
}

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Of each channel.
    Counts(Vec<ChannelCounts>),
    /// Sorted.
    Users(Vec<UserId>),
    /// By name; hidden channels are left out.
    Channels(BTreeMap<ChannelName, ChannelCounts>),
    /// The text of the message for clients.
    Cached(Option<Bytes>),
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

/// A node that has a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownNode {
    /// The node's id.
    pub id: String,
    /// What the node has said of itself; `None` if nothing that can be read.
    pub says: Option<NodeReport>,
    /// How long its lease lasts, in milliseconds; each beat makes that five seconds.
    pub lease_left: i64,
}

/// Asks; the caller has the bound.
pub(super) async fn ask(bus: &Bus, app: &AppId, question: Question) -> Result<Reply, BusAway> {
    match question {
        Question::Counts(channels) => counts(bus, app, channels).await.map(Reply::Counts),
        Question::Users(channel) => users(bus, app, &channel).await.map(Reply::Users),
        Question::Channels { prefix, with_users } => {
            channels(bus, app, prefix, with_users).await.map(Reply::Channels)
        }
        Question::Cached(channel) => cached(bus, app, &channel).await.map(Reply::Cached),
        Question::Nodes => nodes(bus).await.map(Reply::Nodes),
    }
}

async fn counts(bus: &Bus, app: &AppId, channels: Vec<ChannelName>) -> Result<Vec<ChannelCounts>, BusAway> {
    let mut by_partition: BTreeMap<Partition, Vec<(usize, &ChannelName)>> = BTreeMap::new();
    for (at, channel) in channels.iter().enumerate() {
        by_partition.entry(bus.topic(app, channel).partition).or_default().push((at, channel));
    }
    let mut found = vec![ChannelCounts::default(); channels.len()];
    let mut asked = JoinSet::new();
    for (partition, own) in by_partition {
        let topic = Topic { partition, app: app.clone() };
        let commands =
            own.iter().flat_map(|(_, channel)| [total(bus, &topic, channel), users_of(bus, &topic, channel)]);
        let (bus, commands, places) =
            (bus.clone(), commands.collect(), own.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        asked.spawn(async move {
            let values = bus.command(partition, Some(topic.app), commands).await?;
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

fn total(bus: &Bus, topic: &Topic, channel: &ChannelName) -> Cmd {
    let mut command = cmd("HGET");
    command.arg(bus.shared.layout.app_key(topic, "totals")).arg(channel.as_str());
    command
}

fn users_of(bus: &Bus, topic: &Topic, channel: &ChannelName) -> Cmd {
    let mut command = cmd("HLEN");
    command.arg(bus.shared.layout.channel_key(topic, "m", channel));
    command
}

async fn users(bus: &Bus, app: &AppId, channel: &ChannelName) -> Result<Vec<UserId>, BusAway> {
    let topic = bus.topic(app, channel);
    let key = bus.shared.layout.channel_key(&topic, "m", channel);
    let pairs = scan(bus, &topic, &key).await?;
    let mut users: Vec<UserId> = pairs.iter().map(|(user, _)| UserId::from(user.as_str())).collect();
    users.sort_unstable();
    // A scan may give an element twice.
    users.dedup();
    Ok(users)
}

async fn channels(
    bus: &Bus,
    app: &AppId,
    prefix: String,
    with_users: bool,
) -> Result<BTreeMap<ChannelName, ChannelCounts>, BusAway> {
    let mut asked = JoinSet::new();
    for partition in 0..bus.shared.layout.partitions() {
        let (bus, topic, prefix) = (bus.clone(), Topic { partition, app: app.clone() }, prefix.clone());
        asked.spawn(async move { channels_of(&bus, &topic, &prefix, with_users).await });
    }
    let mut found = BTreeMap::new();
    while let Some(part) = asked.join_next().await {
        found.extend(part.map_err(|_| BusAway)??);
    }
    Ok(found)
}

async fn channels_of(
    bus: &Bus,
    topic: &Topic,
    prefix: &str,
    with_users: bool,
) -> Result<BTreeMap<ChannelName, ChannelCounts>, BusAway> {
    let key = bus.shared.layout.app_key(topic, "totals");
    let mut found = BTreeMap::new();
    for (name, total) in scan(bus, topic, &key).await? {
        if name.starts_with(prefix) && !name.starts_with('#') {
            let subscriptions = total.parse().map_err(|_| BusAway)?;
            found.insert(ChannelName::trusted(&name), ChannelCounts { subscriptions, users: 0 });
        }
    }
    if with_users {
        let rostered: Vec<ChannelName> = found.keys().filter(|name| name.has_roster()).cloned().collect();
        for part in rostered.chunks(COUNTED_AT_ONCE) {
            let commands = part.iter().map(|channel| users_of(bus, topic, channel)).collect();
            let values = bus.command(topic.partition, None, commands).await?;
            for (channel, value) in part.iter().zip(&values) {
                if let Some(counts) = found.get_mut(channel) {
                    counts.users = number(value)?;
                }
            }
        }
    }
    Ok(found)
}

/// All fields of a hash, in parts; what this node has of the app goes before.
async fn scan(bus: &Bus, topic: &Topic, key: &str) -> Result<Vec<(String, String)>, BusAway> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    let mut behind = Some(topic.app.clone());
    loop {
        let mut command = cmd("HSCAN");
        command.arg(key).arg(&cursor).arg("COUNT").arg(PART);
        let values = bus.command(topic.partition, behind.take(), vec![command]).await?;
        let [Value::Array(parts)] = &*values else { return Err(BusAway) };
        let [next, Value::Array(pairs)] = &**parts else { return Err(BusAway) };
        cursor = text(next)?;
        for pair in pairs.chunks_exact(2) {
            let [field, value] = pair else { return Err(BusAway) };
            found.push((text(field)?, text(value)?));
        }
        if cursor == "0" {
            return Ok(found);
        }
    }
}

async fn cached(bus: &Bus, app: &AppId, channel: &ChannelName) -> Result<Option<Bytes>, BusAway> {
    let topic = bus.topic(app, channel);
    let mut command = cmd("GET");
    command.arg(bus.shared.layout.channel_key(&topic, "cache", channel));
    let values = bus.command(topic.partition, Some(topic.app.clone()), vec![command]).await?;
    match &*values {
        [Value::Nil] => Ok(None),
        [Value::BulkString(bytes)] => {
            Ok(kept(bytes).ok().map(|(_, event)| Bytes::copy_from_slice(event.text)))
        }
        _ => Err(BusAway),
    }
}

async fn nodes(bus: &Bus) -> Result<Vec<KnownNode>, BusAway> {
    let layout = &bus.shared.layout;
    let (mut reports, mut live, time) = (cmd("HGETALL"), cmd("ZRANGE"), cmd("TIME"));
    reports.arg(layout.key(0, "nodes"));
    live.arg(layout.key(0, "live")).arg(0).arg(-1).arg("WITHSCORES");
    let values = bus.command(0, None, vec![reports, live, time]).await?;
    let [Value::Array(reports), Value::Array(live), Value::Array(time)] = &*values else {
        return Err(BusAway);
    };
    let now = match &**time {
        [seconds, micros] => number(seconds)? as i64 * 1000 + number(micros)? as i64 / 1000,
        _ => return Err(BusAway),
    };
    let mut says = BTreeMap::new();
    for pair in reports.chunks_exact(2) {
        let [id, report] = pair else { return Err(BusAway) };
        says.insert(text(id)?, serde_json::from_str(&text(report)?).ok());
    }
    let mut nodes = Vec::new();
    for pair in live.chunks_exact(2) {
        let [id, end] = pair else { return Err(BusAway) };
        let (id, end): (String, f64) = (text(id)?, text(end)?.parse().map_err(|_| BusAway)?);
        let says = says.remove(&id).flatten();
        nodes.push(KnownNode { id, says, lease_left: end as i64 - now });
    }
    nodes.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(nodes)
}

fn text(value: &Value) -> Result<String, BusAway> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).map_err(|_| BusAway),
        Value::SimpleString(text) => Ok(text.clone()),
        Value::Int(number) => Ok(number.to_string()),
        _ => Err(BusAway),
    }
}

/// A number; nothing is 0.
fn number(value: &Value) -> Result<usize, BusAway> {
    match value {
        Value::Nil => Ok(0),
        value => text(value)?.parse().map_err(|_| BusAway),
    }
}
