//! The node as one of several: its bus, from the start to the end, and what is done every second for it.

use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::{Bus, ClusterQuestion, ClusterReply, NodeAbout, Settings};
use fanfare_hub::AppHub;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::changes::ChangesTask;
use super::heard::Heard;
use super::hooks::HookQueue;
use super::missed::MissedQuestions;
use super::questions::NodesQuestions;
use super::quotas::Quotas;
use crate::clock::unix_seconds;
use crate::node::Node;
use crate::taps::HeardOfTaps;

/// How often nodes tell each other what apps have used (CL-063).
const USAGE: Duration = Duration::from_secs(1);

/// How long the last known connections of other nodes count while these cannot be asked (CL-062).
const OTHERS_COUNT: Duration = Duration::from_secs(5);

/// How long the end waits for apps that webhooks are to be told of.
const LAST_TOLD: Duration = Duration::from_millis(500);

/// A node's part in a cluster.
pub(super) struct ClusterTasks {
    bus: Bus,
    changes: ChangesTask,
    hooks: HookQueue,
}

impl ClusterTasks {
    /// Starts the bus, if there are other nodes to share with. `id` is random, `name` for people.
    pub(super) fn begin(node: &Arc<Node>, id: u64, name: String) -> Option<Self> {
        let config = node.config_kept();
        let section = &config.bus;
        let topics = node.topics.clone()?;
        let settings = Settings {
            urls: section.urls.clone(),
            trust: section.trust.clone(),
            prefix: section.prefix.clone(),
            partitions: section.partitions,
            lease: section.lease,
            settling: section.settling,
            hook_delay: config.webhooks.settings().delay,
            hook_batch: config.webhooks.settings().batch,
            key_bytes: config.idempotency.app_bytes,
            node: NodeAbout {
                id,
                name,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started: unix_seconds(),
                counted_as: crate::usage::remembered_as(node),
            },
        };
        let hooks = HookQueue::default();
        node.tasks.spawn("webhooks of the cluster", hooks.clone().run(Arc::clone(node)));
        let parts = (hooks.clone(), NodesQuestions::begin(node), HeardOfTaps::begin(node));
        let heard = Arc::new(Heard::new(node, Arc::clone(&topics), parts));
        let bus = Bus::start(settings, heard, |name, task| drop(node.tasks.spawn(name, task)));
        // The node was made a moment ago, and has no bus yet.
        let _ = node.bus.set(bus.clone());
        let questions = MissedQuestions::new(node);
        topics.set_elsewhere(questions.clone());
        node.tasks.spawn("what clients missed elsewhere", questions.run());
        node.tasks.spawn("quotas of the cluster", every_second(Arc::clone(node), bus.clone()));
        Some(Self { changes: ChangesTask::begin(node, &bus), hooks, bus })
    }

    /// Hands over the last changes, and sends no more webhooks for the cluster than those under way; returns the bus,
    /// which is to be ended when these are done.
    pub(super) async fn rest(self, node: &Node) -> Bus {
        self.changes.end().await;
        // What then still waits for a look-up goes with this node.
        let _ = timeout(LAST_TOLD, self.hooks.end(node)).await;
        self.bus
    }
}

/// Tells what apps have used, and hears what other nodes have (CL-062 … CL-064).
async fn every_second(node: Arc<Node>, bus: Bus) {
    let mut every = interval(USAGE);
    let mut quotas = Quotas::default();
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        bus.set_connections(node.seats.open());
        quotas.share(&node, &bus).await;
        let is_in_touch = bus.links().iter().all(|link| link.is_up);
        if node.seen.set_in_touch(is_in_touch).is_some_and(|away| away >= OTHERS_COUNT) {
            // An app whose Redis is there still hears of the others.
            let is_away = |hub: &AppHub| !bus.is_up(&hub.app().id, &ChannelName::connections());
            node.hubs.all().iter().filter(|hub| is_away(hub)).for_each(|hub| hub.forget_others());
        }
        // While they cannot be asked, what was read last is shown.
        if let Ok(ClusterReply::Nodes(nodes)) = bus.ask(&AppId::from(""), ClusterQuestion::Nodes).await {
            let connections = nodes.iter().filter_map(|known| Some(known.says.as_ref()?.connections)).sum();
            node.seen.set_numbers(nodes.len(), connections);
        }
    }
}
