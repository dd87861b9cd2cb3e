//! One URL whose kept requests are sent, one after another, in the order in which they were kept.

use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::{LeaseOutcome, OperationError, RequestLease};
use fanfare_protocol::app::App;
use fanfare_webhooks::{KeptRequest, Retried, Tally};
use tokio::sync::watch;
use tokio::time::Instant;

use super::keeper;
use super::places::{Left, Place};
use crate::node::Node;

/// Longest time between two looks at what is kept: by this node, or by one that has died.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// Most requests of a lease; their bodies are in memory.
const MOST_LEASED: u32 = 8;

/// What a lease has beyond the time of two attempts.
const BEYOND: Duration = Duration::from_secs(5);

/// How soon a URL is looked at again that another node has, or that has nothing to send now.
const SOON: Duration = Duration::from_secs(1);

/// Sends until nothing is due, two attempts in a row fail, or the task ends.
pub(super) struct Worker {
    node: Arc<Node>,
    place: Place,
    ended: watch::Receiver<bool>,
    /// Whether the URL has answered since the worker began.
    has_delivered: bool,
    /// Whether the last request was delivered; unknown before the first.
    answers: Option<bool>,
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
    pub fn new(node: &Arc<Node>, place: Place, ended: &watch::Receiver<bool>) -> Self {
        let (node, ended) = (Arc::clone(node), ended.clone());
        Self { node, place, ended, has_delivered: false, answers: None }
    }

    /// Returns how the URL is left.
    pub async fn run(mut self) -> (Place, Left) {
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
        (self.place, Left { not_before, fails: self.answers == Some(false) })
    }

    /// Leases requests and sends them.
    async fn send_some(&mut self) -> Result<(), Stop> {
        let app = self.wanting_app().await?;
        let (id, url) = &self.place;
        let timeout = Duration::from_millis(self.node.config().webhooks.timeout.into());
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
                    self.answers = Some(true);
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
                    // One that is refused between others says nothing of these.
                    if self.answers.replace(false) != Some(true) {
                        return self.pause(&lease).await;
                    }
                }
                Retried::Unwanted => return self.pause(&lease).await,
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
        let pause = Duration::from_millis(self.node.config().webhooks.retry.into());
        Err(Stop::Until(Instant::now() + pause))
    }

    /// The app, if it wants the requests.
    async fn wanting_app(&self) -> Result<Arc<App>, Stop> {
        let (id, url) = &self.place;
        let apps = &self.node.apps;
        // The database is away, or the app's row cannot be used now.
        let later = |_| Stop::Until(Instant::now() + LOOK);
        let known = apps.by_id(id.as_str()).await.map_err(later)?;
        let known = known.map(|app| self.node.hubs.get(id).map_or(app, |hub| hub.app()));
        if let Some(app) = known.filter(|app| wants(app, url)) {
            return Ok(app);
        }
        // What this node knows may be older than what another one has kept. Of an app of the configuration, or one that is in no
        // database, other nodes may know more: their requests are left to them, and grow too old if nobody does.
        let now = if apps.is_fixed(id.as_str()) {
            None
        } else {
            apps.by_id_now(id.as_str()).await.map_err(later)?
        };
        if now.is_some_and(|app| !wants(&app, url)) {
            keeper::drop_unwanted(&self.node, id, url).await;
        }
        Err(Stop::Until(Instant::now() + LOOK))
    }
}

/// Whether the app has the webhook, and a key to sign with.
fn wants(app: &App, url: &str) -> bool {
    !app.credentials.is_empty() && app.webhooks.iter().any(|webhook| webhook.enabled && webhook.url == url)
}
