//! The numbers of an app: `GET /v1/apps/{id}/stats` (CON-020, CON-021).
//!
//! Lengths and counters of the live tables of this node, read when asked for; nothing is counted for this answer.

use fanfare_node::clock::unix_milliseconds;
use fanfare_node::history::{HISTORY_STEP, HistoryPoint};
use fanfare_node::listing::{AppTotals, totals};
use fanfare_protocol::utc::{utc, utc_milliseconds};
use serde_json::{Value, json};

use super::asked::{Asked, ok};
use super::events;
use super::problem::Problem;
use crate::http::Answer;
use crate::listed::of_this_node;
use crate::state::State;

/// The app now, and its last hour.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn stats(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = events::app(state, asked).await?;
    let node = &state.node;
    let AppTotals { connections, channels, subscriptions, users } = totals(node, &app.id).await;
    let counts = node.tenants.find(&app.id).map(|tenant| tenant.counts(0)).unwrap_or_default();
    let history: Vec<Value> = node.histories.of(&app.id).iter().map(point).collect();
    Ok(ok(&of_this_node(
        node,
        json!({
            "at": utc_milliseconds(unix_milliseconds()),
            "connections": connections,
            "max_connections": app.max_connections,
            "channels": channels,
            "subscriptions": subscriptions,
            "users": users,
            "events": counts.backend_messages + counts.client_messages,
            "deliveries": counts.deliveries,
            "delivered_bytes": counts.bytes,
            "refusals": node.refusals.made(&app.id),
            "seconds": HISTORY_STEP.as_secs(),
            "history": history,
        }),
    )))
}

fn point(point: &HistoryPoint) -> Value {
    json!({
        "at": utc(point.at.into()),
        "connections": point.connections,
        "backend_messages": point.backend_messages,
        "client_messages": point.client_messages,
        "deliveries": point.deliveries,
        "delivered_bytes": point.bytes,
        "refusals": point.refusals,
    })
}
