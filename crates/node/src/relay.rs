//! The one taker of the hubs' transitions and changes, which hands them to every part that wants them: transitions to
//! `telling`, changes to the other nodes (`cluster`).
//!
//! One task for all apps, so that the transitions of a channel keep their order. Never waits for a receiver.

mod changes;
mod cluster;
mod heard;
mod hooks;
mod missed;
mod questions;
mod quotas;
mod state;
mod topics;

pub(crate) use changes::hand_over;
pub use state::ClusterState;
pub(crate) use topics::LiveTopics;

use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::time::Duration;

use fanfare_hub::AppHub;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::News;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use self::cluster::ClusterTasks;
use crate::node::Node;
use crate::telling;

/// Most transitions of one app in a turn.
const MOST_AT_ONCE: usize = 1000;

/// What taking leave of the other nodes has of the time at the end.
const LEAVE: Duration = Duration::from_millis(500);

/// The task that takes transitions.
pub struct RelayTask {
    task: JoinHandle<()>,
    end: oneshot::Sender<Instant>,
    /// The node's part in a cluster, if there is one.
    cluster: Option<ClusterTasks>,
}

impl RelayTask {
    /// Starts the task, and joins the other nodes, if there are any; `id` is random, `name` is what people call the node.
    #[must_use]
    pub fn begin(node: &Arc<Node>, id: u64, name: String) -> Self {
        let (end, ended) = oneshot::channel();
        // Said once, by the start.
        let _ = node.name.set(name.clone());
        node.taps.set_name(&name);
        let cluster = ClusterTasks::begin(node, id, name);
        Self { task: node.tasks.spawn("relay", run(Arc::clone(node), ended)), end, cluster }
    }

    /// Hands over what waits, sends the last webhooks until the deadline at most, takes leave of the other nodes, and ends
    /// the task.
    pub async fn end(self, node: &Node, deadline: Instant) {
        let bus = match self.cluster {
            Some(cluster) => Some(cluster.rest(node).await),
            None => None,
        };
        let for_bus = if bus.is_some() { LEAVE } else { Duration::ZERO };
        // Both fail only if the task has ended.
        let _ = self.end.send(deadline - for_bus);
        let _ = self.task.await;
        if let Some(bus) = bus {
            bus.end(deadline).await;
        }
    }
}

async fn run(node: Arc<Node>, mut ended: oneshot::Receiver<Instant>) {
    let mut due: Vec<AppId> = Vec::new();
    loop {
        let next = telling::tell_due(&node);
        tokio::select! {
            apps = poll_fn(|cx| node.hubs.poll_transitions(cx)) => due.extend(apps),
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            () = ready(()), if !due.is_empty() => {}
            deadline = &mut ended => {
                for hub in node.hubs.all() {
                    while relay(&node, &hub) {}
                }
                // No deadline: the server has ended.
                let Ok(deadline) = deadline else { return };
                return telling::end(&node, deadline).await;
            }
        }
        // One round: an app with more transitions continues after all others, and after delayed events that are due.
        for app in std::mem::take(&mut due) {
            if let Some(hub) = node.hubs.get(&app)
                && relay(&node, &hub)
            {
                due.push(app);
            }
            yield_now().await;
        }
    }
}

/// Hands over some transitions of an app; returns whether there are more.
fn relay(node: &Node, hub: &AppHub) -> bool {
    let mut transitions = Vec::new();
    let taken = hub.take_transitions(&mut transitions, MOST_AT_ONCE);
    let looks = taken.lost > 0 || !taken.newly_wanted.is_empty();
    if !transitions.is_empty() || looks {
        // Read after the transitions: later changes are later transitions.
        // In a cluster the nodes decide together who has come: nobody is adopted here.
        let present = if looks && node.bus().is_none() { hub.present() } else { Vec::new() };
        let news = News { transitions, lost: taken.lost, newly_wanted: taken.newly_wanted, present };
        telling::hear(node, hub, news);
    }
    taken.more
}
