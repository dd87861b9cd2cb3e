//! Follows what one connection received, and says whether a client could have believed it.
//!
//! Knows nothing of other connections, but for published events and their excluded connections.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use serde_json::{Value, json};

use crate::script::{CHANNELS, Entry, Published, Trace, has_counts, is_cached, is_presence};

/// The connection that each published event was not sent to.
pub type Exclusions = HashMap<Published, Option<SocketId>>;

/// The state when nothing goes on.
#[derive(Debug, Default)]
pub struct Truth {
    /// Subscriptions to each channel.
    pub counts: [u64; CHANNELS.len()],
    /// Users on each presence channel.
    pub members: [BTreeSet<String>; CHANNELS.len()],
    /// Users who are signed in.
    pub online: BTreeSet<String>,
}

/// What all connections together have received.
#[derive(Debug, Default)]
pub struct Sums {
    /// Number of connections that took each event at its publication.
    pub took: HashMap<Published, usize>,
    /// For each channel and count: how often a newcomer raised the count to it, less how often so many lost one.
    pub steps: BTreeMap<(usize, u64), i64>,
}

/// One subscription as its subscriber knows it.
#[derive(Default)]
struct Listening {
    /// The last event of each publisher.
    last: HashMap<usize, Published>,
    members: BTreeSet<String>,
    count: Option<u64>,
    /// Frames received of the subscription.
    frames: usize,
}

/// The watchlist as its watcher knows it.
#[derive(Default)]
struct Watching {
    watchlist: BTreeSet<String>,
    online: BTreeSet<String>,
    knows_state: bool,
}

struct Follower<'a> {
    socket: SocketId,
    exclusions: &'a Exclusions,
    truth: &'a Truth,
    sums: &'a mut Sums,
    channels: [Option<Listening>; CHANNELS.len()],
    watching: Watching,
    /// The newest own events of each channel that the connection must receive.
    owed: HashMap<usize, Published>,
}

/// Follows a connection to its end; panics at whatever is wrong.
pub fn follow(trace: &Trace, exclusions: &Exclusions, truth: &Truth, sums: &mut Sums) {
    let mut follower = Follower {
        socket: trace.socket,
        exclusions,
        truth,
        sums,
        channels: Default::default(),
        watching: Watching::default(),
        owed: HashMap::new(),
    };
    for entry in &trace.entries {
        match entry {
            Entry::Frame(frame) => follower.see(&parsed(frame)),
            Entry::Left(channel) => follower.left(*channel),
            Entry::Joined(channel) => follower.joined(*channel, BTreeSet::new()),
            Entry::Owed(event) => {
                follower.owed.insert(event.channel, *event);
            }
            Entry::Quiet => follower.compare_with_truth(),
        }
    }
    for channel in 0..CHANNELS.len() {
        if follower.channels[channel].is_some() {
            follower.left(channel);
        }
    }
    assert!(follower.owed.is_empty(), "own events of channels that it was not on: {:?}", follower.owed);
}

/// A frame as a client reads it, the data of all but published events parsed as well; lists without order
/// are sorted.
pub fn parsed(frame: &Frame) -> Value {
    if let Some(event) = frame.payload().strip_prefix(b"42") {
        return as_of_pusher(event);
    }
    let mut value: Value = serde_json::from_slice(frame.payload()).expect("JSON");
    if value["event"] != "e" {
        value["data"] = serde_json::from_str(text(&value["data"])).expect("JSON");
    }
    if let Some(Value::Array(ids)) = value.pointer_mut("/data/presence/ids") {
        ids.sort_by(|one, other| text(one).cmp(text(other)));
    }
    value
}

