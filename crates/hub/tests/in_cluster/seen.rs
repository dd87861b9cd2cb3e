//! What clients read.

use std::collections::BTreeSet;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{Subscriptions, Taken};
use fanfare_protocol::frame::Frame;
use serde_json::Value;

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
    let mut value: Value = serde_json::from_slice(frame.payload()).expect("JSON");
    let name = value["event"].as_str().expect("a name");
    let event = name.rsplit_once(':').map_or(name, |(_, name)| name).to_owned();
    let data = match value["data"].take() {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        data => data,
    };
    Seen { event, channel: value["channel"].as_str().map(str::to_owned), data }
}

pub fn ids(value: &Value) -> BTreeSet<String> {
    value.as_array().expect("a list").iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}
