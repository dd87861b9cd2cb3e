//! This node: `GET /v1/node` (CON-058). What `/ready` and the gauges read, and the configuration, without a secret; and what other
//! nodes are told of it for `GET /v1/nodes`.

use std::fs;
use std::sync::Arc;

use fanfare_config::{DifferingSetting, SettingChange};
use fanfare_node::Node;
use fanfare_node::memory;
use fanfare_protocol::utc::{utc, utc_milliseconds};
use serde_json::{Map, Value, json};

use super::asked::{Asked, ok};
use super::problem::Problem;
use super::ready::readiness;
use crate::command_line::VERSION;
use crate::descriptors;
use crate::http::Answer;
use crate::listed::of_this_node;
use crate::state::State;

/// What the node is and has, and its configuration.
///
/// # Errors
/// The query has faults.
pub(super) fn node(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let mut value = about(state);
    let settings: Vec<Value> = state.node.config().differing().iter().map(setting).collect();
    value["configuration"] = settings.into();
    value["reload"] = json!({
        "is_well": state.reloads.is_well(),
        "succeeded_at": utc(state.reloads.succeeded_at()),
        "needs_restart": state.reloads.needs_restart().iter().map(SettingChange::key).collect::<Vec<_>>(),
    });
    Ok(ok(&of_this_node(&state.node, value)))
}

/// From now on other nodes hear what this one is and has, if they ask.
pub(super) fn tell_others(state: &Arc<State>) {
    // Weak, because the state holds its node.
    let weak = Arc::downgrade(state);
    state.node.about.set(move || weak.upgrade().map(|state| about(&state)));
}

/// What the node is and has; nothing that names a setting.
fn about(state: &State) -> Value {
    let node = &state.node;
    let (is_ready, says) = match readiness(state) {
        Ok(says) => (true, says),
        Err(says) => (false, says),
    };
    let feeds = state.redis_feed.connections();
    let (lists, lists_of_others) = node.taps.numbers();
    let mut value = json!({
        "name": node.name(),
        "version": VERSION,
        "started_at": utc_milliseconds(node.started_at()),
        "ready": is_ready,
        "says": says,
        "draining": node.drain.has_begun(),
        "connections": node.seats.open(),
        "capacity": node.seats.capacity(),
        "database": node.apps.has_database().then(|| database_is_well(node)),
        "redis": node.bus().map(|bus| bus.links().iter().all(|link| link.is_up)),
        "live_lists": { "own": lists, "of_other_nodes": lists_of_others },
        "feeds": { "all": feeds.all, "away": feeds.away, "refusing": feeds.refusing },
        "certificate_ends_at": state.metrics.certificate_expiry().map(utc),
        "descriptors_open": open_descriptors(),
        "descriptors_limit": descriptors::limit(),
    });
    if let Some(object) = value.as_object_mut() {
        object.extend(bytes(node));
    }
    value
}

fn database_is_well(node: &Node) -> bool {
    node.apps.database_away_for().is_none() && node.apps.database_unwritable_for().is_none()
}

/// What takes memory, in bytes.
fn bytes(node: &Node) -> Map<String, Value> {
    let budget = node.hubs.budget();
    let cached: usize = node.hubs.all().iter().map(|hub| hub.parked_bytes()).sum();
    let (resume, _) = node.hubs.kept_for_resuming();
    let all = [
        ("memory_bytes", memory::resident().into()),
        ("outboxes_bytes", budget.held().into()),
        ("outboxes_bytes_limit", budget.bytes().into()),
        ("cache_bytes", cached.into()),
        ("resume_bytes", resume.into()),
        ("history_bytes", node.histories.bytes().into()),
        ("idempotency_bytes", node.idempotency.numbers().bytes.into()),
    ];
    all.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

fn setting(DifferingSetting { key, value, from }: &DifferingSetting) -> Value {
    json!({ "key": key, "value": value, "from": from })
}

/// Descriptors in use; `None` where the system does not count them: to list a hundred thousand would take too long.
fn open_descriptors() -> Option<u64> {
    fs::metadata("/proc/self/fd").ok().map(|folder| folder.len()).filter(|count| *count > 0)
}
