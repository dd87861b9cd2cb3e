//! Whether the database answers.
//!
//! Between the first failure and the first success no look-up waits for it: a task of its own asks
//! once a second. Each outage is logged once when it begins and once when it ends.

use std::fmt::Display;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::READING;
use crate::store::Store;

/// Time between two attempts during an outage.
const BETWEEN_PROBES: Duration = Duration::from_secs(1);

/// Shared by the look-ups and the task that waits for the end of an outage.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    answers: watch::Sender<bool>,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Outage {
    pub fn none() -> Self {
        Self { answers: watch::Sender::new(true), since: Arc::default() }
    }

    pub fn is_on(&self) -> bool {
        !*self.answers.borrow()
    }

    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.answers.subscribe()
    }

    /// When it began, if there is one.
    pub fn since(&self) -> Option<Instant> {
        *self.since.lock()
    }

    /// A look-up has failed; the first to say so starts the outage.
    pub fn begin(&self, store: &Arc<Store>, cause: &(dyn Display + Sync)) {
        if self.answers.send_if_modified(|answers| std::mem::replace(answers, false)) {
            *self.since.lock() = Some(Instant::now());
            tracing::error!(
                target: "fanfare::apps",
                %cause,
                "the apps' database does not answer; apps in use go on, others are refused"
            );
            tokio::spawn(self.clone().wait_for_end(Arc::downgrade(store)));
        }
    }

    /// Ends with the outage, or with the last user of the store.
    async fn wait_for_end(self, store: Weak<Store>) {
        loop {
            sleep(BETWEEN_PROBES).await;
            let Some(store) = store.upgrade() else { return };
            if let Ok(Ok(())) = timeout(READING, store.probe()).await {
                *self.since.lock() = None;
                self.answers.send_replace(true);
                tracing::info!(target: "fanfare::apps", "the apps' database answers again");
                return;
            }
        }
    }
}
