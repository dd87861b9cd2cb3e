//! Passes the transitions of the hubs to the webhooks, and wakes the webhooks when an event is due.
//!
//! One task for all apps, so that the transitions of a channel keep their order. Never waits for a URL.

use std::future::{poll_fn, ready};
use std::sync::Arc;

use fanfare_hub::AppHub;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{News, Tally};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use crate::node::Node;

/// Most transitions of one app in a turn.
const MOST_AT_ONCE: usize = 1000;

/// The task that passes transitions.
pub struct WebhookTask {
    task: JoinHandle<()>,
    end: oneshot::Sender<Instant>,
}

impl WebhookTask {
    /// Starts the task.
    #[must_use]
    pub fn begin(node: &Arc<Node>) -> Self {
        let (end, ended) = oneshot::channel();
        Self { task: node.tasks.spawn("webhooks", run(Arc::clone(node), ended)), end }
    }

    /// Sends waiting events, until the deadline at most, and ends the task.
    pub async fn end(self, deadline: Instant) {
        // Both fail only if the task has ended.
        let _ = self.end.send(deadline);
        let _ = self.task.await;
    }
}

async fn run(node: Arc<Node>, mut ended: oneshot::Receiver<Instant>) {
    let webhooks = &node.outgoing.webhooks;
    let mut due: Vec<AppId> = Vec::new();
    loop {
        let next = webhooks.tell_due();
        tokio::select! {
            apps = poll_fn(|cx| node.hubs.poll_transitions(cx)) => due.extend(apps),
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            () = ready(()), if !due.is_empty() => {}
            deadline = &mut ended => {
                for hub in node.hubs.all() {
                    while bring(&node, &hub) {}
                }
                // No deadline: the server has ended.
                let Ok(deadline) = deadline else { return };
                return webhooks.end(deadline).await;
            }
        }
        // One round: an app with more transitions continues after all others, and after delayed events that are due.
        for app in std::mem::take(&mut due) {
            if let Some(hub) = node.hubs.get(&app)
                && bring(&node, &hub)
            {
                due.push(app);
            }
            yield_now().await;
        }
    }
}

/// Passes some transitions of an app; returns whether there are more.
fn bring(node: &Node, hub: &AppHub) -> bool {
    let mut transitions = Vec::new();
    let taken = hub.take_transitions(&mut transitions, MOST_AT_ONCE);
    let looks = taken.lost > 0 || !taken.newly_wanted.is_empty();
    if transitions.is_empty() && !looks {
        return taken.more;
    }
    // Read after the transitions: later changes are later transitions.
    let present = if looks { hub.present() } else { Vec::new() };
    let tally: Arc<dyn Tally> = node.tenants.of(&hub.app().id);
    let news = News { transitions, lost: taken.lost, newly_wanted: taken.newly_wanted, present };
    node.outgoing.webhooks.hear(&tally, news, || hub.app());
    taken.more
}
