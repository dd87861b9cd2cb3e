//! What one connection is told, checked message by message against what must hold always: an acknowledgement before
//! every event, no user added twice, no event twice or out of order (CL-001, CL-002, CL-012, WS-125).
//!
//! Knows no other connection: whether the view is the truth is for `compare`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

/// One connection's channels and watched users.
pub(crate) struct View {
    user: String,
    channels: BTreeMap<String, Channel>,
    /// Channels that were left, and the ping behind that; with its answer the server is done with them.
    leaving: BTreeMap<String, u64>,
    pings: u64,
    pongs: u64,
    /// Watched users, and whether they are said to be online; not said yet: `None`.
    pub(crate) watched: BTreeMap<String, Option<bool>>,
    pub(crate) sign_in: SignIn,
    /// The token by which the next connection resumes, if this one was offered one.
    token: Option<String>,
    /// What each resumed channel was told: whether all is there that was missed. Taken by whoever judges.
    pub(crate) resumed: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    Not,
    Asked,
    Done,
}

/// Where a channel was when its connection ended (RES-003).
#[derive(Clone)]
pub(crate) struct Position {
    /// The token of the connection in which the channel was acknowledged, and the messages since then.
    pub(crate) token: String,
    pub(crate) count: u64,
    last: BTreeMap<u32, u32>,
    acknowledged: Instant,
}

/// A channel that the connection has asked for.
#[derive(Default)]
pub(crate) struct Channel {
    /// Messages since the acknowledgement, but `fanfare:resumed` (RES-010).
    heard: u64,
    /// Where the channel was on the last connection, until `fanfare:resumed`.
    position: Option<Position>,
    /// When the acknowledgement came.
    pub(crate) acknowledged: Option<Instant>,
    /// The users of a presence channel.
    pub(crate) members: BTreeSet<String>,
    /// The last `subscription_count`.
    pub(crate) count: Option<u64>,
    /// The last number of each stream of events.
    pub(crate) last: BTreeMap<u32, u32>,
}

/// An event that came, for the comparison with what was published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) channel: String,
    pub(crate) stream: u32,
    pub(crate) number: u32,
    /// The number before, of the same stream on the same channel.
    pub(crate) after: Option<u32>,
    pub(crate) acknowledged: Instant,
}

