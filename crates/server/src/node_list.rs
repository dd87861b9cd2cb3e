//! The nodes of a cluster as operators see them: as JSON, and as the table of `fanfare cluster`.

use std::time::{Duration, SystemTime};

use fanfare_bus::{KnownNode, LostNode};
use fanfare_node::clock::unix_milliseconds;
use fanfare_protocol::utc::{since_1970, utc_milliseconds};
use serde_json::{Value, json};

use crate::columns::aligned;

/// The list, as the administration API shows it.
pub(crate) fn as_json_text(nodes: &[KnownNode], lease: Duration) -> String {
    let nodes: Vec<Value> = nodes.iter().map(|node| as_json(node, lease)).collect();
    format!("{}\n", json!({ "nodes": nodes }))
}

/// A node, which was heard of last when its lease was made as long as `lease`.
pub(crate) fn as_json(node: &KnownNode, lease: Duration) -> Value {
    let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
    let silent = u64::try_from(lease.saturating_sub(node.lease_left)).unwrap_or(0);
    let says = node.says.as_ref();
    let links = says.map(|says| {
        let link = |link: &fanfare_bus::LinkReport| {
            json!({ "redis": link.redis, "up": link.up, "round_trip_us": link.round_trip })
        };
        says.links.iter().map(link).collect::<Vec<Value>>()
    });
    json!({
        "id": node.id,
        "name": says.map(|says| &says.name),
        "version": says.map(|says| &says.version),
        "started_at": says.map(|says| utc_milliseconds(1000 * says.started)),
        "connections": says.map(|says| says.connections),
        "last_seen_at": utc_milliseconds(unix_milliseconds().saturating_sub(silent)),
        "lease_ms": node.lease_left,
        "links": links,
    })
}

/// A node that has died, in the form of the others.
pub(crate) fn lost_as_json(lost: &LostNode) -> Value {
    let silent = u64::try_from(lost.silent.as_millis()).unwrap_or(u64::MAX);
    json!({
        "id": lost.id,
        "name": lost.name,
        "version": null,
        "started_at": null,
        "connections": null,
        "last_seen_at": utc_milliseconds(unix_milliseconds().saturating_sub(silent)),
        "lease_ms": null,
        "links": null,
    })
}

/// The table of `fanfare cluster`.
pub(crate) fn as_table(nodes: &[KnownNode]) -> String {
    let mut rows = vec![
        ["node", "version", "up for", "connections", "links", "slowest link", "lease left"]
            .map(str::to_owned),
    ];
    rows.extend(nodes.iter().map(row));
    aligned(&rows)
}

fn row(node: &KnownNode) -> [String; 7] {
    let Some(says) = &node.says else {
        let mut unknown = ["?"; 7].map(str::to_owned);
        (unknown[0], unknown[6]) = (node.id.clone(), lease(node));
        return unknown;
    };
    let up = says.links.iter().filter(|link| link.up).count();
    let slowest = says.links.iter().filter_map(|link| link.round_trip).max();
    let up_for = since_1970(SystemTime::now()).saturating_sub(Duration::from_secs(says.started));
    [
        says.name.clone(),
        says.version.clone(),
        rough(up_for),
        says.connections.to_string(),
        format!("{up} of {} up", says.links.len()),
        slowest.map_or_else(|| "?".to_owned(), |time| format!("{:.1} ms", time as f64 / 1000.0)),
        lease(node),
    ]
}

/// A line for each Redis that a node has no link to.
pub(crate) fn links_away(node: &KnownNode) -> Vec<String> {
    let Some(says) = &node.says else { return Vec::new() };
    let mut lines: Vec<String> = says
        .links
        .iter()
        .filter(|link| !link.up)
        .map(|link| format!("{} is out of touch through {}", says.name, link.redis))
        .collect();
    // In a Cluster each part of the channels has a link of its own.
    lines.dedup();
    lines
}

/// How long the node may be silent until its users are gone.
fn lease(node: &KnownNode) -> String {
    format!("{:.1} s", node.lease_left.max(0) as f64 / 1000.0)
}

/// A duration for people.
fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 7200 => format!("{} min", seconds / 60),
        seconds if seconds < 172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
