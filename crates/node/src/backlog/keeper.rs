//! From the crate `webhooks` to the database: keeping requests, and counting those that are dropped.

use std::sync::{Arc, Weak};
use std::time::Duration;

use fanfare_apps::{DroppedRequest, OperationError, UndeliveredRequest};
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{Backlog, Keeping, KeptRequest, Tally};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::node::Node;
use crate::refusals;

/// Longest wait for a turn: the database itself has less than two seconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most URLs whose requests are being kept at once: the database has few connections, and others need them too.
const MOST_AT_ONCE: usize = 2;

/// The way to the backlog. Weak, because the node holds its webhooks.
pub(super) struct Keeper {
    node: Weak<Node>,
    /// Rung when something is kept.
    bell: Arc<Notify>,
    turns: Arc<Semaphore>,
}

impl Keeper {
    pub fn new(node: &Arc<Node>, bell: &Arc<Notify>) -> Self {
        let turns = Arc::new(Semaphore::new(MOST_AT_ONCE));
        Self { node: Arc::downgrade(node), bell: Arc::clone(bell), turns }
    }
}

impl Backlog for Keeper {
    fn keep(&self, app: &AppId, url: &str, requests: Vec<KeptRequest>) -> Keeping {
        let (node, bell, turns) = (Weak::clone(&self.node), Arc::clone(&self.bell), Arc::clone(&self.turns));
        let (app, url) = (app.clone(), url.to_owned());
        Box::pin(async move {
            let Some(node) = node.upgrade() else { return false };
            let Ok(Ok(_turn)) = timeout(PATIENCE, turns.acquire()).await else { return false };
            let requests: Vec<UndeliveredRequest> = requests.into_iter().map(to_store).collect();
            let bounds = node.config().webhooks.backlog_bounds();
            match node.apps.keep_requests((&app, &url), &requests, &bounds).await {
                Ok(dropped) => {
                    count_dropped(&node, &dropped, "no room");
                    bell.notify_one();
                    true
                }
                Err(error) => {
                    let app = app.as_str();
                    tracing::debug!(target: "fanfare::webhooks", app, %error, "requests are not kept");
                    false
                }
            }
        })
    }
}

fn to_store(request: KeptRequest) -> UndeliveredRequest {
    let KeptRequest { key, body, events, failed, age, due_in } = request;
    UndeliveredRequest { key, body, events, attempts: failed, age, due_in }
}

/// Drops what has grown too old.
pub(super) async fn drop_old(node: &Node) {
    let age = node.config().webhooks.backlog_bounds().age;
    while note_dropped(node, node.apps.drop_old_requests(age).await, "too old") {}
}

/// Drops the requests of a URL that the app has no more.
pub(super) async fn drop_unwanted(node: &Node, app: &AppId, url: &str) {
    while note_dropped(node, node.apps.drop_requests(app, url).await, "no such webhook") {}
}

/// Returns whether there may be more to drop.
fn note_dropped(
    node: &Node,
    dropped: Result<Vec<DroppedRequest>, OperationError>,
    reason: &'static str,
) -> bool {
    match dropped {
        Ok(dropped) => {
            count_dropped(node, &dropped, reason);
            !dropped.is_empty()
        }
        Err(error) => {
            tracing::debug!(target: "fanfare::webhooks", %error, "kept requests were not dropped");
            false
        }
    }
}

/// Counts dropped requests for their apps, and logs them now and then.
fn count_dropped(node: &Node, dropped: &[DroppedRequest], reason: &'static str) {
    for DroppedRequest { app, events } in dropped {
        let tenant = node.tenants.of(app);
        tenant.dropped(*events);
        tenant.count_kept_dropped(1);
        refusals::kept_dropped(node, app, reason, *events);
    }
    if let Some(first) = dropped.first()
        && let Some(requests) = node.kept_dropped.add(dropped.len() as u64)
    {
        let app = first.app.as_str();
        tracing::warn!(
            target: "fanfare::webhooks", app, requests, reason,
            "kept requests of webhooks were dropped, of this app and perhaps of others"
        );
    }
}
