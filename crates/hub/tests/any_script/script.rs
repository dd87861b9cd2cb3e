//! Scripts of what connections do, and connections that run a script against the hub.
//!
//! Never judges the outcome; only records what every connection received.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Dialect, Hubs, SubscribeError, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::{QuotedEvent, signin_success};
use fanfare_protocol::user::UserData;
use fanfare_protocol::webhook::{Kind, Kinds, Webhook};
use proptest::prelude::*;

/// A slot has one connection at a time, and the next after that has closed.
pub const SLOTS: usize = 6;

/// One channel of each behaviour.
pub const CHANNELS: [&str; 5] =
    ["news", "cache-rates", "presence-room", "presence-cache-desk", "#server-to-user-u0"];

pub const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];

/// One fewer than there are users, so that presence channels can be full.
pub const MOST_MEMBERS: usize = USERS.len() - 1;

/// Something that a slot does.
#[derive(Clone, Debug)]
pub struct Step {
    pub slot: usize,
    pub action: Action,
}

/// Channels and users by their indices in the lists above.
#[derive(Clone, Debug)]
pub enum Action {
    Join {
        channel: usize,
        user: usize,
    },
    Leave {
        channel: usize,
    },
    /// `except` is a slot's connection of a certain generation; `keeps` is how long a cache channel keeps the event.
    Publish {
        channel: usize,
        except: Option<(usize, u64)>,
        keeps: u64,
    },
    SignIn {
        user: usize,
        watchlist: Vec<usize>,
    },
    Read,
    Close,
    /// What the server does now and then.
    Sweep,
}

/// What the hub answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Joined(Result<(), SubscribeError>),
    Left(bool),
    Took(usize),
    SignedIn(bool),
    Nothing,
}

/// What one connection received, and what it did that a checker has to know of.
#[derive(Debug)]
pub struct Trace {
    pub socket: SocketId,
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub enum Entry {
    Frame(Frame),
    /// A subscription that Socket.IO does not acknowledge: every frame of the channel is below.
    Joined(usize),
    /// The subscription has ended: every frame of the channel is above.
    Left(usize),
    /// The connection itself published this while it was subscribed, not excluded.
    Owed(Published),
    /// All threads have come to their ends, and nobody has closed yet.
    Quiet,
}

/// One event: the slot's `number`-th on the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Published {
    pub slot: usize,
    pub channel: usize,
    pub number: u64,
}

/// The event, its excluded connection, and the number of connections that took it.
pub type Told = (Published, Option<SocketId>, usize);

/// A slot at work.
pub struct Actor {
    hubs: Arc<Hubs>,
    hub: Arc<AppHub>,
    slot: usize,
    generation: u64,
    pub subscriptions: Subscriptions,
    /// The user that the connection stands for on each presence channel.
    pub users: [Option<usize>; CHANNELS.len()],
    numbers: [u64; CHANNELS.len()],
    trace: Trace,
    ended: Vec<Trace>,
    published: Vec<Told>,
}

pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..SLOTS, action()).prop_map(|(slot, action)| Step { slot, action }), 1..most)
}

fn action() -> impl Strategy<Value = Action> {
    let (channel, user) = (0..CHANNELS.len(), 0..USERS.len());
    let except = prop::option::weighted(0.4, (0..SLOTS, 0..2_u64));
    let watchlist = prop::collection::vec(user.clone(), 0..4);
    prop_oneof![
        8 => (channel.clone(), user.clone()).prop_map(|(channel, user)| Action::Join { channel, user }),
        3 => channel.clone().prop_map(|channel| Action::Leave { channel }),
        8 => (channel, except, prop_oneof![1..20_u64, Just(1_000_000)])
            .prop_map(|(channel, except, keeps)| Action::Publish { channel, except, keeps }),
        3 => (user, watchlist).prop_map(|(user, watchlist)| Action::SignIn { user, watchlist }),
        2 => Just(Action::Read),
        2 => Just(Action::Close),
        1 => Just(Action::Sweep),
    ]
}

pub fn app() -> Arc<App> {
    let limits = Limits { members: MOST_MEMBERS, ..Limits::default() };
    let app = App::new("1".into(), Vec::new());
    let webhooks = vec![Webhook {
        url: "http://localhost/".to_owned(),
        events: Kinds::from_iter(Kind::ALL),
        channel_prefixes: Vec::new(),
        batch: false,
        durable: false,
        enabled: true,
    }];
    Arc::new(App { limits, subscription_counts: true, watchlist_events: true, webhooks, ..app })
}

pub fn channel(at: usize) -> ChannelName {
    ChannelName::parse(CHANNELS[at], 164).expect("a legal name")
}

pub fn is_presence(at: usize) -> bool {
    CHANNELS[at].starts_with("presence-")
}

pub fn is_cached(at: usize) -> bool {
    CHANNELS[at].contains("cache-")
}

pub fn has_counts(at: usize) -> bool {
    !is_presence(at) && !CHANNELS[at].starts_with('#')
}

pub fn socket(slot: usize, generation: u64) -> SocketId {
    SocketId::from_bits((slot as u64) << 32 | generation)
}

/// Every third slot's clients speak Socket.IO.
pub const fn dialect(slot: usize) -> Dialect {
    if slot % 3 == 2 { Dialect::SocketIo } else { Dialect::Pusher }
}

