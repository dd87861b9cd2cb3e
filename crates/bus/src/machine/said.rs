//! What a machine is made with, and what it says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::AppId;

use crate::command::{BusCommand, NodeName, Token};
use crate::local::HookBatch;
use crate::partition::{Layout, Partition, Topic};

/// What a machine is made with.
#[derive(Clone)]
pub struct MachineSettings {
    /// This node.
    pub node: NodeName,
    /// Where everything lies.
    pub layout: Arc<Layout>,
    /// How long a lease lasts: 5 s.
    pub lease: Duration,
    /// How long an epoch is young: 8 s (N8).
    pub settling: Duration,
    /// How long after a reading a copy is read again for safety: 4 min, and up to a quarter more, so that each copy has a
    /// moment of its own (N13).
    pub checked: Duration,
    /// Anything; nodes with different seeds take away a dead node's rows at different moments.
    pub seed: u64,
    /// The frame for clients in a kept message; `None` for a message that cannot be read.
    pub frame_of: fn(&Bytes) -> Option<Frame>,
}

/// What a machine says, in order. Taken with [`super::Machine::take`].
#[derive(Clone, Debug, Default)]
pub struct Out {
    /// To be asked of Redis in this order, each to be answered with [`super::Machine::answered`].
    pub commands: Vec<(Token, BusCommand)>,
    /// To be brought to this node.
    pub outcomes: Vec<(AppId, ClusterOutcome)>,
    /// Topics to subscribe to.
    pub subscribe: Vec<Topic>,
    /// Topics that nobody here needs any more (CL-008); to be left before those of `subscribe` are entered.
    pub unsubscribe: Vec<Topic>,
    /// Whether newcomers of channels without roster and cache may be acknowledged at once.
    pub live: Vec<(AppId, Partition, bool)>,
    /// Channels whose roster here was wrong without a known cause, and is right now (N13).
    pub mended: Vec<(AppId, ChannelName)>,
    /// Webhooks to be sent now.
    pub hooks: Vec<HookBatch>,
    /// Partitions whose webhooks this node may send no more.
    pub stop_hooks: Vec<Partition>,
    /// Events for webhooks that had no room in Redis, so are not told now.
    pub refused_hooks: Vec<(AppId, u64)>,
    /// Partitions whose topic of hooks is to be subscribed to, or not any more.
    pub listen_hooks: Vec<(Partition, bool)>,
    /// Why a lease is taken anew over a connection that stands, for the operator.
    pub why: Option<&'static str>,
}
