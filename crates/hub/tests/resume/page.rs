//! A page with the add-on: it counts what it gets, loses its connection, and comes back with what it has counted.
//!
//! Never judges what it has got; only writes it down.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Hubs, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::resume::{Position, ResumeToken};
use fanfare_protocol::server::QuotedEvent;
use serde_json::Value;

/// The present of everything that is subscribed.
pub const NOW: u64 = 1_000;

/// A page, over all of its connections.
pub struct Page {
    hub: Arc<AppHub>,
    /// Unique among the pages, the high half of the ids of its sockets.
    pub id: u64,
    connections: u64,
    /// The connection that the page has, if it has one.
    pub subscriptions: Option<Subscriptions>,
    token: Option<ResumeToken>,
    /// The `user_info` of the page on presence channels.
    pub info: String,
    seen: BTreeMap<String, Position>,
    /// What the page has got on each channel, over all connections.
    pub got: BTreeMap<String, Vec<Got>>,
}

/// What a page has got on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Acknowledged,
    /// The data of an event.
    Event(String),
    Resumed {
        replayed: u64,
        complete: bool,
    },
    /// Another message, by its name.
    Other(String),
}

pub fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

pub fn app() -> App {
    App { resume_seconds: 60, subscription_counts: true, ..App::new("1".into(), Vec::new()) }
}

pub fn hub_of(app: App) -> (Hubs, Arc<AppHub>) {
    let hubs = Hubs::default();
    let hub = hubs.open(&Arc::new(app));
    (hubs, hub)
}

pub fn publish(hub: &AppHub, name: &str, data: &str, except: Option<SocketId>) -> usize {
    let name = channel(name);
    let frame = QuotedEvent::new("e", data).on(&name);
    if name.is_cached() {
        hub.deliver_and_keep(&name, &frame, except, u64::MAX)
    } else {
        hub.deliver(&name, &frame, except)
    }
}

impl Page {
    pub fn new(hub: &Arc<AppHub>, id: u64) -> Self {
        let hub = Arc::clone(hub);
        Self {
            hub,
            id,
            connections: 0,
            subscriptions: None,
            token: None,
            info: "{}".to_owned(),
            seen: BTreeMap::new(),
            got: BTreeMap::new(),
        }
    }

    /// A page that is connected and subscribed.
    pub fn subscribed(hub: &Arc<AppHub>, id: u64, name: &str) -> Self {
        let mut page = Self::new(hub, id);
        page.connect();
        page.subscribe(name);
        page
    }

    /// The id of the page's newest socket.
    pub fn socket(&self) -> SocketId {
        SocketId::from_bits(self.id << 32 | self.connections)
    }

    /// Connects, and tells what was counted before; the connection that the page had ends later, or has ended.
    pub fn connect(&mut self) {
        self.connect_with(|_| {});
    }

    /// As [`Page::connect`], with another tale of what was counted.
    pub fn connect_with(&mut self, change: impl FnOnce(&mut BTreeMap<String, Position>)) {
        self.connections += 1;
        let conn = Conn::new(self.socket(), Budget::of_each(1 << 20));
        let mut subscriptions = Subscriptions::new(Arc::clone(&self.hub), Arc::new(conn));
        let token = ResumeToken::from_bits(u128::from(self.socket().bits()));
        assert_eq!(subscriptions.offer_resume(token), token);
        let mut told = self.seen.clone();
        change(&mut told);
        let told = told.into_iter().map(|(name, position)| (Cow::Owned(name), Some(position)));
        subscriptions.resume(told, 1000);
        self.token = Some(token);
        self.subscriptions = Some(subscriptions);
    }

    /// Tells what was counted before only now.
    pub fn tell(&mut self, counted: &BTreeMap<String, Position>) {
        let told = counted.iter().map(|(name, position)| (Cow::from(name), Some(*position)));
        self.subscriptions.as_mut().expect("a connection").resume(told, 1000);
    }

    pub fn subscribe(&mut self, name: &str) {
        let user = format!(r#"{{"user_id":"{}","user_info":{}}}"#, self.id, self.info);
        let identity = name
            .starts_with("presence-")
            .then(|| Identity::parse(&user, name, &Limits::default()).expect("an identity"));
        let subscriptions = self.subscriptions.as_mut().expect("a connection");
        subscriptions.subscribe(channel(name), identity, NOW).expect("a first subscription");
    }

    pub fn leave(&mut self, name: &str) {
        self.subscriptions.as_mut().expect("a connection").unsubscribe(name);
        self.read(usize::MAX);
        self.seen.remove(name);
    }

    /// Gets what waits, and counts; only the first frames if the rest is lost.
    pub fn read(&mut self, most: usize) {
        let Some(subscriptions) = &self.subscriptions else { return };
        let mut frames: Vec<Frame> = Vec::new();
        let cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Taken::Frames) = subscriptions.conn().outbox.poll_take(&cx, &mut frames, 64) {}
        for frame in frames.iter().take(most) {
            self.on(frame);
        }
    }

    /// Reads some of what waits, and loses the connection: the hub may learn of that later, by the drop of what is
    /// returned.
    pub fn cut(&mut self, after: usize) -> Option<Subscriptions> {
        self.read(after);
        self.subscriptions.take()
    }

    fn on(&mut self, frame: &Frame) {
        let value: Value = serde_json::from_slice(frame.payload()).expect("JSON");
        let Some(channel) = value["channel"].as_str() else { return };
        let data = value["data"].as_str().expect("a text");
        let got = match value["event"].as_str().expect("a name") {
            "pusher_internal:subscription_succeeded" => {
                let token = self.token.expect("a token");
                self.seen.insert(channel.to_owned(), Position { token, count: 0 });
                Got::Acknowledged
            }
            "fanfare:resumed" => {
                let data: Value = serde_json::from_str(data).expect("JSON");
                let complete = data["complete"].as_bool().expect("a switch");
                Got::Resumed { replayed: data["replayed"].as_u64().expect("a number"), complete }
            }
            "e" => Got::Event(data.to_owned()),
            other => Got::Other(other.to_owned()),
        };
        if let Got::Event(_) | Got::Other(_) = got {
            self.seen.get_mut(channel).expect("nothing comes before the acknowledgement").count += 1;
        }
        self.got.entry(channel.to_owned()).or_default().push(got);
    }

    /// What has come on a channel since the last call.
    pub fn take(&mut self, name: &str) -> Vec<Got> {
        self.read(usize::MAX);
        self.got.remove(name).unwrap_or_default()
    }
}

/// The events among what a page has got, as numbers.
pub fn numbers(got: &[Got]) -> Vec<usize> {
    let number = |got: &Got| match got {
        Got::Event(data) => Some(data.parse().expect("a number")),
        _ => None,
    };
    got.iter().filter_map(number).collect()
}
