//! The reloads of a running server: who asks for one, and what the last has come to.
//!
//! One reload runs at a time, and one waits; further ones are refused. Does none itself: the task of `start::reload` does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use fanfare_config::{SettingChange, SettingChanges};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

/// What a reload has come to.
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// All that can change while the server runs was taken over.
    TakenOver(Arc<SettingChanges>),
    /// Nothing was taken over: the faults of the sources, as at a start.
    Refused(Arc<[String]>),
}

/// Asks for a reload; the answer is what it has come to.
pub type ReloadRequest = oneshot::Sender<ReloadOutcome>;

/// No reload is done: one is under way and another waits, or the server is about to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyReloads;

/// The reloads of a server.
#[derive(Debug)]
pub struct Reloads {
    /// The task that does them, as soon as the server has started.
    task: OnceLock<mpsc::Sender<ReloadRequest>>,
    is_well: AtomicBool,
    succeeded_at: AtomicU64,
    /// The settings whose values in the sources need a restart.
    needs_restart: RwLock<Arc<[SettingChange]>>,
}

impl Default for Reloads {
    fn default() -> Self {
        Self {
            task: OnceLock::new(),
            // The start has taken over the sources as they were.
            is_well: AtomicBool::new(true),
            succeeded_at: AtomicU64::new(fanfare_node::clock::unix_seconds()),
            needs_restart: RwLock::new(Arc::new([])),
        }
    }
}

impl Reloads {
    /// The task that does them listens from now on; once.
    pub fn begin(&self) -> mpsc::Receiver<ReloadRequest> {
        let (ask, requests) = mpsc::channel(1);
        // A second one is never begun.
        let _ = self.task.set(ask);
        requests
    }

    /// Asks for a reload, and waits for the end of it.
    ///
    /// # Errors
    /// No reload was begun.
    pub async fn ask(&self) -> Result<ReloadOutcome, TooManyReloads> {
        let (answer, outcome) = oneshot::channel();
        let task = self.task.get().ok_or(TooManyReloads)?;
        task.try_send(answer).map_err(|_| TooManyReloads)?;
        outcome.await.map_err(|_| TooManyReloads)
    }

    /// A reload has come to this.
    pub fn note(&self, outcome: &ReloadOutcome) {
        let ReloadOutcome::TakenOver(changes) = outcome else {
            self.is_well.store(false, Ordering::Relaxed);
            return;
        };
        *self.needs_restart.write() = changes.needs_restart.iter().cloned().collect();
        self.succeeded_at.store(fanfare_node::clock::unix_seconds(), Ordering::Relaxed);
        self.is_well.store(true, Ordering::Relaxed);
    }

    /// Whether the last reload has taken over what it read; true before the first.
    pub fn is_well(&self) -> bool {
        self.is_well.load(Ordering::Relaxed)
    }

    /// When settings were taken over last, in Unix seconds: at the start, or by a reload.
    pub fn succeeded_at(&self) -> u64 {
        self.succeeded_at.load(Ordering::Relaxed)
    }

    /// The number of settings whose values in the sources need a restart, as the last reload has found.
    pub fn waiting(&self) -> usize {
        self.needs_restart.read().len()
    }

    /// The settings whose values in the sources need a restart.
    pub fn needs_restart(&self) -> Arc<[SettingChange]> {
        Arc::clone(&self.needs_restart.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_reload_waits_behind_the_one_under_way_and_a_third_is_refused() {
        let reloads = Arc::new(Reloads::default());
        let mut requests = reloads.begin();
        let ask = || {
            let reloads = Arc::clone(&reloads);
            tokio::spawn(async move { reloads.ask().await.is_ok() })
        };
        let first = ask();
        let under_way = requests.recv().await.expect("it is asked for");
        let second = ask();
        while requests.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(reloads.ask().await.err(), Some(TooManyReloads));
        let outcome = ReloadOutcome::Refused(Arc::new([]));
        under_way.send(outcome.clone()).expect("it is waited for");
        assert!(first.await.unwrap());
        requests.recv().await.expect("the second is next").send(outcome).expect("it is waited for");
        assert!(second.await.unwrap());
    }
}