/// Whether clients of the dialect are told of an event on the channel.
pub fn is_told(dialect: Dialect, at: usize, event: &str) -> bool {
    let is_acknowledgement = event == "pusher_internal:subscription_succeeded" && !is_presence(at);
    let is_pushers = ["pusher:cache_miss", "pusher_internal:subscription_count"].contains(&event);
    dialect == Dialect::Pusher || !(is_acknowledgement || is_pushers)
}

pub fn user_data(user: usize, watchlist: &[usize]) -> String {
    let watched: Vec<&str> = watchlist.iter().map(|user| USERS[*user]).collect();
    format!(r#"{{"id":"{}","watchlist":{watched:?}}}"#, USERS[user])
}

impl Actor {
    pub fn new(hubs: &Arc<Hubs>, slot: usize) -> Self {
        let hub = hubs.open(&app());
        let subscriptions = open(&hub, socket(slot, 0));
        Self {
            hubs: Arc::clone(hubs),
            hub,
            slot,
            generation: 0,
            subscriptions,
            users: [None; CHANNELS.len()],
            numbers: [0; CHANNELS.len()],
            trace: Trace { socket: socket(slot, 0), entries: Vec::new() },
            ended: Vec::new(),
            published: Vec::new(),
        }
    }

    /// Performs the action at a moment.
    pub fn act(&mut self, action: &Action, now: u64) -> Answer {
        match action {
            Action::Join { channel, user } => Answer::Joined(self.join(*channel, *user, now)),
            Action::Leave { channel } => Answer::Left(self.leave(*channel)),
            Action::Publish { channel, except, keeps } => {
                Answer::Took(self.publish(*channel, except.map(|(slot, at)| socket(slot, at)), now + keeps))
            }
            Action::SignIn { user, watchlist } => {
                let data = user_data(*user, watchlist);
                let user = UserData::parse(&data, &Limits::default()).expect("user data");
                Answer::SignedIn(self.subscriptions.sign_in(user, &signin_success(&data), 0))
            }
            Action::Read => {
                self.read();
                Answer::Nothing
            }
            Action::Close => {
                self.close();
                Answer::Nothing
            }
            Action::Sweep => {
                self.hubs.sweep(now);
                self.hub.tell_changes();
                self.hub.tell_counts();
                Answer::Nothing
            }
        }
    }

    fn join(&mut self, at: usize, user: usize, now: u64) -> Result<(), SubscribeError> {
        let identity = is_presence(at).then(|| {
            let data = format!(r#"{{"user_id":"{}","user_info":{{"slot":{}}}}}"#, USERS[user], self.slot);
            Identity::parse(&data, CHANNELS[at], &Limits::default()).expect("an identity")
        });
        self.read();
        self.subscriptions.subscribe(channel(at), identity, now)?;
        if !is_told(dialect(self.slot), at, "pusher_internal:subscription_succeeded") {
            self.trace.entries.push(Entry::Joined(at));
        }
        self.users[at] = is_presence(at).then_some(user);
        Ok(())
    }

    fn leave(&mut self, at: usize) -> bool {
        let left = self.subscriptions.unsubscribe(CHANNELS[at]);
        if left {
            self.read();
            self.trace.entries.push(Entry::Left(at));
        }
        left
    }

    fn publish(&mut self, at: usize, except: Option<SocketId>, until: u64) -> usize {
        let event = Published { slot: self.slot, channel: at, number: self.numbers[at] };
        self.numbers[at] += 1;
        let name = channel(at);
        let frame = QuotedEvent::new("e", format!("{}:{}", event.slot, event.number)).on(&name);
        let took = if is_cached(at) {
            self.hub.deliver_and_keep(&name, &frame, except, until)
        } else {
            self.hub.deliver(&name, &frame, except)
        };
        if self.subscriptions.contains(CHANNELS[at]) && except != Some(self.trace.socket) {
            self.trace.entries.push(Entry::Owed(event));
        }
        self.published.push((event, except, took));
        took
    }

    fn read(&mut self) {
        let received = drain(self.subscriptions.conn());
        self.trace.entries.extend(received.into_iter().map(Entry::Frame));
    }

    /// Marks in the trace that nothing goes on.
    pub fn rest(&mut self) {
        self.read();
        self.trace.entries.push(Entry::Quiet);
    }

    /// Closes the connection, and opens the slot's next.
    fn close(&mut self) {
        self.generation += 1;
        let next = socket(self.slot, self.generation);
        let closed = std::mem::replace(&mut self.subscriptions, open(&self.hub, next));
        let trace = std::mem::replace(&mut self.trace, Trace { socket: next, entries: Vec::new() });
        self.ended.push(end(closed, trace));
    }

    /// Closes the last connection; returns everything that its slot received and published.
    pub fn into_ended(self) -> (Vec<Trace>, Vec<Told>) {
        let mut ended = self.ended;
        ended.push(end(self.subscriptions, self.trace));
        (ended, self.published)
    }
}

fn open(hub: &Arc<AppHub>, socket: SocketId) -> Subscriptions {
    let dialect = dialect((socket.bits() >> 32) as usize);
    Subscriptions::new(Arc::clone(hub), Arc::new(Conn::speaking(dialect, socket, Budget::of_each(1 << 30))))
}

fn end(subscriptions: Subscriptions, mut trace: Trace) -> Trace {
    let conn = Arc::clone(subscriptions.conn());
    drop(subscriptions);
    trace.entries.extend(drain(&conn).into_iter().map(Entry::Frame));
    trace
}

fn drain(conn: &Conn) -> Vec<Frame> {
    let mut frames = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = conn.outbox.poll_take(&cx, &mut frames, 64) {}
    frames
}
