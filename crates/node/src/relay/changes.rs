//! From the hubs to the other nodes: one task takes the changes of all apps, in order for each app; a question for numbers
//! takes those of its app before.
//!
//! Never waits for Redis.

use std::future::{poll_fn, ready};
use std::sync::Arc;

use fanfare_bus::Bus;
use fanfare_hub::AppHub;
use fanfare_protocol::ids::AppId;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

use crate::node::Node;

/// Most changes of one app in a turn.
const MOST_AT_ONCE: usize = 1000;

/// Most such turns before a question.
const MOST_TURNS: usize = 10;

/// The task that takes changes.
pub(super) struct ChangesTask {
    task: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

impl ChangesTask {
    pub(super) fn begin(node: &Arc<Node>, bus: &Bus) -> Self {
        let (end, ended) = oneshot::channel();
        let running = run(Arc::clone(node), bus.clone(), ended);
        Self { task: node.tasks.spawn("changes for other nodes", running), end }
    }

    /// Hands over what waits, and ends the task.
    pub(super) async fn end(self) {
        // Both fail only if the task has ended.
        let _ = self.end.send(());
        let _ = self.task.await;
    }
}

async fn run(node: Arc<Node>, bus: Bus, mut ended: oneshot::Receiver<()>) {
    let mut due: Vec<AppId> = Vec::new();
    loop {
        tokio::select! {
            apps = poll_fn(|cx| node.hubs.poll_cluster_changes(cx)) => due.extend(apps),
            () = ready(()), if !due.is_empty() => {}
            _ = &mut ended => {
                for hub in node.hubs.all() {
                    while relay(&bus, &hub) {}
                }
                return;
            }
        }
        // One round: an app with more changes continues after all others.
        for app in std::mem::take(&mut due) {
            if let Some(hub) = node.hubs.get(&app)
                && relay(&bus, &hub)
            {
                due.push(app);
            }
            yield_now().await;
        }
    }
}

/// Hands over what an app has changed until now, because somebody is about to ask for numbers: this node's own part may
/// not lag (CL-020). Of a flood of changes some stay for the task.
pub(crate) fn hand_over(node: &Node, bus: &Bus, app: &AppId) {
    if let Some(hub) = node.hubs.get(app) {
        let _ = (0..MOST_TURNS).take_while(|_| relay(bus, &hub)).count();
    }
}

/// Hands over some changes of an app; returns whether there are more.
fn relay(bus: &Bus, hub: &AppHub) -> bool {
    hub.hand_over(MOST_AT_ONCE, |changes, taken| {
        let app = &hub.app().id;
        if taken.lost > 0 {
            bus.lost_changes(app, taken.lost);
        }
        if taken.is_stale {
            bus.reset(app, hub.snapshot());
        }
        if !changes.is_empty() && bus.changes(app, changes).is_err() {
            // Read after the changes: what is lost with them is in the snapshot, or a later change.
            hub.lose_taken_changes();
            bus.reset(app, hub.snapshot());
        }
        taken.more
    })
}
