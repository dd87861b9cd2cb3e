//! The one taker of the hubs' transitions, which hands them to every part that wants them: `telling`, for now.
//!
//! One task for all apps, so that the transitions of a channel keep their order. Never waits for a receiver.

use std::future::{poll_fn, ready};
use std::sync::Arc;

use fanfare_hub::AppHub;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::News;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use crate::node::Node;
use crate::telling;

/// Most transitions of one app in a turn.
const MOST_AT_ONCE: usize = 1000;

/// The task that takes transitions.
pub struct RelayTask {
    task: JoinHandle<()>,
    end: oneshot::Sender<Instant>,
}

impl RelayTask {
    /// Starts the task.
    #[must_use]
    pub fn begin(node: &Arc<Node>) -> Self {
        let (end, ended) = oneshot::channel();
        Self { task: node.tasks.spawn("relay", run(Arc::clone(node), ended)), end }
    }

    /// Hands over what waits, sends the last webhooks until the deadline at most, and ends the task.
    pub async fn end(self, deadline: Instant) {
        // Both fail only if the task has ended.
        let _ = self.end.send(deadline);
        let _ = self.task.await;
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
        let present = if looks { hub.present() } else { Vec::new() };
        let news = News { transitions, lost: taken.lost, newly_wanted: taken.newly_wanted, present };
        telling::hear(node, hub, news);
    }
    taken.more
}
