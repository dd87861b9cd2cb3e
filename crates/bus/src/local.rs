//! What the bus brings to its node, and how the node hears of it.

use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::webhook::Transition;

use crate::partition::Partition;

/// The node of a bus. Every method returns at once and is called by the bus's own tasks; none calls the bus back.
pub trait Local: Send + Sync + 'static {
    /// An event of another node, for this node's subscribers. At most once; in order for each publisher and channel
    /// (CL-001, CL-002).
    fn event(&self, event: HeardEvent<'_>);

    /// An event of a cache channel, this node's own too; in the order of Redis (CL-041).
    fn kept(&self, event: HeardKept);

    /// What the cluster says about a channel; in order for each channel.
    fn outcome(&self, app: &AppId, outcome: ClusterOutcome);

    /// Whether newcomers to channels of this topic may be acknowledged at once (CL-006). A topic that was never named
    /// is not live.
    fn live(&self, app: &AppId, partition: Partition, is_live: bool);

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
