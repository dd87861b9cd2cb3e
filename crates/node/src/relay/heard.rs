//! From the bus to this node: events to subscribers, outcomes to hubs, and what webhooks are to be told.
//!
//! What comes from the bus is delivered, never sent on (CL-007).

use std::sync::{Arc, Weak};

use fanfare_bus::partition::Partition;
use fanfare_bus::{
    AskedMissed, FoundMissed, HeardEvent, HeardKept, HeardMissed, HeardReach, HeardTap, HeardTapPart,
    HookBatch, HooksDone, Local, NodeReply, NodeSubject,
};
use fanfare_hub::OrderedEvent;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::resume::ResumeToken;
use fanfare_protocol::webhook::Transition;

use super::hooks::HookQueue;
use super::missed;
use super::questions::NodesQuestions;
use super::topics::LiveTopics;
use crate::node::Node;
use crate::session::note_refused;
use crate::taps::HeardOfTaps;
use crate::tenants::EventCounts;

/// The node as the bus sees it.
pub struct Heard {
    /// Weak, because the node holds the bus.
    node: Weak<Node>,
    topics: Arc<LiveTopics>,
    hooks: HookQueue,
    questions: NodesQuestions,
    taps: HeardOfTaps,
}

impl Heard {
    /// The node's side of its bus.
    #[must_use]
    pub fn new(
        node: &Arc<Node>,
        topics: Arc<LiveTopics>,
        (hooks, questions, taps): (HookQueue, NodesQuestions, HeardOfTaps),
    ) -> Self {
        Self { node: Arc::downgrade(node), topics, hooks, questions, taps }
    }
}

impl Local for Heard {
    fn event(&self, event: HeardEvent<'_>) {
        let HeardEvent { app, channel, except, frame, node: from } = event;
        let Some(node) = self.node.upgrade() else { return };
        let Some(hub) = node.hubs.get(app) else { return };
        let _window = node.timings.heard(node.hubs.budget());
        let took = hub.deliver_heard(channel, frame, except, from);
        count(&node, app, took, frame);
    }

    fn kept(&self, event: HeardKept) {
        let HeardKept { app, channel, version, is_own, except, quiet, lives, frame } = event;
        let Some(node) = self.node.upgrade() else { return };
        let Some(hub) = node.hubs.get(&app) else { return };
        let lives = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX);
        let until = node.milliseconds().saturating_add(lives);
        let event = OrderedEvent { version, is_own, is_quiet: quiet, frame: &frame, except, until };
        let _window = node.timings.heard(node.hubs.budget());
        let took = hub.hear_kept(&channel, event);
        count(&node, &app, took, &frame);
    }

    fn reach(&self, app: &AppId, channel: &str, except: Option<SocketId>) -> HeardReach {
        let hub = self.node.upgrade().and_then(|node| node.hubs.get(app));
        let reach = hub.map(|hub| hub.reach(&ChannelName::trusted(channel), except)).unwrap_or_default();
        HeardReach { took: reach.took, excluded: reach.excluded, slow: reach.slow }
    }

    fn asked(&self, app: &AppId, asked: (NodeSubject, &[u8]), reply: NodeReply) {
        self.questions.push(app, asked, reply);
    }

    fn tap(&self, app: &AppId, tap: HeardTap<'_>) {
        self.taps.tap(app, tap);
    }

    fn tap_part(&self, part: HeardTapPart<'_>) {
        if let Some(node) = self.node.upgrade() {
            self.taps.part(&node.taps, part);
        }
    }

    fn missed(&self, at: (&AppId, &str), asked: AskedMissed, answer: &mut dyn FnMut(Option<&FoundMissed>)) {
        match self.node.upgrade() {
            Some(node) => missed::answer(&node, at, asked, answer),
            None => answer(None),
        }
    }

    fn heard_missed(&self, at: (&AppId, &str), heard: HeardMissed) {
        if let Some(node) = self.node.upgrade() {
            missed::hear(&node, at, heard);
        }
    }

    fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId) {
        if let Some(hub) = self.node.upgrade().and_then(|node| node.hubs.get(app)) {
            hub.came_back(token, newcomer);
        }
    }

    fn outcome(&self, app: &AppId, outcome: ClusterOutcome) {
        let Some(node) = self.node.upgrade() else { return };
        // This node may be the one to tell of a channel that it has nobody on, as that of a node that died.
        let outcome = match outcome {
            ClusterOutcome::CountTold { channel, count } => {
                return self.hooks.tell(&node, app, Transition::Counted(channel, count));
            }
            ClusterOutcome::MissTold { channel } => {
                return self.hooks.tell(&node, app, Transition::Missed(channel));
            }
            outcome => outcome,
        };
        let Some(hub) = node.hubs.get(app) else { return };
        match outcome {
            ClusterOutcome::Refused { channel, user, ticket } => {
                let refused = hub.refuse(&channel, &user, ticket, node.milliseconds());
                let (channel, limit) = (channel.as_str(), hub.app().limits.members);
                let error = ProtocolError::ChannelFull { channel: channel.to_owned(), limit };
                for conn in refused.into_iter().filter_map(|socket| hub.conn(socket)) {
                    note_refused(&node, &hub, &conn, (Some(channel), &error));
                }
            }
            outcome => hub.apply(outcome, node.milliseconds()),
        }
    }

    fn live(&self, app: &AppId, partition: Partition, is_live: bool) {
        self.topics.set(app, partition, is_live);
        if is_live {
            return;
        }
        if let Some(hub) = self.node.upgrade().and_then(|node| node.hubs.get(app)) {
            hub.settle_acknowledgements();
        }
    }

    fn close_user(&self, app: &AppId, user: &UserId) {
        if let Some(hub) = self.node.upgrade().and_then(|node| node.hubs.get(app)) {
            hub.close_user(user.as_str(), &CloseReason::Terminated);
        }
    }

    fn app_changed(&self, app: &AppId) {
        if let Some(node) = self.node.upgrade() {
            node.apps.refresh(app.as_str());
        }
    }

    fn hooks(&self, batch: HookBatch, done: HooksDone) {
        self.hooks.push(batch, done);
    }

    fn hooks_refused(&self, app: &AppId, events: u64) {
        if let Some(node) = self.node.upgrade() {
            self.hooks.note_refused(&node, app, events);
        }
    }

    fn stop_hooks(&self, partition: Partition) {
        if let Some(node) = self.node.upgrade() {
            self.hooks.stop(&node, partition);
        }
    }
}

/// Counts deliveries of what another node has accepted and counted as a message (CL-066).
fn count(node: &Node, app: &AppId, took: usize, frame: &Frame) {
    if took > 0 {
        let mut counts = EventCounts::default();
        counts.add_deliveries(took, frame);
        node.tenants.of(app).count_deliveries(counts);
    }
}
