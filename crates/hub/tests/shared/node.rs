//! One node's hub under test: the test is the cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Dialect, Hubs, Subscriptions, Taken, Topics};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, ClusterOutcome};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::presence::{Identity, UserInfo};
use fanfare_protocol::server::{QuotedEvent, signin_success};
use fanfare_protocol::user::UserData;
use serde_json::Value;

pub const NOW: u64 = 1_000;

/// Bytes that an outbox holds.
pub const OUTBOX: usize = 1 << 20;

pub struct Node {
    pub hubs: Hubs,
    pub hub: Arc<AppHub>,
    is_live: Arc<Live>,
}

struct Live(AtomicBool);

impl Topics for Live {
    fn is_live(&self, _: &AppId, _: &ChannelName) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

pub fn app() -> App {
    let limits = Limits { members: 10, ..Limits::default() };
    App { limits, subscription_counts: true, watchlist_events: true, ..App::new("1".into(), Vec::new()) }
}

pub fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

/// The hidden channel of a user.
pub fn online(user: &str) -> ChannelName {
    ChannelName::online(&user.into())
}

pub fn info(text: &str) -> UserInfo {
    Some(serde_json::value::RawValue::from_string(text.to_owned()).expect("JSON"))
}

/// A roster of users without `user_info`.
pub fn users(ids: &[&str]) -> Vec<(UserId, UserInfo)> {
    ids.iter().map(|id| (UserId::from(*id), None)).collect()
}

impl Node {
    pub fn new() -> Self {
        Self::of(app())
    }

    pub fn of(app: App) -> Self {
        let is_live = Arc::new(Live(AtomicBool::new(true)));
        let topics: Arc<dyn Topics> = Arc::clone(&is_live) as Arc<dyn Topics>;
        let hubs = Hubs::shared(Budget::new(OUTBOX, usize::MAX), topics);
        let hub = hubs.open(&Arc::new(app));
        Self { hubs, hub, is_live }
    }

    pub fn set_live(&self, is_live: bool) {
        self.is_live.0.store(is_live, Ordering::SeqCst);
    }

    pub fn client(&self, id: u64) -> Subscriptions {
        self.client_speaking(Dialect::Pusher, id)
    }

    pub fn client_speaking(&self, dialect: Dialect, id: u64) -> Subscriptions {
        let conn = Conn::speaking(dialect, SocketId::from_bits(id), Arc::clone(self.hubs.budget()));
        Subscriptions::new(Arc::clone(&self.hub), Arc::new(conn))
    }

    pub fn subscribed(&self, id: u64, name: &str) -> Subscriptions {
        let mut client = self.client(id);
        client.subscribe(channel(name), None, NOW).expect("a first subscription");
        client
    }

    pub fn joined(&self, id: u64, name: &str, user: &str) -> Subscriptions {
        let mut client = self.client(id);
        join(&mut client, name, user);
        client
    }

    /// A client on a presence channel, whom the cluster has answered: alone, but for these users elsewhere.
    pub fn present(&self, id: u64, name: &str, user: &str, elsewhere: &[&str]) -> Subscriptions {
        let client = self.joined(id, name, user);
        let (copy, ticket) = (self.copy(name), self.ticket(name, user));
        self.apply(ClusterOutcome::Confirmed { channel: channel(name), user: user.into(), ticket });
        self.apply(ClusterOutcome::Roster {
            channel: channel(name),
            copy,
            users: users(elsewhere),
            only_adds: false,
        });
        client
    }

    pub fn apply(&self, outcome: ClusterOutcome) {
        self.hub.apply(outcome, NOW);
    }

    pub fn publish(&self, name: &str, data: &str) -> usize {
        let name = channel(name);
        let frame = QuotedEvent::new("e", data).on(&name);
        if name.is_cached() {
            self.hub.deliver_and_keep(&name, &frame, None, NOW + 1_000_000)
        } else {
            self.hub.deliver(&name, &frame, None)
        }
    }

    /// The changes since the last call, in short.
    pub fn changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        while self.hub.take_changes(&mut changes, 3).more {}
        changes.iter().map(in_short).collect()
    }

    /// The present copy of a channel.
    pub fn copy(&self, name: &str) -> u64 {
        let open = self.hub.snapshot().channels.into_iter().find(|open| open.channel.as_str() == name);
        open.and_then(|open| open.copy).unwrap_or_else(|| panic!("{name} is not open"))
    }

