//! The list of nodes as Redis has it, and the plain values that answers are made of.

use std::collections::BTreeMap;

use redis::{Cmd, Value, cmd};

use super::links::{BusAway, Links};
use crate::link::NodeReport;
use crate::partition::{Layout, Partition};

/// A node that has a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownNode {
    /// The node's id.
    pub id: String,
    /// What the node has said of itself; `None` if nothing that can be read.
    pub says: Option<NodeReport>,
    /// How long its lease lasts, in milliseconds; each beat makes that five seconds.
    pub lease_left: i64,
}

/// The nodes, whatever the app.
pub(super) async fn nodes(links: &Links) -> Result<Vec<KnownNode>, BusAway> {
    let values = links.command(0, None, commands_for_nodes(&links.shared.layout, 0)).await?;
    let nodes = known_nodes(&values)?;
    links.shared.set_living(nodes.iter().map(|node| &node.id));
    Ok(nodes)
}

/// What the Redis of a partition is asked for the list of nodes. Only the first partition knows more than their ids.
pub(crate) fn commands_for_nodes(layout: &Layout, partition: Partition) -> Vec<Cmd> {
    let (mut reports, mut live) = (cmd("HGETALL"), cmd("ZRANGE"));
    reports.arg(layout.key(partition, "nodes"));
    live.arg(layout.key(partition, "live")).arg(0).arg(-1).arg("WITHSCORES");
    vec![reports, live, cmd("TIME")]
}

/// The list of nodes in the answers.
pub(crate) fn known_nodes(values: &[Value]) -> Result<Vec<KnownNode>, BusAway> {
    let [Value::Array(reports), Value::Array(live), Value::Array(time)] = values else {
        return Err(BusAway);
    };
    let now = match &**time {
        [seconds, micros] => number(seconds)? as i64 * 1000 + number(micros)? as i64 / 1000,
        _ => return Err(BusAway),
    };
    let mut says = BTreeMap::new();
    for pair in reports.chunks_exact(2) {
        let [id, report] = pair else { return Err(BusAway) };
        says.insert(text(id)?, serde_json::from_str(&text(report)?).ok());
    }
    let mut nodes = Vec::new();
    for pair in live.chunks_exact(2) {
        let [id, end] = pair else { return Err(BusAway) };
        let (id, end): (String, f64) = (text(id)?, text(end)?.parse().map_err(|_| BusAway)?);
        let says = says.remove(&id).flatten();
        nodes.push(KnownNode { id, says, lease_left: end as i64 - now });
    }
    nodes.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(nodes)
}

/// A text, or a number as one.
pub(super) fn text(value: &Value) -> Result<String, BusAway> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).map_err(|_| BusAway),
        Value::SimpleString(text) => Ok(text.clone()),
        Value::Int(number) => Ok(number.to_string()),
        _ => Err(BusAway),
    }
}

/// A number; nothing is 0.
pub(super) fn number(value: &Value) -> Result<usize, BusAway> {
    match value {
        Value::Nil => Ok(0),
        value => text(value)?.parse().map_err(|_| BusAway),
    }
}
