//! What everybody is told, compared with the truth: the open connections and their subscriptions, which the run keeps
//! itself (CL-013, CL-020, CL-041, CL-051).
//!
//! Only looks, and only while clients rest.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::http::BackEnd;
use crate::ledger::Subscriber;
use crate::told::Told;
use crate::view::{SignIn, View};
use crate::websocket::{Message, Reader, connect};
use crate::world::{CACHED, Shared, World};

/// The truth by the list of open connections.
struct Truth {
    /// Users of each presence channel.
    members: BTreeMap<String, BTreeSet<String>>,
    /// Connections of each channel.
    counts: BTreeMap<String, u64>,
    /// Users with a connection that is signed in.
    online: BTreeSet<String>,
}

impl Truth {
    fn of(world: &World) -> Self {
        let mut truth = Self { members: BTreeMap::new(), counts: BTreeMap::new(), online: BTreeSet::new() };
        for (user, view) in connections(world) {
            if view.sign_in == SignIn::Done {
                truth.online.insert(user.to_owned());
            }
            for (name, _) in view.channels() {
                *truth.counts.entry(name.to_owned()).or_default() += 1;
                if name.starts_with("presence-") {
                    truth.members.entry(name.to_owned()).or_default().insert(user.to_owned());
                }
            }
        }
        truth
    }

    /// Channels that back ends know of.
    fn public(&self) -> impl Iterator<Item = (&String, u64)> {
        self.counts.iter().filter(|(name, _)| !name.starts_with('#')).map(|(name, count)| (name, *count))
    }
}

fn connections(world: &World) -> impl Iterator<Item = (&str, &View)> {
    world.seats.iter().filter_map(|seat| Some((seat.user.as_str(), seat.view.as_ref()?)))
}

/// Checks that every client is connected, has its answers, and sees the truth.
///
/// # Errors
/// In words: the first client that does not, what that client saw, and what is true.
pub(crate) fn clients(world: &World) -> Result<(), String> {
    if world.publishing > 0 {
        return Err(format!("{} publishers have no answer", world.publishing));
    }
    for number in 0..world.seats.len() {
        match &world.seats[number].view {
            None => return Err(format!("client {number} is not connected")),
            Some(view) if !view.is_settled() => {
                let waits: Vec<&str> = view
                    .channels()
                    .filter(|(_, channel)| channel.acknowledged.is_none())
                    .map(|(name, _)| name)
                    .collect();
                let name = world.name_of(number);
                return Err(format!(
                    "{name} has no answer to all that it asked; not acknowledged: {waits:?}"
                ));
            }
            Some(_) => {}
        }
    }
    let truth = Truth::of(world);
    for (number, seat) in world.seats.iter().enumerate() {
        if let Some(why) = seat.view.as_ref().and_then(|view| difference(view, &truth)) {
            return Err(format!("{}: {why}", world.name_of(number)));
        }
    }
    Ok(())
}

/// What a client sees that is not so.
fn difference(view: &View, truth: &Truth) -> Option<String> {
    for (name, channel) in view.channels() {
        if let Some(members) = truth.members.get(name)
            && *members != channel.members
        {
            return Some(format!("{name}: {}", sets(&channel.members, members)));
        }
        let has_count = !name.starts_with('#') && !name.starts_with("presence-");
        let count = truth.counts.get(name).copied();
        if has_count && channel.count != count {
            return Some(format!("{name}: was told a count of {:?}, and {count:?} is true", channel.count));
        }
    }
    view.watched.iter().find_map(|(user, seen)| {
        let is_online = truth.online.contains(user);
        let word = |online| if online { "online" } else { "offline" };
        (*seen != Some(is_online)).then(|| {
            format!("its watchlist says that {user} is {:?}, and {} is true", seen.map(word), word(is_online))
        })
    })
}

fn sets(seen: &BTreeSet<String>, truth: &BTreeSet<String>) -> String {
    let extra: Vec<&String> = seen.difference(truth).collect();
    let missing: Vec<&String> = truth.difference(seen).collect();
    format!(
        "sees {} users, and {} are there; too many: {extra:?}, missing: {missing:?}",
        seen.len(),
        truth.len()
    )
}

/// Checks that no subscriber lacks an event that was accepted; to be called once everything has settled.
///
/// # Errors
/// In words: which client lacks which event.
pub(crate) fn events(world: &mut World) -> Result<(), String> {
    let World { seats, ledger, .. } = world;

    for (number, seat) in seats.iter_mut().enumerate() {
        let Some(view) = &mut seat.view else { continue };
        for (name, channel) in view.channels_mut() {
            let Some(acknowledged) = channel.acknowledged else { continue };
            let subscriber = Subscriber { client: number as u32, node: seat.node, acknowledged };
            let complete = ledger.is_complete(name, subscriber, &mut channel.last);
            complete
                .map_err(|why| format!("client {number} (user {}, node {}): {why}", seat.user, seat.node))?;
        }
    }
    Ok(())
}

/// Checks what webhooks have told.
///
/// # Errors
/// In words: who is told to be there and is not, or the other way round.
pub(crate) fn webhooks(world: &World) -> Result<(), String> {
    let truth = Truth::of(world);
    let mut wanted: BTreeSet<Told> = truth.public().map(|(name, _)| (name.clone(), None)).collect();
    for (channel, users) in &truth.members {
        wanted.extend(users.iter().map(|user| (channel.clone(), Some(user.clone()))));
    }
    let told = &world.told.present;
    if *told == wanted {
        return Ok(());
    }
    let few = |one: &BTreeSet<Told>, other: &BTreeSet<Told>| -> Vec<Told> {
        one.difference(other).take(5).cloned().collect()
    };
    Err(format!(
        "webhooks told of {} channels and members, and {} are there; too many: {:?}, missing: {:?}",
        told.len(),
        wanted.len(),
        few(told, &wanted),
        few(&wanted, told)
    ))
}

