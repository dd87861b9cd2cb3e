//! What is done every now and then, whatever happens: forgetting what is over, and telling crowds their count.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::state::State;

/// How often hubs without connections, and events that have expired, are dropped.
const SWEEP: Duration = Duration::from_secs(60);

/// How often crowded channels are told how many they are (WS-176).
const TELL_COUNTS: Duration = Duration::from_secs(5);

/// Begins, until the end of the process.
pub fn begin(state: &Arc<State>) {
    state.tasks.spawn("sweep", sweep(Arc::clone(state)));
    state.tasks.spawn("counts of channels", tell_counts(Arc::clone(state)));
}

/// Drops what apps without connections have left behind.
async fn sweep(state: Arc<State>) {
    let mut every = interval(SWEEP);
    loop {
        every.tick().await;
        state.hubs.sweep(state.milliseconds());
        state.outgoing.webhooks.drop_idle();
    }
}

async fn tell_counts(state: Arc<State>) {
    let mut every = interval(TELL_COUNTS);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        for hub in state.hubs.all() {
            hub.tell_counts();
        }
    }
}
