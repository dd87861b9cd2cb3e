//! What operators see of the nodes: `GET /v1/nodes`, and whether this node is ready for traffic (CL-067).

use std::fmt::Write as _;
use std::iter::repeat;

use fanfare_bus::{Bus, LinkState, LostNode};
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::{ClusterState, Node, census, numbers};
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Value, json};

use super::asked::ok;
use super::problem::Problem;
use crate::http::Answer;
use crate::listed::of_nodes;
use crate::node_list;
use crate::state::State;

/// The nodes of the cluster, this one too, by their ids, each with what it says of itself; a node that stands alone is the only one
/// (CON-058, CON-085).
///
/// # Errors
/// The cluster does not answer.
pub(super) async fn nodes(state: &State) -> Result<Answer, Problem> {
    let node = &state.node;
    let (known, lost) = match node.bus() {
        None => (vec![alone(node)], Vec::new()),
        Some(bus) => {
            let known = census::nodes(bus).await.map_err(|_| Problem::ClusterAway)?;
            let is_back = |lost: &LostNode| {
                known.iter().any(|known| {
                    known.id == lost.id || known.says.as_ref().is_some_and(|says| says.name == lost.name)
                })
            };
            let mut lost = bus.lost_nodes();
            lost.retain(|lost| !is_back(lost));
            let known = known.iter().map(|known| node_list::as_json(known, node.config().bus.lease));
            (known.collect(), lost.iter().map(node_list::lost_as_json).collect())
        }
    };
    let (mut told, reached) = numbers::nodes(node).await;
    let row = |(mut row, is_lost): (Value, bool)| {
        let says = told.remove(row["id"].as_str().unwrap_or_default());
        row["answers"] = says.is_some().into();
        row["lost"] = is_lost.into();
        for (name, value) in says.as_ref().and_then(Value::as_object).into_iter().flatten() {
            row[name] = value.clone();
        }
        row
    };
    let all = known.into_iter().zip(repeat(false)).chain(lost.into_iter().zip(repeat(true)));
    let rows: Vec<Value> = all.map(row).collect();
    // Here the names of the nodes that have answered stand in the rows.
    let mut value = of_nodes(node, json!({}), &reached);
    value["nodes"] = rows.into();
    Ok(ok(&value))
}

/// The row of a node that stands alone, beside what the node says of itself.
fn alone(node: &Node) -> Value {
    let at = utc_milliseconds(unix_milliseconds());
    json!({ "id": node.name(), "last_seen_at": at, "lease_ms": null, "links": [] })
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