/// An event of Socket.IO, as Pusher's clients read it.
fn as_of_pusher(event: &[u8]) -> Value {
    let (name, channel, data): (String, String, Value) = serde_json::from_slice(event).expect("an event");
    let (event, data) = match name.as_str() {
        "presence:subscribed" => {
            let members = data.as_array().expect("a list");
            let hash: BTreeMap<&str, &Value> =
                members.iter().map(|member| (text(&member["user_id"]), &member["user_info"])).collect();
            assert_eq!(members.len(), hash.len(), "each user once");
            let ids: Vec<&str> = hash.keys().copied().collect();
            let presence = json!({ "count": ids.len(), "ids": ids, "hash": hash });
            ("pusher_internal:subscription_succeeded", json!({ "presence": presence }))
        }
        "presence:joining" => ("pusher_internal:member_added", data),
        "presence:leaving" => {
            assert!(data["user_info"]["slot"].is_u64(), "{data}");
            ("pusher_internal:member_removed", json!({ "user_id": data["user_id"] }))
        }
        other => (other, data),
    };
    json!({ "event": event, "data": data, "channel": channel })
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn ids(value: &Value) -> BTreeSet<String> {
    value.as_array().expect("a list").iter().map(|id| text(id).to_owned()).collect()
}

impl Follower<'_> {
    fn see(&mut self, frame: &Value) {
        match frame["channel"].as_str() {
            Some(name) => {
                let channel = CHANNELS.iter().position(|known| *known == name).expect("a channel");
                self.see_on(channel, frame);
            }
            None => self.watching.see(frame),
        }
    }

    fn joined(&mut self, channel: usize, members: BTreeSet<String>) {
        let before = self.channels[channel].replace(Listening { members, ..Listening::default() });
        assert!(before.is_none(), "acknowledged twice: {}", CHANNELS[channel]);
    }

    fn see_on(&mut self, channel: usize, frame: &Value) {
        if frame["event"] == "pusher_internal:subscription_succeeded" {
            self.joined(channel, acknowledged(channel, &frame["data"]));
            return;
        }
        let listening = self.channels[channel]
            .as_mut()
            .unwrap_or_else(|| panic!("{:?} got what it is not subscribed to: {frame}", self.socket));
        let place = listening.frames;
        listening.frames += 1;
        let is_kept = is_cached(channel) && place == 0;
        let is_count = has_counts(channel) && place == usize::from(is_cached(channel));
        let (event, data) = (text(&frame["event"]), &frame["data"]);
        assert!(!is_count || event == "pusher_internal:subscription_count", "not told how many: {frame}");
        match event {
            "pusher:cache_miss" => assert!(is_kept, "a miss in the midst"),
            "e" => {
                let event = published(channel, text(data));
                let before = listening.last.insert(event.slot, event);
                if is_kept {
                    assert!(self.exclusions.contains_key(&event), "nobody published {event:?}");
                } else {
                    self.check_published(event, before);
                    *self.sums.took.entry(event).or_default() += 1;
                }
            }
            "pusher_internal:member_added" => {
                assert!(listening.members.insert(text(&data["user_id"]).to_owned()), "twice: {frame}");
            }
            "pusher_internal:member_removed" => {
                assert!(listening.members.remove(text(&data["user_id"])), "was not there: {frame}");
            }
            "pusher_internal:subscription_count" => {
                assert!(has_counts(channel), "a count of {}", CHANNELS[channel]);
                let count = data["subscription_count"].as_u64().expect("a number");
                match listening.count.replace(count) {
                    // With `--cfg shuttle` a channel merges from a few deliveries on.
                    Some(_) if cfg!(shuttle) => {}
                    Some(before) => assert_eq!(before.abs_diff(count), 1, "skipped a change: {frame}"),
                    None => *self.sums.steps.entry((channel, count)).or_default() += 1,
                }
            }
            other => panic!("unexpected {other}"),
        }
    }

    /// Panics unless every event that the publisher sent in between was kept from this connection.
    fn check_published(&self, event: Published, before: Option<Published>) {
        let exclusion = |event: Published| *self.exclusions.get(&event).expect("somebody published it");
        assert_ne!(exclusion(event), Some(self.socket), "{event:?} was not for it");
        if let Some(before) = before {
            assert!(before.number < event.number, "{event:?} after {before:?}");
            for number in before.number + 1..event.number {
                let missed = Published { number, ..event };
                assert_eq!(exclusion(missed), Some(self.socket), "{missed:?} was not received");
            }
        }
    }

    /// The subscription has ended, and no further frame of the channel may come.
    fn left(&mut self, channel: usize) {
        let ended = self.channels[channel].take().expect("a subscription, acknowledged before it ends");
        if is_cached(channel) || has_counts(channel) {
            assert!(ended.frames > 0, "nothing followed the acknowledgement of {}", CHANNELS[channel]);
        }
        if let Some(owed) = self.owed.remove(&channel) {
            let last = ended.last.get(&owed.slot).copied();
            assert_eq!(last, Some(owed), "its own last event on the channel");
        }
        if has_counts(channel) {
            let count = ended.count.expect("told how many they are");
            *self.sums.steps.entry((channel, count)).or_default() -= 1;
        }
    }

    fn compare_with_truth(&self) {
        for (channel, listening) in self.channels.iter().enumerate() {
            let Some(listening) = listening else { continue };
            if has_counts(channel) {
                assert_eq!(
                    listening.count,
                    Some(self.truth.counts[channel]),
                    "count of {}",
                    CHANNELS[channel]
                );
            }
            assert_eq!(listening.members, self.truth.members[channel], "members of {}", CHANNELS[channel]);
        }
        let online: BTreeSet<String> =
            self.truth.online.intersection(&self.watching.watchlist).cloned().collect();
        assert_eq!(self.watching.online, online, "watched users who are online");
    }
}

/// The users in an acknowledgement, after a check that the acknowledgement agrees with itself.
fn acknowledged(channel: usize, data: &Value) -> BTreeSet<String> {
    if !is_presence(channel) {
        assert_eq!(*data, serde_json::json!({}));
        return BTreeSet::new();
    }
    let presence = &data["presence"];
    let members = ids(&presence["ids"]);
    let hash = presence["hash"].as_object().expect("an object");
    assert_eq!(presence["count"].as_u64(), Some(members.len() as u64));
    assert!(hash.keys().eq(members.iter()), "ids and hash differ: {data}");
    members
}

fn published(channel: usize, data: &str) -> Published {
    let (slot, number) = data.split_once(':').expect("slot:number");
    Published { slot: slot.parse().expect("a slot"), channel, number: number.parse().expect("a number") }
}

impl Watching {
    fn see(&mut self, frame: &Value) {
        let data = &frame["data"];
        if frame["event"] == "pusher:signin_success" {
            assert!(self.knows_state || self.watchlist.is_empty(), "not told who is online: {frame}");
            let user: Value = serde_json::from_str(text(&data["user_data"])).expect("JSON");
            *self = Self { watchlist: ids(&user["watchlist"]), ..Self::default() };
            return;
        }
        assert_eq!(frame["event"], "pusher_internal:watchlist_events");
        let mut told = BTreeSet::new();
        for event in data["events"].as_array().expect("a list") {
            for id in ids(&event["user_ids"]) {
                assert!(self.watchlist.contains(&id), "{id} is not watched");
                let is_online = event["name"] == "online";
                let was_online =
                    if is_online { !self.online.insert(id.clone()) } else { self.online.remove(&id) };
                assert!(!self.knows_state || is_online != was_online, "no change: {frame}");
                told.insert(id);
            }
        }
        if !std::mem::replace(&mut self.knows_state, true) {
            assert_eq!(told, self.watchlist, "the first state has everybody");
        }
    }
}