    /// The user's newest join.
    pub fn ticket(&self, name: &str, user: &str) -> u64 {
        let open = self.hub.snapshot().channels.into_iter().find(|open| open.channel.as_str() == name);
        let joined = open.into_iter().flat_map(|open| open.users).find(|joined| joined.user.as_str() == user);
        joined.unwrap_or_else(|| panic!("{user} is not on {name}")).ticket
    }
}

pub fn identity(name: &str, user: &str, info: &str) -> Option<Identity> {
    let data = format!(r#"{{"user_id":"{user}","user_info":{info}}}"#);
    Some(Identity::parse(&data, name, &Limits::default()).expect("an identity"))
}

pub fn join(client: &mut Subscriptions, name: &str, user: &str) {
    join_with(client, name, user, "{}");
}

pub fn join_with(client: &mut Subscriptions, name: &str, user: &str, info: &str) {
    client.subscribe(channel(name), identity(name, user, info), NOW).expect("a first subscription");
}

pub fn sign_in(client: &mut Subscriptions, user: &str, watchlist: &[&str]) {
    let data = format!(r#"{{"id":"{user}","watchlist":{watchlist:?}}}"#);
    let user = UserData::parse(&data, &Limits::default()).expect("user data");
    assert!(client.sign_in(user, &signin_success(&data), 0));
}

fn in_short(change: &Change) -> String {
    match change {
        Change::Opened { channel, .. } => format!("opened {channel}"),
        Change::Closed { channel, .. } => format!("closed {channel}"),
        Change::Joined(joined) => {
            let most = joined.most.map_or_else(String::new, |most| format!(" of {most}"));
            format!("joined {} {}{most}", joined.channel, joined.user)
        }
        Change::Left { channel, user, .. } => format!("left {channel} {user}"),
        Change::Counted { channel, count, .. } => format!("counted {channel} {count}"),
        Change::Kept(kept) => format!("kept {}", shown(&kept.frame)),
        Change::Missed { channel } => format!("missed {channel}"),
    }
}

/// The frames that wait for a client, in short.
pub fn received(client: &Subscriptions) -> Vec<String> {
    frames(client).iter().map(shown).collect()
}

/// The data of the first frame that waits for a client, and the number of frames.
pub fn raw(client: &Subscriptions) -> (Value, usize) {
    let frames = frames(client);
    let first: Value = serde_json::from_slice(frames[0].payload()).expect("JSON");
    (serde_json::from_str(first["data"].as_str().expect("a string")).expect("JSON"), frames.len())
}

/// The texts that wait for a client.
pub fn texts(client: &Subscriptions) -> Vec<String> {
    let text = |frame: &Frame| String::from_utf8(frame.payload().to_vec()).expect("UTF-8");
    frames(client).iter().map(text).collect()
}

fn frames(client: &Subscriptions) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = client.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    frames
}

pub fn shown(frame: &Frame) -> String {
    let value: Value = serde_json::from_slice(frame.payload()).expect("JSON");
    let name = value["event"].as_str().expect("a name");
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    if name == "error" {
        return format!("error {}", value["data"]["message"].as_str().expect("a message"));
    }
    let text = value["data"].as_str().expect("a string");
    if name == "e" {
        return text.to_owned();
    }
    let data: Value = serde_json::from_str(text).expect("JSON");
    let list = |value: &Value| {
        let mut ids: Vec<&str> = value.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        ids.sort_unstable();
        ids.join(",")
    };
    match name {
        "subscription_succeeded" if data["presence"].is_object() => {
            format!("in: {}", list(&data["presence"]["ids"]))
        }
        "subscription_succeeded" => "in".to_owned(),
        "member_added" => format!("+{}", data["user_id"].as_str().expect("an id")),
        "member_removed" => format!("-{}", data["user_id"].as_str().expect("an id")),
        "subscription_count" => format!("count {}", data["subscription_count"]),
        "watchlist_events" => {
            let events = data["events"].as_array().expect("a list").iter();
            let events = events.map(|event| {
                format!("{} {}", event["name"].as_str().expect("a name"), list(&event["user_ids"]))
            });
            events.collect::<Vec<_>>().join("; ")
        }
        _ => name.to_owned(),
    }
}
