//! Closes all connections without a reconnect storm: when each is closed, and how long the shutdown waits (WS-057).

use std::sync::Arc;
use std::time::Duration;

use fanfare_hub::Conn;
use fanfare_protocol::close::CloseReason;
use tokio::time::{Instant, sleep, timeout_at};

use crate::state::State;

/// Shortest time that HTTP connections are answered during a drain, if there are any.
const TELLING: Duration = Duration::from_secs(1);

/// How often the number of HTTP connections is checked.
const LOOK: Duration = Duration::from_millis(20);

/// Closes every connection at a moment of its own within the window, and waits for the last.
///
/// A node that is alone keeps its listener open meanwhile: new connections are closed with 4100, upon which pusher-js
/// reconnects after a second, and back ends go on publishing to the connections that remain. A port that refuses
/// would cost a pusher-js client fifteen seconds. One node of several refuses, so that a balancer asks another (`listen`).
///
/// Returns the number of connections left at the deadline, which lies behind the window.
pub(super) async fn close_all(state: &Arc<State>, deadline: Instant) -> usize {
    state.node.drain.begin();
    let window = state.node.config().timeouts.drain();
    let began = Instant::now();
    let waiting: Vec<Arc<Conn>> = state.node.hubs.all().iter().flat_map(|hub| hub.conns()).collect();
    tracing::info!(target: "fanfare", connections = waiting.len(), seconds = window.as_secs(), "draining");
    let spacing = window / u32::try_from(waiting.len().max(1)).unwrap_or(u32::MAX);
    let mut moment = began;
    for conn in shuffled(waiting) {
        conn.outbox.close(CloseReason::ServerRestarting);
        moment += spacing;
        if all_gone(state, moment).await {
            break;
        }
    }
    let left = end(state, deadline).await;
    back_ends_told(state, began + window.min(TELLING)).await;
    state.node.drain.end();
    left
}

/// Closes the rest, connections that were joining at the snapshot included; returns the number left.
async fn end(state: &Arc<State>, deadline: Instant) -> usize {
    for conn in state.node.hubs.all().iter().flat_map(|hub| hub.conns()) {
        conn.outbox.close(CloseReason::ServerRestarting);
    }
    all_gone(state, deadline).await;
    state.node.seats.open()
}

/// Goes on answering for a moment, so that back ends with keep-alive connections are told to connect elsewhere, and
/// balancers see that the server is not ready, also where no WebSocket delays the shutdown.
async fn back_ends_told(state: &State, deadline: Instant) {
    while state.places.open() > 0 && Instant::now() < deadline {
        sleep(LOOK).await;
    }
}

/// Waits for the last connection to end, until `deadline`; returns whether all have ended.
async fn all_gone(state: &State, deadline: Instant) -> bool {
    while state.node.seats.open() > 0 {
        if timeout_at(deadline, state.node.drain.one_ended()).await.is_err() {
            return state.node.seats.open() == 0;
        }
    }
    true
}

/// Random order, so that neighbours in the table do not reconnect to the same node together.
fn shuffled(mut conns: Vec<Arc<Conn>>) -> Vec<Arc<Conn>> {
    conns.sort_unstable_by_key(|conn| conn.id.bits());
    conns
}