/// Checks what a node answers to back ends.
///
/// # Errors
/// In words: the question, the answer and the truth.
pub(crate) async fn queries(world: &Shared, node: usize) -> Result<(), String> {
    let (place, truth) = {
        let world = world.borrow();
        (world.nodes[node].back_ends, Truth::of(&world))
    };
    let mut back_end = BackEnd::of(place);
    let all = answer(&mut back_end, node, "/channels", &[("info", "subscription_count")]).await?;
    let counts = numbers(&all, "subscription_count");
    let wanted: BTreeMap<String, u64> = truth.public().map(|(name, count)| (name.clone(), count)).collect();
    // Hosted Pusher counts the subscriptions of presence channels only when asked for a single channel.
    let is_told = |name: &String| counts.get(name).is_some_and(Option::is_some);
    let told: BTreeMap<String, u64> = wanted.into_iter().filter(|(name, _)| is_told(name)).collect();
    let counted: BTreeMap<String, u64> =
        counts.iter().filter_map(|(name, count)| Some((name.clone(), (*count)?))).collect();
    let names: BTreeSet<String> = counts.keys().cloned().collect();
    let wanted_names: BTreeSet<String> = truth.public().map(|(name, _)| name.clone()).collect();
    if names != wanted_names {
        return Err(format!("node {node}, GET /channels: {}", sets(&names, &wanted_names)));
    }
    if counted != told {
        let wrong = counted.iter().find(|(name, count)| told.get(*name) != Some(count));
        return Err(format!("node {node}, GET /channels: counts {wrong:?}, and {told:?} are true"));
    }
    let query = [("filter_by_prefix", "presence-"), ("info", "user_count")];
    let presence = numbers(&answer(&mut back_end, node, "/channels", &query).await?, "user_count");
    for (channel, users) in &truth.members {
        let count = presence.get(channel).copied().flatten();
        if count != Some(users.len() as u64) {
            return Err(format!(
                "node {node}, user_count of {channel} is {count:?}, and {} are there",
                users.len()
            ));
        }
        let listed = answer(&mut back_end, node, &format!("/channels/{channel}/users"), &[]).await?;
        let listed = listed["users"].as_array().into_iter().flatten();
        let listed: BTreeSet<String> =
            listed.filter_map(|user| Some(user["id"].as_str()?.to_owned())).collect();
        if listed != *users {
            return Err(format!("node {node}, GET /channels/{channel}/users: {}", sets(&listed, users)));
        }
    }
    Ok(())
}

async fn answer(
    back_end: &mut BackEnd,
    node: usize,
    path: &str,
    query: &[(&str, &str)],
) -> Result<Value, String> {
    match back_end.get(path, query).await {
        Ok((200, answer)) => Ok(answer),
        Ok((status, answer)) => Err(format!("node {node} answers {status} to GET {path}: {answer}")),
        Err(error) => Err(format!("node {node} does not answer to GET {path}: {error}")),
    }
}

fn numbers(answer: &Value, attribute: &str) -> BTreeMap<String, Option<u64>> {
    let channels = answer["channels"].as_object().into_iter().flatten();
    channels.map(|(name, about)| (name.clone(), about[attribute].as_u64())).collect()
}

/// Checks that a newcomer on a node gets the last event of each cache channel; public ones alone, without a signature.
///
/// # Errors
/// In words: what a newcomer got, and what was published last.
pub(crate) async fn cached(world: &Shared, node: usize) -> Result<(), String> {
    let place = world.borrow().nodes[node].clients;
    for channel in CACHED.into_iter().filter(|channel| !channel.starts_with("private-")) {
        let newest = world.borrow().ledger.newest(channel);
        let Some(newest) = newest else { continue };
        let got = timeout(Duration::from_secs(5), first_event(place, channel)).await;
        let got = got.map_err(|_| format!("node {node} sends a newcomer nothing on {channel}"))?;
        let got = got.map_err(|error| format!("node {node}, a newcomer on {channel}: {error}"))?;
        if !world.borrow().ledger.may_be_last(channel, got) {
            let last = format!("{}/{}", newest.0, newest.1);
            return Err(format!("node {node} gives a newcomer {got:?} on {channel}, and {last} came last"));
        }
    }
    Ok(())
}

/// The event that a new subscriber gets; `None` for a cache miss.
async fn first_event(node: std::net::SocketAddr, channel: &str) -> io::Result<Option<(u32, u32)>> {
    let (mut reader, mut writer) = connect(node).await?;
    let ask = serde_json::json!({"event": "pusher:subscribe", "data": {"channel": channel}});
    writer.text(&ask.to_string()).await?;
    let found = loop {
        let message = next_text(&mut reader).await?;
        match message["event"].as_str().unwrap_or_default() {
            "pusher:cache_miss" => break None,
            "e" => {
                let data: Value = serde_json::from_str(message["data"].as_str().unwrap_or_default())?;
                let number = |name: &str| data[name].as_u64().and_then(|number| u32::try_from(number).ok());
                break number("s").zip(number("n"));
            }
            _ => {}
        }
    };
    writer.close().await?;
    // The node has taken note when it says goodbye as well.
    while !matches!(reader.next().await, Ok(Message::Close(_)) | Err(_)) {}
    Ok(found)
}

async fn next_text(reader: &mut Reader) -> io::Result<Value> {
    loop {
        match reader.next().await? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(code) => return Err(io::Error::other(format!("closed with {code:?}"))),
            Message::Ping(_) | Message::Other => {}
        }
    }
}
