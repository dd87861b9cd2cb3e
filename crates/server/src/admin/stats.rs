//! The numbers of an app: `GET /v1/apps/{id}/stats` (CON-020, CON-021).
//!
//! Lengths and counters of the live tables of all nodes, read when asked for; nothing is counted for this answer.

use fanfare_node::clock::unix_milliseconds;
use fanfare_node::history::{HISTORY_STEP, HistoryPoint};
use fanfare_node::numbers::{self, AppNow};
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Map, Value, json};

use super::asked::{Asked, ok};
use super::events;
use super::problem::Problem;
use crate::http::Answer;
use crate::listed::of_nodes;
use crate::state::State;

/// The app now, and its last hour, on all nodes; with the numbers of each node where there are others.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn stats(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = events::app(state, asked).await?;
    let stats = numbers::stats(&state.node, &app.id).await;
    let mut value = now(&stats.now);
    value["at"] = utc_milliseconds(unix_milliseconds()).into();
    value["max_connections"] = json!(app.max_connections);
    value["at_least"] = if stats.is_at_least { json!(["channels", "users"]) } else { json!([]) };
    value["seconds"] = HISTORY_STEP.as_secs().into();
    value["history"] = stats.history.iter().map(point).collect();
    if !stats.reached.is_alone {
        let by_node = stats.by_node.iter().map(|(name, there)| (name.clone(), now(there)));
        value["by_node"] = by_node.collect::<Map<String, Value>>().into();
    }
    Ok(ok(&of_nodes(&state.node, value, &stats.reached)))
}

fn now(now: &AppNow) -> Value {
    json!({
        "connections": now.connections,
        "channels": now.channels,
        "subscriptions": now.subscriptions,
        "users": now.users,
        "events": now.events,
        "deliveries": now.deliveries,
        "delivered_bytes": now.delivered_bytes,
        "refusals": now.refusals,
    })
}

fn point(point: &HistoryPoint) -> Value {
    json!({
        "at": utc_milliseconds(1000 * u64::from(point.at)),
        "connections": point.connections,
        "backend_messages": point.backend_messages,
        "client_messages": point.client_messages,
        "deliveries": point.deliveries,
        "delivered_bytes": point.bytes,
        "refusals": point.refusals,
    })
}
