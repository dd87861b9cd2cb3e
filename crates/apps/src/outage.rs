//! Whether the database answers, and whether the database stores writes.
//!
//! Between the first failure and the first success no look-up waits for the database: the task of
//! [`Apps::upkeep`](crate::Apps::upkeep) alone probes, once a second. Each outage is logged once at its start and once at its end.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::READING;
use crate::store::Store;

/// Time between two attempts during an outage.
const BETWEEN_PROBES: Duration = Duration::from_secs(1);

/// What fails during an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The database does not answer.
    Away,
    /// The database answers, but stores nothing: its disk is full, or it is read-only.
    Unwritable,
}

/// Shared by the users of the database and the task that waits for the end of an outage.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    kind: Kind,
    /// False during the outage.
    works: watch::Sender<bool>,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Outage {
    /// The database answers.
    pub fn none() -> Self {
        Self { kind: Kind::Away, works: watch::Sender::new(true), since: Arc::default() }
    }

    /// The database stores what is written.
    pub fn none_of_writing() -> Self {
        Self { kind: Kind::Unwritable, ..Self::none() }
    }

    pub fn is_on(&self) -> bool {
        !*self.works.borrow()
    }

    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.works.subscribe()
    }

    /// The start of the outage, if there is one.
    pub fn since(&self) -> Option<Instant> {
        *self.since.lock()
    }

    /// Something has failed; the first to say so starts the outage. Logs where the database is, and the cause.
    pub fn begin(&self, database: &str, cause: &str) {
        if self.works.send_if_modified(|works| std::mem::replace(works, false)) {
            *self.since.lock() = Some(Instant::now());
            match self.kind {
                Kind::Away => tracing::error!(
                    target: "fanfare::apps",
                    database,
                    cause,
                    "the apps' database does not answer; apps in use go on, others are refused"
                ),
                Kind::Unwritable => tracing::error!(
                    target: "fanfare::apps",
                    database,
                    cause,
                    "the apps' database stores nothing; apps go on, but neither changes nor usage are kept"
                ),
            }
        }
    }

    fn end(&self) {
        *self.since.lock() = None;
        self.works.send_replace(true);
        match self.kind {
            Kind::Away => tracing::info!(target: "fanfare::apps", "the apps' database answers again"),
            Kind::Unwritable => tracing::info!(target: "fanfare::apps", "the apps' database stores again"),
        }
    }

    /// Ends every outage as soon as the database works again; returns when the last user of the store is dropped.
    pub async fn watch(self, store: Weak<Store>) {
        let mut works = self.works.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        while works.wait_for(|works| !works).await.is_ok() {
            sleep(BETWEEN_PROBES).await;
            let Some(store) = store.upgrade() else { return };
            let probe = async {
                match self.kind {
                    Kind::Away => store.probe().await,
                    Kind::Unwritable => store.probe_writing().await,
                }
            };
            if let Ok(Ok(())) = timeout(READING, probe).await {
                self.end();
            }
        }
    }
}
