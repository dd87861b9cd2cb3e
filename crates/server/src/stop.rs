//! Graceful shutdown: connections, then HTTP requests, then webhooks, then usage.
//!
//! Every part has its deadline, counted from the start of the shutdown, so that the whole never takes longer than
//! `timeouts.drain` and [`AFTER_DRAIN`]: supervisors have a timeout too, ten seconds with `docker stop`.

mod closing;

use std::sync::Arc;
use std::time::Duration;

use fanfare_node::backlog::BacklogTask;
use fanfare_node::relay::RelayTask;
use fanfare_node::usage::UsageTask;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::state::State;
use crate::telemetry::Telemetry;

/// Longest time of the shutdown beyond `timeouts.drain`.
pub const AFTER_DRAIN: Duration = Duration::from_secs(3);

/// Deadline of closing, from the end of the drain window on: a peer has a second to answer its close.
const CLOSES: Duration = Duration::from_millis(1250);

/// Deadline of HTTP requests under way.
const REQUESTS: Duration = Duration::from_millis(1500);

/// Deadline of webhooks; the rest of the time is for storing usage, which counts webhooks.
const WEBHOOKS: Duration = Duration::from_millis(2250);

/// Longest wait for HTTP requests, even if the deadline is later.
const REQUESTS_AT_MOST: Duration = Duration::from_secs(1);

/// Longest wait for the database, even if the deadline is later.
const USAGE_AT_MOST: Duration = Duration::from_secs(3);

/// Longest wait for the collector of spans, even if the deadline is later.
const SPANS_AT_MOST: Duration = Duration::from_secs(2);

/// The parts to wait for.
pub struct Parts {
    /// The public listeners, which end after the last request.
    pub accepting: Vec<JoinHandle<()>>,
    /// The task that hands over what happens in the hubs, and sends webhooks.
    pub relay: RelayTask,
    /// The task that retries kept webhooks, if there is a database.
    pub backlog: Option<BacklogTask>,
    /// The task that stores usage, if there is a database.
    pub usage: Option<UsageTask>,
    /// What sends the spans, if the server makes any.
    pub telemetry: Telemetry,
}

/// Drains connections, then gives HTTP requests under way a last moment, then sends the last webhooks and stores
/// usage.
pub async fn stop(state: &Arc<State>, Parts { accepting, relay, usage, backlog, telemetry }: Parts) {
    state.node.tasks.stop();
    let window_ends = Instant::now() + state.node.config().timeouts.drain();
    let left = closing::close_all(state, window_ends + CLOSES).await;
    let last_requests = async {
        for listener in accepting {
            let _ = listener.await;
        }
    };
    let deadline = (window_ends + REQUESTS).min(Instant::now() + REQUESTS_AT_MOST);
    if timeout_at(deadline, last_requests).await.is_err() {
        tracing::warn!(target: "fanfare", "stopped with HTTP requests under way");
    }
    let backlog = async {
        if let Some(backlog) = backlog {
            backlog.end(window_ends + WEBHOOKS).await;
        }
    };
    tokio::join!(backlog, relay.end(&state.node, window_ends + WEBHOOKS));
    let usage = async {
        if let Some(usage) = usage {
            usage.end((window_ends + AFTER_DRAIN).min(Instant::now() + USAGE_AT_MOST)).await;
        }
    };
    tokio::join!(usage, telemetry.end((window_ends + AFTER_DRAIN).min(Instant::now() + SPANS_AT_MOST)));
    tracing::info!(target: "fanfare", connections_left = left, "stopped");
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_config::Config;

    #[test]
    fn a_stop_with_the_settings_at_their_defaults_is_over_before_docker_kills() {
        let whole = Config::default().timeouts.drain() + AFTER_DRAIN;
        assert!(whole < Duration::from_secs(10), "{whole:?}");
    }
}
