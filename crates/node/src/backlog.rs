//! Requests of durable webhooks, kept in the apps' database, and the task that retries them.
//!
//! Every node with a database runs the task; a lease in the database gives each URL to one node at a time, and the lease
//! of a node that died ends by itself. While nothing is kept, the task reads the table now and then, and that is all.

mod keeper;
mod worker;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use self::keeper::Keeper;
use self::worker::{LOOK, Place, Worker};
use crate::node::Node;

/// Shortest time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Time between two sweeps of what has grown too old.
const SWEEP: Duration = Duration::from_secs(60);

/// Most URLs whose requests are retried at once by this node.
const MOST_URLS: usize = 32;

/// Most URLs of a look.
const MOST_LISTED: u32 = 1000;

/// The task that retries kept requests.
pub struct BacklogTask {
    task: JoinHandle<()>,
    end: watch::Sender<bool>,
}

impl BacklogTask {
    /// Has webhooks keep requests, and starts the task, if there is a database; to be called before any webhook is sent.
    #[must_use]
    pub fn begin(node: &Arc<Node>) -> Option<Self> {
        node.apps.has_database().then(|| {
            let bell = Arc::<Notify>::default();
            node.outgoing.webhooks.set_backlog(Arc::new(Keeper::new(node, &bell)));
            let (end, ended) = watch::channel(false);
            let rounds = Rounds::new(Arc::clone(node), ended);
            Self { task: node.tasks.spawn("kept webhooks", rounds.run(bell)), end }
        })
    }

    /// Ends the task after the attempts under way, or at the deadline; what is leased then is free when its lease ends.
    pub async fn end(self, deadline: Instant) {
        self.end.send_replace(true);
        // Too late: the runtime ends the task.
        let _ = timeout_at(deadline, self.task).await;
    }
}

/// The state of the task.
struct Rounds {
    node: Arc<Node>,
    ended: watch::Receiver<bool>,
    /// URLs that nothing is sent to before that moment; those a worker is sending to have none.
    places: BTreeMap<Place, Option<Instant>>,
    workers: JoinSet<(Place, Instant)>,
    swept: Instant,
}

impl Rounds {
    fn new(node: Arc<Node>, ended: watch::Receiver<bool>) -> Self {
        Self { node, ended, places: BTreeMap::new(), workers: JoinSet::new(), swept: Instant::now() }
    }

    async fn run(mut self, bell: Arc<Notify>) {
        let mut ended = self.ended.clone();
        loop {
            let looked = Instant::now();
            let next = self.look().await.max(looked + BETWEEN_LOOKS);
            tokio::select! {
                () = sleep_until(next) => {}
                () = bell.notified() => {}
                Some(done) = self.workers.join_next() => self.note(done),
                _ = ended.wait_for(|ended| *ended) => break,
            }
            sleep_until(looked + BETWEEN_LOOKS).await;
        }
        while let Some(done) = self.workers.join_next().await {
            self.note(done);
        }
    }

    fn note(&mut self, done: Result<(Place, Instant), tokio::task::JoinError>) {
        match done {
            Ok((place, not_before)) => drop(self.places.insert(place, Some(not_before))),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // No worker is aborted.
            Err(_) => {}
        }
    }

    /// Starts a worker for each URL with requests that are due; returns when to look again.
    async fn look(&mut self) -> Instant {
        let now = Instant::now();
        self.places.retain(|_, not_before| not_before.is_none_or(|moment| moment > now));
        let mut next = now + LOOK;
        if now >= self.swept {
            self.swept = now + SWEEP;
            keeper::drop_old(&self.node).await;
        }
        let listed = match self.node.apps.backlog(MOST_LISTED).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::debug!(target: "fanfare::webhooks", %error, "kept requests are not known");
                return next;
            }
        };
        for url in listed {
            let place = (url.app, url.url);
            match self.places.get(&place) {
                Some(None) => continue,
                Some(Some(not_before)) => {
                    next = next.min(*not_before);
                    continue;
                }
                None if !url.due_in.is_zero() => {
                    next = next.min(now + url.due_in);
                    continue;
                }
                // The end of a worker wakes the task.
                None if self.workers.len() >= MOST_URLS => continue,
                None => {}
            }
            self.places.insert(place.clone(), None);
            let worker = Worker {
                node: Arc::clone(&self.node),
                place,
                ended: self.ended.clone(),
                has_delivered: false,
            };
            self.workers.spawn(worker.run());
        }
        next
    }
}
