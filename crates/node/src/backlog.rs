//! Requests of durable webhooks, kept in the apps' database, and the task that retries them.
//!
//! Every node with a database runs the task; a lease in the database gives each URL to one node at a time, and the lease
//! of a node that died ends by itself. While nothing is kept, the task reads the table now and then, and that is all.

mod counted;
mod keeper;
mod places;
mod worker;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::counted::AppBacklog;
pub(crate) use self::counted::counted;
use self::keeper::Keeper;
use self::places::{Left, Place, Places};
use self::worker::{LOOK, Worker};
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
    places: Places,
    workers: JoinSet<(Place, Left)>,
    swept: Instant,
}

impl Rounds {
    fn new(node: Arc<Node>, ended: watch::Receiver<bool>) -> Self {
        Self { node, ended, places: Places::default(), workers: JoinSet::new(), swept: Instant::now() }
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

    fn note(&mut self, done: Result<(Place, Left), tokio::task::JoinError>) {
        match done {
            Ok((place, left)) => self.places.leave(place, left, Instant::now()),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // No worker is aborted.
            Err(_) => {}
        }
    }

    /// Starts workers for URLs with requests that are due; returns when to look again.
    async fn look(&mut self) -> Instant {
        let now = Instant::now();
        if now >= self.swept {
            self.swept = now + SWEEP;
            keeper::drop_old(&self.node).await;
        }
        let listed = match self.node.apps.backlog(MOST_LISTED).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::debug!(target: "fanfare::webhooks", %error, "kept requests are not known");
                return now + LOOK;
            }
        };
        // Of more URLs, the next are taken when a worker ends, which wakes the task.
        let most = MOST_URLS.saturating_sub(self.workers.len());
        let (due, next) = self.places.take_due(listed, most, now);
        for place in due {
            self.workers.spawn(Worker::new(&self.node, place, &self.ended).run());
        }
        next.map_or(now + LOOK, |next| next.min(now + LOOK))
    }
}
