//! What clients read.

use std::collections::BTreeSet;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{Subscriptions, Taken};
use fanfare_protocol::frame::Frame;
use serde_json::{Value, json};

/// A frame, its data parsed.
pub struct Seen {
    pub event: String,
    pub channel: Option<String>,
    pub data: Value,
}

/// Everything that waits for the client.
pub fn read(client: &Subscriptions) -> Vec<Seen> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = client.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    frames.iter().map(seen).collect()
}

fn seen(frame: &Frame) -> Seen {
    if let Some(event) = frame.payload().strip_prefix(b"42") {
        return seen_by_echo(event);
    }
    let mut value: Value = serde_json::from_slice(frame.payload()).expect("JSON");
    let name = value["event"].as_str().expect("a name");
    let event = name.rsplit_once(':').map_or(name, |(_, name)| name).to_owned();
    let data = match value["data"].take() {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        data => data,
    };
    Seen { event, channel: value["channel"].as_str().map(str::to_owned), data }
}

/// An event of Socket.IO, as if it were Pusher's.
fn seen_by_echo(event: &[u8]) -> Seen {
    let (name, channel, data): (String, String, Value) = serde_json::from_slice(event).expect("an event");
    let id = |member: &Value| {
        assert!(member["user_info"].is_u64() || member["user_info"].is_object(), "{member}");
        member["user_id"].clone()
    };
    let (event, data) = match name.as_str() {
        "presence:subscribed" => {
            let ids: Vec<Value> = data.as_array().expect("a list").iter().map(id).collect();
            ("subscription_succeeded", json!({ "presence": { "ids": ids } }))
        }
        "presence:joining" => ("member_added", json!({ "user_id": id(&data) })),
        "presence:leaving" => ("member_removed", json!({ "user_id": id(&data) })),
        "subscription_error" => {
            assert_eq!(data, 413);
            ("error", data)
        }
        other => (other, data),
    };
    Seen { event: event.to_owned(), channel: Some(channel), data }
}

pub fn ids(value: &Value) -> BTreeSet<String> {
    value.as_array().expect("a list").iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}
