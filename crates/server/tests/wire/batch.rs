//! Several events in one request (API-025 … API-028).

use serde_json::{Value, json};

use crate::support::APP;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

fn item(channel: &str, name: &str, data: &str) -> Value {
    json!({"channel": channel, "name": name, "data": data})
}

fn batch(items: &[Value]) -> String {
    json!({"batch": items}).to_string()
}

#[test]
fn api_026_a_batch_is_delivered_in_order_and_answered_with_an_empty_object() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    socket.subscribe("b");
    let items: Vec<Value> =
        (0..10).map(|at| item(if at % 2 == 0 { "a" } else { "b" }, "e", &at.to_string())).collect();
    server.api().post("/batch_events", batch(&items)).expect("{}");
    let got: Vec<Value> = (0..10).map(|_| socket.json()).collect();
    for channel in ["a", "b"] {
        let of = |events: &[Value]| -> Vec<String> {
            events.iter().filter(|e| e["channel"] == channel).map(|e| e["data"].to_string()).collect()
        };
        assert_eq!(of(&got), of(&items));
    }
    socket.expect_nothing_more();
}

#[test]
fn api_025_each_event_of_a_batch_excludes_for_itself() {
    let server = TestServer::start();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.subscribe("a");
    second.subscribe("a");
    let excluding = |socket_id: &str, data: &str| json!({"channel": "a", "name": "e", "data": data, "socket_id": socket_id});
    let items = [excluding(&first.id, "1"), excluding(&second.id, "2"), item("a", "e", "3")];
    server.api().post("/batch_events", batch(&items)).expect("{}");
    first.expect_event("a", "e", "2");
    first.expect_event("a", "e", "3");
    second.expect_event("a", "e", "1");
    second.expect_event("a", "e", "3");
}

#[test]
fn api_026_info_is_answered_in_the_order_of_the_events() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("b");
    socket.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    let with_info =
        |channel: &str, info: &str| json!({"channel": channel, "name": "e", "data": "d", "info": info});
    let items = [
        with_info("presence-a", "user_count"),
        item("b", "e", "d"),
        with_info("b", "subscription_count"),
        with_info("presence-a", "user_count,subscription_count"),
    ];
    server.api().post("/batch_events", batch(&items)).expect_json(&json!({"batch": [
        {"user_count": 1}, {}, {"subscription_count": 1}, {"user_count": 1, "subscription_count": 1}
    ]}));
}

#[test]
fn api_027_one_bad_event_stops_the_whole_batch() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    let mut api = server.api();
    let good = item("a", "e", "not to be delivered");
    for (bad, mentions) in [
        (item("a b", "e", "d"), "Invalid channel name"),
        (item("a", "", "d"), "name"),
        (item("a", "pusher:x", "d"), "pusher"),
        (json!({"channel": "a", "data": "d"}), "Expected name parameter to be a string"),
        (json!({"channel": "a", "name": "e"}), "data"),
        (json!({"name": "e", "data": "d"}), "channel"),
        (json!("not an event"), ""),
    ] {
        api.post("/batch_events", batch(&[good.clone(), bad, good.clone()])).refused(400, mentions);
    }
    api.publish("a", "e", "first");
    socket.expect_event("a", "e", "first");
}

#[test]
fn api_028_one_event_over_the_size_is_413_for_the_whole_batch() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    let mut api = server.api();
    let items = [item("a", "e", "small"), item("a", "e", &"x".repeat(10_241))];
    api.post("/batch_events", batch(&items)).refused_with(
        413,
        "The data content of this event exceeds the allowed maximum (10240 bytes). See \
         https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info \
         (this event: 10241 bytes, setting limits.event_bytes)",
    );
    api.publish("a", "e", "first");
    socket.expect_event("a", "e", "first");
}

#[test]
fn lim_030_ten_full_events_with_every_byte_escaped_fit_a_request() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    let data = "\u{1}".repeat(10_240);
    let items = vec![item("a", "e", &data); 10];
    server.api().post("/batch_events", batch(&items)).expect("{}");
    for _ in 0..10 {
        assert_eq!(socket.json()["data"], data);
    }
}

#[test]
fn lim_011_a_batch_has_1_to_10_events() {
    let server = TestServer::start();
    let mut api = server.api();
    let items = vec![item("a", "e", "d"); 11];
    api.post("/batch_events", batch(&items)).refused(400, "10");
    api.post("/batch_events", batch(&items[..10])).expect("{}");
    api.post("/batch_events", batch(&[])).refused(400, "batch");
}

#[test]
fn lim_011_the_number_of_events_is_a_setting() {
    let server = Setup::with_app("limits = { batch = 2 }").start();
    let mut api = server.api();
    let items = vec![item("a", "e", "d"); 3];
    api.post("/batch_events", batch(&items[..2])).expect("{}");
    api.post("/batch_events", batch(&items)).refused(400, "2");
}

#[test]
fn api_025_the_batch_must_be_an_array() {
    let server = TestServer::start();
    let mut api = server.api();
    for body in ["{}", r#"{"batch":{}}"#, r#"{"batch":null}"#, r#"{"batch":"a"}"#] {
        api.post("/batch_events", body).refused(400, "batch");
    }
    api.post("/batch_events", "[]").refused(400, "");
    api.post("/batch_events", "").refused(400, "");
}
