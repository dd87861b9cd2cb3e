//! An app's hub as a part of a cluster: the queue of its changes, the numbers that name them, and the connections of
//! the other nodes.
//!
//! Absent where a node is alone. Knows nothing of how nodes agree.

use std::fmt;
use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, Telling};
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::resume::ResumeToken;

use crate::bell::Bell;
use crate::change_queue::ChangeQueue;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::transitions::Hooks;

/// A question to the node that a client was connected to before: what the client has missed of a channel (RES-014).
#[derive(Clone, Copy, Debug)]
pub struct QuestionElsewhere<'a> {
    /// The app's settings.
    pub app: &'a App,
    /// The channel.
    pub channel: &'a ChannelName,
    /// Which question of this node.
    pub number: u64,
    /// The connection in which the channel was acknowledged.
    pub token: ResumeToken,
    /// Messages of the channel that the client has got since then.
    pub count: u64,
    /// The client's new connection.
    pub newcomer: SocketId,
    /// For how many milliseconds nothing may have been lost between the nodes.
    pub age: u64,
}

/// Which topics this node hears, and what other nodes can be asked.
pub trait Topics: Send + Sync + 'static {
    /// Whether a newcomer of a channel without roster and cache may be acknowledged at once (CL-006).
    ///
    /// Called under the lock of the channel's shard: must not wait, nor call the hub. A topic may become live a little after
    /// [`ClusterOutcome::Serve`](fanfare_protocol::cluster::ClusterOutcome::Serve) was applied to the channels of the topic:
    /// a newcomer of the time between waits for another `Serve`, which answers the newcomer's own change.
    fn is_live(&self, app: &AppId, channel: &ChannelName) -> bool;

    /// Whether another node has given out the token.
    fn is_elsewhere(&self, token: ResumeToken) -> bool {
        let _ = token;
        false
    }

    /// Whether every event of the channel of the last `age` milliseconds has come to this node, as far as the node knows.
    ///
    /// Called under the lock of the channel's shard: must not wait, nor call the hub.
    fn is_whole(&self, app: &AppId, channel: &ChannelName, age: u64) -> bool {
        let _ = (app, channel, age);
        true
    }

    /// Tells the node that has given out the token that its client has come to this node; does not wait.
    fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId) {
        let _ = (app, token, newcomer);
    }

    /// Asks another node, behind all events that this node has published on the channel; false if it cannot be asked. If so,
    /// [`AppHub::answer_missed`](crate::AppHub::answer_missed) follows for certain.
    ///
    /// Called under the lock of the channel's shard: must not wait, nor call the hub.
    fn ask_missed(&self, question: QuestionElsewhere<'_>) -> bool {
        let _ = question;
        false
    }
}

/// What the hubs of a node share.
pub(crate) struct Cluster {
    topics: Arc<dyn Topics>,
    /// The last number given to a copy or a ticket; of all hubs, because a hub may be dropped and made again.
    last_number: AtomicU64,
    /// The bound of one outbox, in bytes.
    outbox_bytes: usize,
}

/// One app's part in the cluster.
#[derive(Debug)]
pub(crate) struct Sharing {
    app: AppId,
    cluster: Arc<Cluster>,
    pub(crate) changes: ChangeQueue,
    /// Guards nothing but the order in which changes that were taken are handed on.
    pub(crate) handing_over: Mutex<()>,
    /// Connections of the app on other nodes, as last heard (CL-062).
    others: AtomicUsize,
    /// The hidden channel that connections are counted on.
    connections: ChannelName,
}

/// What a channel is told with each call in shared mode, under the lock of its shard.
#[derive(Clone, Copy)]
pub(crate) struct InCluster<'a> {
    pub(crate) sharing: &'a Sharing,
    pub(crate) app: &'a App,
    /// The kinds that webhooks want of the channel.
    pub(crate) hooks: Hooks<'a>,
    /// The present, in milliseconds of the clock by which cached events expire.
    pub(crate) now: u64,
}

impl Cluster {
    pub(crate) fn new(topics: Arc<dyn Topics>, outbox_bytes: usize) -> Self {
        Self { topics, last_number: AtomicU64::new(0), outbox_bytes }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("last_number", &self.last_number).finish_non_exhaustive()
    }
}

impl Sharing {
    pub(crate) fn new(app: AppId, cluster: Arc<Cluster>, bell: Arc<Bell>) -> Self {
        Self {
            changes: ChangeQueue::new(app.clone(), bell),
            handing_over: Mutex::default(),
            app,
            cluster,
            others: AtomicUsize::new(0),
            connections: ChannelName::connections(),
        }
    }

    /// A number that no copy and no ticket has had.
    pub(crate) fn next_number(&self) -> u64 {
        self.cluster.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn is_live(&self, channel: &ChannelName) -> bool {
        self.cluster.topics.is_live(&self.app, channel)
    }

    /// Whether every event of the channel of the last `age` milliseconds has come here, as far as this node knows.
    pub(crate) fn is_whole(&self, channel: &ChannelName, age: u64) -> bool {
        self.cluster.topics.is_whole(&self.app, channel, age)
    }

    pub(crate) fn topics(&self) -> &dyn Topics {
        &*self.cluster.topics
    }

    pub(crate) fn app_id(&self) -> &AppId {
        &self.app
    }

    /// The bound of one outbox, in bytes.
    pub(crate) fn outbox_bytes(&self) -> usize {
        self.cluster.outbox_bytes
    }

    pub(crate) fn push(&self, change: Change) {
        self.changes.push(|| change);
    }

    /// Queues the number of connections, as the number is at that place of the queue.
    pub(crate) fn push_connections(&self, taken: &AtomicUsize, told: Telling) {
        self.changes.push(|| {
            let count = taken.load(Ordering::Relaxed);
            Change::Counted { channel: self.connections.clone(), count, told, hooked: false }
        });
    }

    /// Connections of the app on other nodes.
    pub(crate) fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }

    pub(crate) fn set_others(&self, connections: usize) {
        self.others.store(connections, Ordering::Relaxed);
    }
}

/// Who is told of the app's number of connections: every node where the number is limited (CL-062).
pub(crate) const fn told_of_connections(app: &App) -> Telling {
    if app.max_connections.is_some() { Telling::Always } else { Telling::Off }
}
