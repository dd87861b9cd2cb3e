//! What a node was last told of all nodes, and since when it is out of touch with them.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The numbers and the state as of the last second.
#[derive(Debug, Default)]
pub struct ClusterState(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    nodes: usize,
    connections: usize,
    /// This node has been in touch through every link at once.
    was_in_touch: bool,
    out_of_touch: Option<Instant>,
}

impl ClusterState {
    /// Nodes, and their connections.
    pub(crate) fn numbers(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.nodes, state.connections)
    }

    pub(super) fn set_numbers(&self, nodes: usize, connections: usize) {
        let mut state = self.0.lock();
        (state.nodes, state.connections) = (nodes, connections);
    }

    /// Notes whether all links are up now; returns how long they have not been.
    pub fn set_in_touch(&self, is_in_touch: bool) -> Option<Duration> {
        let mut state = self.0.lock();
        if is_in_touch {
            state.was_in_touch = true;
            state.out_of_touch = None;
            return None;
        }
        let since = *state.out_of_touch.get_or_insert_with(Instant::now);
        Some(since.elapsed())
    }

    /// Whether the node has been in touch through every link at once, since its start.
    #[must_use]
    pub fn was_in_touch(&self) -> bool {
        self.0.lock().was_in_touch
    }
}
