//! A trace as JSON: the one shape of the HTTP API, of the administration API and of the command line (CON-083).

use fanfare_node::trace::{ShownChannel, ShownHint, ShownTrace};
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Value, json};

/// The trace of one event that came to the node of this name.
#[must_use]
pub fn trace(trace: &ShownTrace, node: &str) -> Value {
    let refused = trace.refused.as_ref();
    let mut value = json!({
        "event_id": trace.event_id,
        "node": node,
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

fn channel(channel: &ShownChannel) -> Value {
    let ShownChannel { channel, subscribers, nodes, took, excluded, slow, hint: about } = channel;
    json!({
        "channel": channel,
        "subscribers": subscribers,
        "nodes": nodes,
        "took": took,
        "excluded": excluded,
        "slow": slow,
        "hint": about.as_ref().map(hint),
    })
}

fn hint(ShownHint { kind, text, channel, subscribers }: &ShownHint) -> Value {
    json!({ "kind": kind, "text": text, "channel": channel, "subscribers": subscribers })
}
