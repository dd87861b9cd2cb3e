//! What operators see of the nodes: `GET /v1/nodes`, and whether this node is ready for traffic (CL-067).

use std::fmt::Write as _;

use fanfare_bus::{Bus, LinkState};
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::{ClusterState, census};
use fanfare_protocol::utc::utc_milliseconds;
use hyper::StatusCode;
use serde_json::json;

use super::asked::ok;
use super::problem::Problem;
use crate::command_line::VERSION;
use crate::http::Answer;
use crate::http::answer::json as json_answer;
use crate::node_list;
use crate::state::State;

/// The nodes of the cluster, this one too, by their ids; a node that stands alone is the only one (CON-085).
///
/// # Errors
/// The cluster does not answer.
pub(super) async fn nodes(state: &State) -> Result<Answer, Problem> {
    let node = &state.node;
    let Some(bus) = node.bus() else {
        let alone = json!({
            "id": node.name(), "name": node.name(), "version": VERSION, "started_at": utc_milliseconds(node.started_at()),
            "connections": node.seats.open(), "last_seen_at": utc_milliseconds(unix_milliseconds()),
            "lease_ms": null, "links": [],
        });
        return Ok(ok(&json!({ "nodes": [alone] })));
    };
    let nodes = census::nodes(bus).await.map_err(|_| Problem::ClusterAway)?;
    Ok(json_answer(StatusCode::OK, node_list::as_json_text(&nodes, node.config.bus.lease)))
}

/// What is to be said of the other nodes in the answer to `/ready`, if anything.
///
/// # Errors
/// The node has not been in touch with the others since its start: traffic should go elsewhere. The sentence says why.
pub(super) fn readiness(bus: &Bus, seen: &ClusterState) -> Result<Option<String>, String> {
    let links = bus.links();
    let away: Vec<&LinkState> = links.iter().filter(|link| !link.is_up).collect();
    let Some(first) = away.first() else {
        seen.set_in_touch(true);
        return Ok(None);
    };
    let why = first.why.as_deref().unwrap_or("Redis has not answered yet");
    let (redis, all, count) = (&first.redis, links.len(), away.len());
    if !seen.was_in_touch() {
        return Err(format!("not ready: no way to the other nodes through {redis}: {why}"));
    }
    let since = seen.set_in_touch(false).unwrap_or_default().as_secs();
    let mut sentence = format!("; degraded: out of touch with the other nodes since {since}s");
    if all > 1 {
        // Writing to a String cannot fail.
        let _ = write!(sentence, " on {count} of {all} links");
    }
    let _ = write!(sentence, " ({redis}: {why}), this node's own clients are served");
    Ok(Some(sentence))
}
