//! Stopping without a herd: who is told when, and how the end is waited for (WS-057).

use std::sync::Arc;
use std::time::Duration;

use fanfare_hub::Conn;
use fanfare_protocol::close::CloseReason;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::state::State;

/// Time after the drain window for the last close frames to be written.
const GRACE: Duration = Duration::from_secs(2);

/// Whether the server is stopping, and a bell for each connection that has ended.
#[derive(Debug)]
pub struct Drain {
    draining: watch::Sender<bool>,
    ended: Notify,
}

impl Default for Drain {
    fn default() -> Self {
        Self { draining: watch::Sender::new(false), ended: Notify::new() }
    }
}

impl Drain {
    /// Whether newcomers are to be sent elsewhere.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until the server begins to stop.
    pub async fn begun(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Refuses newcomers from now on.
    pub fn begin(&self) {
        self.draining.send_replace(true);
    }

    /// A connection has given its place back.
    pub fn connection_ended(&self) {
        self.ended.notify_one();
    }
}

/// Closes every connection at a moment of its own within the window, and waits for the last.
///
/// Returns how many were still there when patience ended.
pub async fn run(state: &Arc<State>) -> usize {
    state.drain.begin();
    let window = state.config.timeouts.drain();
    let began = Instant::now();
    let waiting: Vec<Arc<Conn>> = state.hubs.all().iter().flat_map(|hub| hub.conns()).collect();
    tracing::info!(target: "fanfare", connections = waiting.len(), seconds = window.as_secs(), "draining");
    let spacing = window / u32::try_from(waiting.len().max(1)).unwrap_or(u32::MAX);
    let mut moment = began;
    for conn in shuffled(waiting) {
        conn.outbox.close(CloseReason::ServerRestarting);
        drop(conn);
        moment += spacing;
        // Those who leave by themselves make the wait shorter for nobody else.
        if state.node.open() == 0 {
            break;
        }
        sleep_until(moment).await;
    }
    wait_for_all(state, began + window + GRACE).await
}

/// Waits for the end of every connection, also of those that were still joining at the snapshot.
async fn wait_for_all(state: &Arc<State>, deadline: Instant) -> usize {
    loop {
        let ended = state.drain.ended.notified();
        for conn in state.hubs.all().iter().flat_map(|hub| hub.conns()) {
            conn.outbox.close(CloseReason::ServerRestarting);
        }
        let open = state.node.open();
        if open == 0 || timeout_at(deadline, ended).await.is_err() {
            return open;
        }
    }
}

/// In random order, so that neighbours in the table do not return to the same node together.
fn shuffled(mut conns: Vec<Arc<Conn>>) -> Vec<Arc<Conn>> {
    conns.sort_unstable_by_key(|conn| conn.id.bits());
    conns
}
