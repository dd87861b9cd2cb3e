//! The owner of every task that lives as long as the server, and of work that ends by itself.
//!
//! A task that panics, or that ends early, is logged with its name and counted, and the server begins to
//! shut down. Never restarts a task: the task's shared state may be half changed. Tasks of one request or one
//! connection are not kept here.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Spawns tasks, and records their failures.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The first task that has failed.
    failed: watch::Sender<Option<&'static str>>,
    /// Whether tasks may end because the server stops.
    is_stopping: AtomicBool,
    /// Number of failed tasks, by name.
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

/// The lifetime of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// As long as the server.
    Server,
    /// Until the task's work is done.
    Work,
}

impl Default for Tasks {
    fn default() -> Self {
        Self(Arc::new(Inner {
            failed: watch::Sender::new(None),
            is_stopping: AtomicBool::new(false),
            counts: Mutex::default(),
        }))
    }
}

impl Tasks {
    /// Spawns a task that is to live until the server stops. The returned handle ends with the task.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        self.watch(name, Life::Server, task)
    }

    /// Spawns a task that may end by itself, but must not panic.
    pub fn spawn_work(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.watch(name, Life::Work, task));
    }

    /// From now on a task may end, but must not panic.
    pub fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Release);
    }

    /// Waits until a task has failed; returns its name.
    pub async fn failed(&self) -> &'static str {
        loop {
            let mut failed = self.0.failed.subscribe();
            // The sender lives in `self`, so waiting cannot fail.
            if let Ok(name) = failed.wait_for(Option::is_some).await
                && let Some(name) = *name
            {
                return name;
            }
        }
    }

    /// The names of failed tasks, and the number of failures of each.
    #[must_use]
    pub fn failures(&self) -> Vec<(&'static str, u64)> {
        self.0.counts.lock().iter().map(|(name, count)| (*name, *count)).collect()
    }

    fn watch(
        &self,
        name: &'static str,
        life: Life,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let tasks = self.clone();
        tokio::spawn(async move {
            match tokio::spawn(task).await {
                Err(error) if error.is_panic() => {
                    tracing::error!(target: "fanfare", task = name, "a task of the server has panicked; stopping");
                    tasks.fail(name);
                }
                // The runtime ends, and all tasks with it.
                Err(_) => {}
                Ok(()) if life == Life::Work || tasks.0.is_stopping.load(Ordering::Acquire) => {}
                Ok(()) => {
                    tracing::error!(
                        target: "fanfare", task = name,
                        "a task of the server has ended before its time; stopping"
                    );
                    tasks.fail(name);
                }
            }
        })
    }

    fn fail(&self, name: &'static str) {
        *self.0.counts.lock().entry(name).or_default() += 1;
        self.0.failed.send_if_modified(|failed| {
            let is_first = failed.is_none();
            failed.get_or_insert(name);
            is_first
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_before_its_time_is_told_of_with_its_name_and_counted() {
        let tasks = Tasks::default();
        tasks.spawn("stays", pending());
        tasks.spawn_work("works", async {});
        tasks.spawn("ends", async {}).await.expect("it is watched");
        assert_eq!(tasks.failed().await, "ends");
        tasks.spawn("panics", async { panic!("on purpose") }).await.expect("it is watched");
        tasks.watch("works", Life::Work, async { panic!("on purpose") }).await.expect("it is watched");
        assert_eq!(tasks.failed().await, "ends", "the first is told of");
        assert_eq!(tasks.failures(), [("ends", 1), ("panics", 1), ("works", 1)]);
    }

    #[tokio::test]
    async fn a_task_may_end_once_the_server_stops_but_must_not_panic() {
        let tasks = Tasks::default();
        tasks.stop();
        tasks.spawn("ends", async {}).await.expect("it is watched");
        assert_eq!(tasks.failures(), []);
        tasks.spawn("panics", async { panic!("on purpose") }).await.expect("it is watched");
        assert_eq!(tasks.failures(), [("panics", 1)]);
    }
}
