//! Events for webhooks that the nodes have decided together, on the node that sends them (CL-030).
//!
//! One task, so that the events of an app keep their order. An app whose settings cannot be read now holds up nobody but
//! itself. Bounded by the bus, which takes so many entries from Redis and more only as these are done.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::partition::Partition;
use fanfare_bus::{HookBatch, HooksDone};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{Decided, SentAgain, Tally};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::node::Node;

/// How soon an app's settings are looked up again.
const AGAIN: Duration = Duration::from_secs(1);

/// Shortest time between two log lines about events without room.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Batches whose app is being looked up.
#[derive(Clone, Default)]
pub struct HookQueue(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Guards the queue, and that no batch is sent after it was stopped.
    queue: Mutex<Queue>,
    bell: Notify,
    /// Events without room that were not logged, and when some were logged last.
    refused: Mutex<(u64, Option<Instant>)>,
}

#[derive(Default)]
struct Queue {
    /// The oldest first.
    waiting: VecDeque<(HookBatch, HooksDone)>,
    /// The node stops: the next sender sends what comes.
    has_ended: bool,
}

impl HookQueue {
    pub(super) fn push(&self, batch: HookBatch, done: HooksDone) {
        let mut queue = self.0.queue.lock();
        if queue.has_ended {
            return;
        }
        queue.waiting.push_back((batch, done));
        drop(queue);
        self.0.bell.notify_one();
    }

    /// Counts events of an app that had no room in Redis, and logs them now and then.
    pub(super) fn note_refused(&self, node: &Node, app: &AppId, events: u64) {
        node.tenants.of(app).dropped(events);
        let mut refused = self.0.refused.lock();
        refused.0 += events;
        if refused.1.is_none_or(|at| at.elapsed() >= BETWEEN_LINES) {
            let events = std::mem::take(&mut refused.0);
            refused.1 = Some(Instant::now());
            let app = app.as_str();
            tracing::warn!(target: "fanfare::webhooks", app, events, "too many webhook events of the cluster wait; events of this app, perhaps of others, were dropped");
        }
    }

    /// Drops the batches of a partition, and what the webhooks have of them and is not under way.
    pub(super) fn stop(&self, node: &Node, partition: Partition) {
        let mut queue = self.0.queue.lock();
        queue.waiting.retain(|(batch, _)| batch.partition != partition);
        node.outgoing.webhooks.withdraw(u32::from(partition));
    }

    /// Drops all batches, also those to come, and what the webhooks have of them and is not under way.
    pub(super) fn end(&self, node: &Node) {
        let mut queue = self.0.queue.lock();
        queue.has_ended = true;
        queue.waiting.clear();
        for partition in 0..node.config.bus.partitions {
            node.outgoing.webhooks.withdraw(u32::from(partition));
        }
    }

    /// Sends what is pushed, for ever.
    pub(super) async fn run(self, node: Arc<Node>) {
        loop {
            let apps: BTreeSet<AppId> =
                self.0.queue.lock().waiting.iter().map(|(batch, _)| batch.app.clone()).collect();
            let mut is_away = false;
            for app in apps {
                match node.apps.by_id(app.as_str()).await {
                    Ok(found) => self.send(&node, &app, found.as_ref()),
                    Err(error) => {
                        is_away = true;
                        let app = app.as_str();
                        tracing::debug!(target: "fanfare::webhooks", app, %error, "app not looked up");
                    }
                }
            }
            tokio::select! {
                () = self.0.bell.notified() => {}
                () = sleep(AGAIN), if is_away => {}
            }
        }
    }

    /// Sends all batches of an app; an app that does not exist any more is told of nothing.
    fn send(&self, node: &Node, app: &AppId, found: Option<&Arc<App>>) {
        let mut queue = self.0.queue.lock();
        let (batches, others) = queue.waiting.drain(..).partition(|(batch, _)| batch.app == *app);
        queue.waiting = others;
        let batches: VecDeque<(HookBatch, HooksDone)> = batches;
        let tally: Arc<dyn Tally> = node.tenants.of(app);
        for (HookBatch { partition, time_ms, age, events, .. }, done) in batches {
            let Some(found) = found else {
                done.done();
                continue;
            };
            let transitions = events.into_iter().map(|event| event.transition).collect();
            let again =
                SentAgain { time_ms, age, source: u32::from(partition), done: Box::new(move || done.done()) };
            let newest = || node.hubs.get(app).map_or_else(|| Arc::clone(found), |hub| hub.app());
            node.outgoing.webhooks.send(&tally, Decided { transitions, again: Some(again) }, newest);
        }
    }
}
