//! Wakes one task and names the apps that have something for the task.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_protocol::ids::AppId;

use crate::sync::Mutex;

/// Which apps have something to take; shared by the hubs of all apps.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// Guards the apps and the waker of the waiting task; an app may be listed twice for a moment.
    due: Mutex<Due>,
}

#[derive(Debug, Default)]
struct Due {
    apps: Vec<AppId>,
    waker: Option<Waker>,
}

/// The bells of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bells {
    /// Rung by a hub that has something for its app's webhooks.
    pub(crate) transitions: Arc<Bell>,
    /// Rung by a hub whose channels have something to tell their subscribers.
    pub(crate) changes: Arc<Bell>,
    /// Rung by a hub that has something for the cluster.
    pub(crate) cluster: Arc<Bell>,
}

impl Bell {
    /// Lists an app that has something to take.
    pub(crate) fn ring(&self, app: &AppId) {
        let mut due = self.due.lock();
        due.apps.push(app.clone());
        let waker = due.waker.take();
        drop(due);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The apps listed since the last call.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Vec<AppId>> {
        let mut due = self.due.lock();
        if due.apps.is_empty() {
            due.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut due.apps))
    }
}
