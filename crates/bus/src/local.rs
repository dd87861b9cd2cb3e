//! What the bus brings to its node, and how the node hears of it.

use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::resume::ResumeToken;
use fanfare_protocol::webhook::Transition;

use crate::partition::Partition;

/// The node of a bus. Every method returns at once and is called by the bus's own tasks; none calls the bus back.
pub trait Local: Send + Sync + 'static {
    /// An event of another node, for this node's subscribers. At most once; in order for each publisher and channel
    /// (CL-001, CL-002).
    fn event(&self, event: HeardEvent<'_>);

    /// An event of a cache channel, this node's own too; in the order of Redis (CL-041).
    fn kept(&self, event: HeardKept);

    /// Whom an event of the channel reaches on this node; another node asks, behind the event (CON-042).
    fn reach(&self, app: &AppId, channel: &str, except: Option<SocketId>) -> HeardReach;

    /// What this node knows of an app from its own memory; another node asks about a subject, with what the subject needs
    /// (CON-026, CON-054). The answer, at most a mebibyte, may be given later; without one the other node names this one.
    fn asked(&self, app: &AppId, asked: (NodeSubject, &[u8]), reply: NodeReply);

    /// What a client has missed that has come to another node, behind all that was heard of the channel before.
    ///
    /// `answer` is to be called once, while no event of the channel can be published on this node.
    fn missed(&self, at: (&AppId, &str), asked: AskedMissed, answer: &mut dyn FnMut(Option<&FoundMissed>)) {
        let _ = (at, asked);
        answer(None);
    }

    /// Something that a question of this node waits for ([`Bus::ask_missed`](crate::Bus::ask_missed)).
    fn heard_missed(&self, at: (&AppId, &str), heard: HeardMissed) {
        let _ = (at, heard);
    }

    /// A client has come to another node with a token of this node.
    fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId) {
        let _ = (app, token, newcomer);
    }

    /// What the cluster says about a channel; in order for each channel.
    fn outcome(&self, app: &AppId, outcome: ClusterOutcome);

    /// Whether newcomers to channels of this topic may be acknowledged at once (CL-006). A topic that was never named
    /// is not live.
    fn live(&self, app: &AppId, partition: Partition, is_live: bool);

    /// A tap of another node on an app (CON-037).
    fn tap(&self, app: &AppId, tap: HeardTap<'_>) {
        let _ = (app, tap);
    }

    /// What another node has seen for a tap of this node.
    fn tap_part(&self, part: HeardTapPart<'_>) {
        let _ = part;
    }

    /// Another node was told to close the user's connections (API-060, CL-052).
    fn close_user(&self, app: &AppId, user: &UserId);

    /// The app's settings have changed (CL-060).
    fn app_changed(&self, app: &AppId);

    /// Events for webhooks, which this node alone sends now (CL-030). `done` is to be called when every receiver has
    /// answered, or retrying has ended. Sent as one request, with `time_ms` as its time (CL-032).
    fn hooks(&self, batch: HookBatch, done: HooksDone);

    /// So many events of the app were not told to webhooks, because too many wait: what is still so when there is room
    /// again is told then.
    fn hooks_refused(&self, app: &AppId, events: u64);

    /// This node is the sender of the partition no more: what is not under way is dropped, without a word.
    fn stop_hooks(&self, partition: Partition);
}

/// What nodes ask each other about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeSubject {
    /// The last deliveries of an app's webhooks.
    WebhookDeliveries,
    /// What is open: channels, connections, users.
    Open,
    /// Numbers of an app, or of the node.
    Numbers,
    /// A delivery that is to be repeated by the node that has made it.
    RepeatDelivery,
    /// Where the last events of an app went.
    Traces,
}

impl NodeSubject {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::WebhookDeliveries => 1,
            Self::Open => 7,
            Self::Numbers => 8,
            Self::RepeatDelivery => 9,
            Self::Traces => 10,
        }
    }

    /// `None` for the code of a later release.
    pub(crate) fn with_code(code: u8) -> Option<Self> {
        let all = [Self::WebhookDeliveries, Self::Open, Self::Numbers, Self::RepeatDelivery, Self::Traces];
        all.into_iter().find(|subject| subject.code() == code)
    }
}

/// The way of an answer to the node that has asked; dropped without an answer, that node names this one as silent.
pub struct NodeReply(Box<Say>);

type Say = dyn FnOnce(&[u8]) + Send;

impl NodeReply {
    /// A way that ends in `say`.
    #[must_use]
    pub fn new(say: impl FnOnce(&[u8]) + Send + 'static) -> Self {
        Self(Box::new(say))
    }