impl View {
    pub(crate) fn of(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            channels: BTreeMap::new(),
            leaving: BTreeMap::new(),
            pings: 0,
            pongs: 0,
            watched: BTreeMap::new(),
            sign_in: SignIn::Not,
            token: None,
            resumed: Vec::new(),
        }
    }

    /// Channels that were asked for and not left.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (&str, &Channel)> {
        self.channels.iter().map(|(name, channel)| (name.as_str(), channel))
    }

    pub(crate) fn channels_mut(&mut self) -> impl Iterator<Item = (&str, &mut Channel)> {
        self.channels.iter_mut().map(|(name, channel)| (name.as_str(), channel))
    }

    /// Whether every question has its answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.channels.values().all(|channel| channel.acknowledged.is_some() && channel.position.is_none())
            && self.leaving.is_empty()
            && self.sign_in != SignIn::Asked
            && self.watched.values().all(Option::is_some)
    }

    /// Whether a channel may be asked for: neither subscribed to, nor left a moment ago.
    pub(crate) fn may_join(&self, channel: &str) -> bool {
        !self.channels.contains_key(channel) && !self.leaving.contains_key(channel)
    }

    pub(crate) fn asked(&mut self, channel: &str) {
        self.channels.insert(channel.to_owned(), Channel::default());
    }

    /// The channel was asked for with where it was on the last connection.
    pub(crate) fn asked_to_resume(&mut self, channel: &str, position: Position) {
        let asked = Channel { position: Some(position), ..Channel::default() };
        self.channels.insert(channel.to_owned(), asked);
    }

    /// Whether the server has just offered that the next connection resumes.
    pub(crate) fn is_offered(text: &str) -> bool {
        text.contains(r#""event":"pusher_internal:resume""#)
    }

    /// Where all channels are, for the next connection. Cache channels and those of users begin anew: what comes there once
    /// more is not told apart from a repetition.
    pub(crate) fn positions(self) -> BTreeMap<String, Position> {
        let Some(token) = self.token else { return BTreeMap::new() };
        let channels =
            self.channels.into_iter().filter(|(name, _)| !name.contains("cache-") && !name.starts_with('#'));
        let positions = channels.filter_map(|(name, channel)| {
            let Channel { heard: count, last, acknowledged, position, .. } = channel;
            let here =
                acknowledged.map(|acknowledged| Position { token: token.clone(), count, last, acknowledged });
            Some((name, here.or(position)?))
        });
        positions.collect()
    }

    /// The channel was left, and a ping sent behind that.
    pub(crate) fn left(&mut self, channel: &str) {
        self.channels.remove(channel);
        self.pings += 1;
        self.leaving.insert(channel.to_owned(), self.pings);
    }

    /// Takes a message of the server.
    ///
    /// # Errors
    /// In words: what the server should not have said.
    pub(crate) fn hear(&mut self, text: &str) -> Result<Option<Arrival>, String> {
        let message: Value = serde_json::from_str(text).map_err(|_| format!("no JSON: {text}"))?;
        let data = match &message["data"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        let event = message["event"].as_str().unwrap_or_default();
        match message["channel"].as_str() {
            Some(channel) => {
                self.on_channel(channel, event, &data).map_err(|why| format!("{channel}: {why}"))
            }
            None => self.without_channel(event, &data, text).map(|()| None),
        }
    }

    fn without_channel(&mut self, event: &str, data: &Value, text: &str) -> Result<(), String> {
        match event {
            "pusher:pong" => {
                self.pongs += 1;
                self.leaving.retain(|_, ping| *ping > self.pongs);
            }
            "pusher_internal:resume" => self.token = data["token"].as_str().map(str::to_owned),
            "pusher:signin_success" if self.sign_in == SignIn::Asked => self.sign_in = SignIn::Done,
            "pusher_internal:watchlist_events" => {
                for change in data["events"].as_array().into_iter().flatten() {
                    let is_online = change["name"] == "online";
                    for user in texts(&change["user_ids"]) {
                        self.online(&user, is_online)?;
                    }
                }
            }
            _ => return Err(format!("unexpected: {text}")),
        }
        Ok(())
    }

    /// Online and offline of a watched user alternate (CL-051).
    fn online(&mut self, user: &str, is_online: bool) -> Result<(), String> {
        let Some(known) = self.watched.get_mut(user) else {
            return Err(format!("the watchlist tells of {user}, whom nobody watches here"));
        };
        let word = if is_online { "online" } else { "offline" };
        if *known == Some(is_online) {
            return Err(format!("the watchlist says twice that {user} is {word}"));
        }
        *known = Some(is_online);
        Ok(())
    }

    fn on_channel(&mut self, name: &str, event: &str, data: &Value) -> Result<Option<Arrival>, String> {
        let Some(channel) = self.channels.get_mut(name) else {
            return match self.leaving.contains_key(name) {
                true => Ok(None),
                false => Err(format!("{event} without a subscription")),
            };
        };
        if event == "pusher_internal:subscription_succeeded" {
            return channel.acknowledge(name, &self.user, data).map(|()| None);
        }
        if event == "fanfare:resumed" {
            let is_complete = channel.resume(data)?;
            self.resumed.push(is_complete);
            return Ok(None);
        }
        let Some(acknowledged) = channel.acknowledged else {
            return match self.leaving.contains_key(name) {
                true => Ok(None),
                false => Err(format!("{event} before the acknowledgement")),
            };
        };
        channel.heard += 1;
        match event {
            "pusher_internal:member_added" => channel.added(&self.user, data).map(|()| None),
            "pusher_internal:member_removed" => channel.removed(&self.user, data).map(|()| None),
            "pusher_internal:subscription_count" => {
                channel.count = data["subscription_count"].as_u64();
                Ok(None)
            }
            "pusher:cache_miss" => Ok(None),
            _ => {
                let number = |name: &str| data[name].as_u64().and_then(|number| u32::try_from(number).ok());
                let (Some(stream), Some(number)) = (number("s"), number("n")) else {
                    return Err(format!("an event that nobody published: {event} {data}"));
                };
                let after = channel.last.insert(stream, number);
                match after {
                    Some(last) if last == number => Err(format!("event {stream}/{number} came twice")),
                    Some(last) if last > number => {
                        Err(format!("event {stream}/{number} came after {stream}/{last}"))
                    }
                    after => {
                        let channel = name.to_owned();
                        Ok(Some(Arrival { channel, stream, number, after, acknowledged }))
                    }
                }
            }
        }
    }
}

impl Channel {
    fn acknowledge(&mut self, name: &str, user: &str, data: &Value) -> Result<(), String> {
        if self.acknowledged.is_some() {
            return Err("a second acknowledgement".to_owned());
        }
        if name.starts_with("presence-") {
            let presence = &data["presence"];
            let listed = texts(&presence["ids"]);
            self.members = listed.iter().cloned().collect();
            let hash = presence["hash"].as_object().map_or(0, serde_json::Map::len);
            let counts = [listed.len(), hash, presence["count"].as_u64().unwrap_or_default() as usize];
            if counts.iter().any(|count| *count != self.members.len()) {
                return Err(format!("ids, hash and count of the list disagree: {presence}"));
            }
            if !self.members.contains(user) {
                return Err(format!("the list {:?} lacks the subscriber's own user {user}", self.members));
            }
        }
        self.acknowledged = Some(Instant::now());
        if let Some(position) = &self.position {
            // What comes now goes on where the last connection ended.
            (self.acknowledged, self.last) = (Some(position.acknowledged), position.last.clone());
        }
        Ok(())
    }

    /// Takes `fanfare:resumed`: all that was missed has been replayed, or nothing and the channel begins anew (RES-006).
    fn resume(&mut self, data: &Value) -> Result<bool, String> {
        if self.acknowledged.is_none() || self.position.take().is_none() {
            return Err(format!("fanfare:resumed {data} without a question"));
        }
        let is_complete = data["complete"] == true;
        // Nothing but what is replayed comes between the acknowledgement and this.
        if data["replayed"].as_u64() != Some(self.heard) {
            return Err(format!("fanfare:resumed {data}, and {} messages were replayed", self.heard));
        }
        if !is_complete {
            self.last.clear();
            self.acknowledged = Some(Instant::now());
        }
        Ok(is_complete)
    }

    fn added(&mut self, own: &str, data: &Value) -> Result<(), String> {
        let user = data["user_id"].as_str().unwrap_or_default();
        if user == own {
            return Err(format!("member_added of the own user {user}"));
        }
        match self.members.insert(user.to_owned()) {
            true => Ok(()),
            false => Err(format!("member_added of {user}, who is there already")),
        }
    }

    fn removed(&mut self, own: &str, data: &Value) -> Result<(), String> {
        let user = data["user_id"].as_str().unwrap_or_default();
        if user == own {
            return Err(format!("member_removed of the own user {user}, who is connected here"));
        }
        match self.members.remove(user) {
            true => Ok(()),
            false => Err(format!("member_removed of {user}, who is not there")),
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
