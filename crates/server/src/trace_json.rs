//! A trace as JSON: the one shape of the HTTP API, of the administration API and of the command line (CON-083).

use fanfare_node::trace::hint::TraceHint;
use fanfare_node::trace::{ChannelTrace, EventTrace};
use fanfare_protocol::event_id::EventId;
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Map, Value, json};

/// The trace of one event.
#[must_use]
pub fn trace(trace: &EventTrace) -> Value {
    let refused = trace.refused.as_ref();
    let mut value = json!({
        "event_id": trace.id.map(|id: EventId| id.to_string()),
        "at": utc_milliseconds(trace.at),
        "event": trace.event,
        "by": trace.by,
        "bytes": trace.bytes,
        "channels": trace.channels.iter().map(channel).collect::<Vec<_>>(),
        "refused": refused.map(|refused| json!({ "status": refused.status, "text": refused.text })),
    });
    if let Some(number) = trace.number {
        value["number"] = number.into();
    }
    if trace.left_out > 0 {
        value["channels_left_out"] = trace.left_out.into();
    }
    value
}

fn channel(channel: &ChannelTrace) -> Value {
    let ChannelTrace { channel, reach, nodes, hint: about } = channel;
    let nodes: Map<String, Value> =
        nodes.iter().map(|(node, count)| (node.clone(), (*count).into())).collect();
    json!({
        "channel": channel.as_str(),
        "subscribers": reach.subscribers,
        "nodes": nodes,
        "took": reach.took,
        "excluded": reach.excluded,
        "slow": reach.slow,
        "hint": about.as_ref().map(hint),
    })
}

fn hint(hint: &TraceHint) -> Value {
    json!({
        "kind": hint.kind.name(),
        "text": hint.text,
        "channel": hint.channel,
        "subscribers": hint.subscribers,
    })
}