    /// Answers.
    pub fn say(self, text: &[u8]) {
        (self.0)(text);
    }
}

impl std::fmt::Debug for NodeReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeReply")
    }
}

/// An event of another node.
#[derive(Clone, Copy, Debug)]
pub struct HeardEvent<'a> {
    /// The app.
    pub app: &'a AppId,
    /// The channel's name; checked by the node that published.
    pub channel: &'a str,
    /// The connection that does not get the event (CL-004).
    pub except: Option<SocketId>,
    /// The message for clients.
    pub frame: &'a Frame,
    /// The node that has published the event.
    pub node: u64,
}

/// A tap of another node: a running request there for what happens in an app on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardTap<'a> {
    /// The node.
    pub node: u64,
    /// The tap's number on its node.
    pub tap: u64,
    /// How long the tap lasts if nothing more is heard of it; nothing if it has ended.
    pub lease: Duration,
    /// What the tap wants.
    pub about: &'a [u8],
}

/// A part of what a node has seen for a tap of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardTapPart<'a> {
    /// The node that has seen this.
    pub node: u64,
    /// The number of the tap on the node that hears this.
    pub tap: u64,
    /// What tells the parts of one lease from those of another one.
    pub begun: u64,
    /// The part's number among those of its lease, from 0: a missing number is a lost part.
    pub number: u64,
    /// What was seen.
    pub text: &'a [u8],
}

/// What a node is asked about a client that was connected to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedMissed {
    /// The connection in which the channel was acknowledged.
    pub token: ResumeToken,
    /// Messages of the channel that the client has got since then.
    pub count: u64,
    /// The client's new connection.
    pub newcomer: SocketId,
}

/// What a client has missed, as its former node knows.
#[derive(Clone, Debug, Default)]
pub struct FoundMissed {
    /// The client's former connections.
    pub own: Vec<SocketId>,
    /// The events, in order.
    pub frames: Vec<Frame>,
}

/// What is heard of a question of this node.
#[derive(Clone, Debug)]
pub struct HeardMissed {
    /// The client's new connection.
    pub newcomer: SocketId,
    /// The number of the question.
    pub question: u64,
    /// What is heard.
    pub news: MissedNews,
}

/// What is heard of a question of this node.
#[derive(Clone, Debug)]
pub enum MissedNews {
    /// The question itself: every node has heard all that was heard here before.
    Asked,
    /// The answer of this node; nothing, if that node cannot say.
    Answered(u64, Option<FoundMissed>),
}

/// Whom an event has reached on other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeardReach {
    /// Connections whose outbox took the event.
    pub took: usize,
    /// Subscribers that the publisher has excluded.
    pub excluded: usize,
    /// Connections whose client reads too slowly.
    pub slow: usize,
}

/// An event of a cache channel, in its place in the order of its topic.
#[derive(Clone, Debug)]
pub struct HeardKept {
    /// The app.
    pub app: AppId,
    /// The channel.
    pub channel: ChannelName,
    /// The event's place; 0 if Redis was full and keeps nothing of the channel (CL-106).
    pub version: u64,
    /// Whether this node has published the event itself.
    pub is_own: bool,
    /// The connection that does not get the event.
    pub except: Option<SocketId>,
    /// The event is kept, but delivered to nobody: this node has heard of it itself (CL-068).
    pub quiet: bool,
    /// How long the event is kept.
    pub lives: Duration,
    /// The event.
    pub frame: Frame,
}

/// Events of one app and one window of time, for its webhooks.
#[derive(Clone, Debug)]
pub struct HookBatch {
    /// The app.
    pub app: AppId,
    /// The partition that the events are from.
    pub partition: Partition,
    /// When the events happened, in milliseconds since 1970 by Redis's clock; the same if they are sent again.
    pub time_ms: u64,
    /// For how long the events have waited (HOOK-022).
    pub age: Duration,
    /// The events, in order.
    pub events: Vec<HookEvent>,
}

/// One event for webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvent {
    /// The entry's id in Redis, behind its millisecond.
    pub number: u64,
    /// What has happened: a channel occupied or vacated, a member added or removed.
    pub transition: Transition,
}

/// Says that a batch needs no more sending; dropped without a call, the batch is sent again later.
#[derive(Clone)]
pub struct HooksDone(Arc<dyn Fn() + Send + Sync>);

impl HooksDone {
    /// Calls this when the batch is done.
    pub fn new(done: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(done))
    }

    /// Every receiver has answered, or retrying has ended.
    pub fn done(&self) {
        (self.0)();
    }
}

impl std::fmt::Debug for HooksDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HooksDone")
    }
}
