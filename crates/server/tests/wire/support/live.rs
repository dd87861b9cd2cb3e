//! A live list, read as browsers do: Server-Sent Events.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::api::Api;
use super::http::{Head, Http};
use super::server::TestServer;

/// A running request for what happens in an app.
pub struct LiveList {
    http: Http,
    unread: String,
}

/// One message of the stream.
#[derive(Debug)]
pub struct LiveMessage {
    /// The number; 0 where there is none.
    pub id: u64,
    /// The kind of message; `None` for entries.
    pub event: Option<String>,
    pub data: Value,
}

impl LiveList {
    /// The list of the reference's app, with a token; `query` begins with a question mark, or is empty.
    #[track_caller]
    pub fn open(server: &TestServer, token: &str, query: &str) -> Self {
        Self::with_headers(server.admin, query, &bearer(token))
    }

    /// The list of a token, or none while too many are open; behind an entry that a reader who comes back has got.
    #[track_caller]
    pub fn try_open(server: &TestServer, token: &str, query: &str, after: Option<u64>) -> Option<Self> {
        let after = after.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let headers = format!("{}{after}", bearer(token));
        let (http, head) = asked(Http::connect(server.admin), query, &headers);
        (head.status != 429).then(|| Self::begun(http, &head))
    }

    #[track_caller]
    pub fn with_headers(addr: SocketAddr, query: &str, headers: &str) -> Self {
        let (http, head) = asked(Http::connect(addr), query, headers);
        Self::begun(http, &head)
    }

    /// Reads nothing but the head.
    #[track_caller]
    pub fn unread(server: &TestServer, token: &str, query: &str) -> Http {
        asked(Http::connect_narrow(server.admin), query, &bearer(token)).0
    }

    #[track_caller]
    fn begun(http: Http, head: &Head) -> Self {
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("cache-control"), Some("no-store"));
        let mut list = Self { http, unread: String::new() };
        assert_eq!(list.block(), Some("retry: 1000\n: listening".to_owned()));
        list
    }

    /// The next lines up to an empty one; `None` at the end of the stream.
    #[track_caller]
    fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let block = block.to_owned();
                self.unread = rest.to_owned();
                return Some(block);
            }
            let chunk = self.http.chunk();
            if chunk.is_empty() {
                return None;
            }
            self.unread.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        }
    }

    /// The next message, comments left out; `None` at the end of the stream.
    #[track_caller]
    pub fn message(&mut self) -> Option<LiveMessage> {
        loop {
            let block = self.block()?;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let Some(data) = field("data: ") {
                return Some(LiveMessage {
                    id: field("id: ").map_or(0, |id| id.parse().expect("a number")),
                    event: field("event: ").map(str::to_owned),
                    data: serde_json::from_str(data).expect("JSON"),
                });
            }
        }
    }

    /// The next entry; which nodes are there may be told at any time.
    #[track_caller]
    pub fn entry(&mut self) -> Value {
        let is_entry = |message: &LiveMessage| message.event.as_deref() != Some("missing");
        let mut messages = std::iter::from_fn(|| self.message());
        let message = messages.find(is_entry).expect("the stream goes on");
        assert_eq!(message.event, None, "{message:?}");
        assert_eq!(message.data["id"], message.id);
        message.data
    }

    /// The next entry of this kind.
    #[track_caller]
    pub fn entry_of(&mut self, kind: &str) -> Value {
        loop {
            let entry = self.entry();
            if entry["kind"] == kind {
                return entry;
            }
        }
    }

    /// The next word about the other nodes of which this is so; what comes before is dropped.
    #[track_caller]
    pub fn nodes(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.message().expect("the stream goes on");
            if message.event.as_deref() == Some("missing") && is_so(&message.data) {
                return message.data;
            }
        }
    }

    /// Publishes a flood, which the list shows as a sample with true counts; returns how often other nodes were spoken of meanwhile.
    #[track_caller]
    pub fn sees_a_flood(&mut self, api: &mut Api, is_right: impl Fn(&Value)) -> usize {
        let events =
            (0..10).map(|_| format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(2000)));
        let batch = format!(r#"{{"batch":[{}]}}"#, events.collect::<Vec<_>>().join(","));
        let (mut sent, mut told, mut shown, mut was_sample, mut of_nodes) = (0, 0, 0, false, 0);
        while sent < 4000 {
            assert_eq!(api.post("/batch_events", batch.clone()).head.status, 200);
            sent += 10;
        }
        api.publish("a", "last", "x");
        while told <= sent {
            let message = self.message().expect("the stream goes on");
            match message.event.as_deref() {
                Some("left_out") => {
                    let count = message.data["count"].as_u64().expect("a number");
                    assert_eq!(message.data["kinds"], json!({"event": count}));
                    was_sample |= message.data["sample"] == true;
                    told += count;
                }
                Some(_) => of_nodes += 1,
                None => {
                    is_right(&message.data);
                    (told, shown) = (told + 1, shown + 1);
                }
            }
        }
        assert_eq!(told, sent + 1);
        assert!(was_sample || shown < sent, "{shown} of {sent}");
        of_nodes
    }

    /// The list has ended.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let message = self.message();
        assert!(message.is_none(), "{message:?}");
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[track_caller]
fn asked(mut http: Http, query: &str, headers: &str) -> (Http, Head) {
    http.write(format!("GET /v1/apps/3/live{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes());
    let head = http.head();
    (http, head)
}

/// A value's members but those that say when and where.
pub fn told(entry: &Value) -> Value {
    let mut entry = entry.clone();
    let members = entry.as_object_mut().expect("an object");
    for name in ["id", "at", "node", "address", "transport", "milliseconds"] {
        members.remove(name);
    }
    entry
}
