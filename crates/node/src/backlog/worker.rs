//! One URL whose kept requests are sent, one after another, in the order in which they were kept.

use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::{LeaseOutcome, OperationError, RequestLease};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{KeptRequest, Retried, Tally};
use tokio::sync::watch;
use tokio::time::Instant;

use super::keeper;
use crate::node::Node;

/// Longest time between two looks at what is kept: by this node, or by one that has died.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// An app and a URL of its webhooks.
pub(super) type Place = (AppId, String);

/// Most requests of a lease; their bodies are in memory.
const MOST_LEASED: u32 = 8;

/// What a lease has beyond the time of two attempts.
const BEYOND: Duration = Duration::from_secs(5);

/// How soon a URL is looked at again that another node has, or that has nothing to send now.
const SOON: Duration = Duration::from_secs(1);

/// Sends until nothing is due, an attempt fails, or the task ends.
pub(super) struct Worker {
    pub node: Arc<Node>,
    pub place: Place,
    pub ended: watch::Receiver<bool>,
    /// Whether the URL has answered since the worker began.
    pub has_delivered: bool,
}

/// Why a worker stops.
enum Stop {
    /// Nothing is to be sent before that moment.
    Until(Instant),
    /// The database does not answer.
    Away(OperationError),
}

impl From<OperationError> for Stop {
    fn from(error: OperationError) -> Self {
        Self::Away(error)
    }
}

impl Worker {
    /// Returns when the URL may be looked at again.
    pub async fn run(mut self) -> (Place, Instant) {
        let node = Arc::clone(&self.node);
        let not_before = loop {
            if *self.ended.borrow() {
                break Instant::now() + LOOK;
            }
            match node.outgoing.webhooks.in_turn(self.send_some()).await {
                Ok(()) => {}
                Err(Stop::Until(moment)) => break moment,
                Err(Stop::Away(error)) => {
                    let app = self.place.0.as_str();
                    tracing::debug!(target: "fanfare::webhooks", app, %error, "kept requests wait for the database");
                    break Instant::now() + LOOK;
                }
            }
        };
        (self.place, not_before)
    }

    /// Leases requests and sends them.
    async fn send_some(&mut self) -> Result<(), Stop> {
        let (id, url) = &self.place;
        let app = match self.node.apps.by_id(id.as_str()).await {
            Ok(Some(app)) => self.node.hubs.get(id).map_or(app, |hub| hub.app()),
            Ok(None) => return self.drop_all().await,
            // The database is away, or the app's row cannot be used now.
            Err(_) => return Err(Stop::Until(Instant::now() + LOOK)),
        };
        if !app.webhooks.iter().any(|webhook| webhook.enabled && webhook.url == *url) {
            return self.drop_all().await;
        }
        let timeout = Duration::from_millis(self.node.config.webhooks.timeout.into());
        let began = Instant::now();
        let lease = self.node.apps.lease_requests((id, url), MOST_LEASED, 2 * timeout + BEYOND).await?;
        if lease.requests.is_empty() {
            return Err(Stop::Until(began + SOON));
        }
        for request in &lease.requests {
            // What is sent has to be over when another node may send it.
            if *self.ended.borrow() || began.elapsed() > timeout + BEYOND / 2 {
                self.node.apps.release_requests(&lease).await?;
                return Ok(());
            }
            let kept = KeptRequest {
                key: request.key.clone(),
                body: request.body.clone(),
                events: request.events,
                failed: request.attempts,
                age: Duration::ZERO,
                due_in: Duration::ZERO,
            };
            match self.retry(&app, &kept).await {
                Retried::Delivered => {
                    self.node.apps.settle_request(&lease, request, LeaseOutcome::Delivered).await?;
                    if !std::mem::replace(&mut self.has_delivered, true) {
                        // What failed most often is the oldest, and waits longest: the oldest go first from here on.
                        self.node.apps.hasten_requests(id, url).await?;
                        self.node.apps.release_requests(&lease).await?;
                        return Ok(());
                    }
                }
                Retried::Failed(due_in) => {
                    let failed = LeaseOutcome::Failed(due_in);
                    self.node.apps.settle_request(&lease, request, failed).await?;
                    return self.pause(&lease).await;
                }
                Retried::Unwanted => return self.drop_all().await,
            }
        }
        Ok(())
    }

    async fn retry(&self, app: &App, kept: &KeptRequest) -> Retried {
        let tally: &dyn Tally = &*self.node.tenants.of(&app.id);
        self.node.outgoing.webhooks.retry(tally, app, &self.place.1, kept).await
    }

    /// Leaves a URL that fails alone for a while.
    async fn pause(&self, lease: &RequestLease) -> Result<(), Stop> {
        self.node.apps.release_requests(lease).await?;
        let pause = Duration::from_millis(self.node.config.webhooks.retry.into());
        Err(Stop::Until(Instant::now() + pause))
    }

    async fn drop_all(&self) -> Result<(), Stop> {
        let (app, url) = &self.place;
        keeper::drop_unwanted(&self.node, app, url).await;
        Err(Stop::Until(Instant::now() + SOON))
    }
}
