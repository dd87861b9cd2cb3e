//! Refused events, and the reasons (API-016 … API-021, LIM-004, LIM-007).

use serde_json::json;

use crate::support::server::TestServer;
use crate::support::setup::Setup;

fn too_big(limit: usize, size: usize) -> String {
    format!(
        "The data content of this event exceeds the allowed maximum ({limit} bytes). See \
         https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info \
         (this event: {size} bytes, setting limits.event_bytes)"
    )
}

fn event(name: &str, channel: &str, data: &str) -> String {
    json!({"name": name, "channels": [channel], "data": data}).to_string()
}

#[test]
fn api_016_the_name_must_be_a_string() {
    let server = TestServer::start();
    let mut api = server.api();
    for body in [
        r#"{"channels":["a"],"data":"d"}"#,
        r#"{"name":5,"channels":["a"],"data":"d"}"#,
        r#"{"name":null,"channels":["a"],"data":"d"}"#,
        r#"{"name":["e"],"channels":["a"],"data":"d"}"#,
    ] {
        api.post("/events", body).refused_with(400, "Expected name parameter to be a string");
    }
}

#[test]
fn api_016_other_fields_of_the_wrong_type_are_named() {
    let server = TestServer::start();
    let mut api = server.api();
    for (field, body) in [
        ("data", r#"{"name":"e","channels":["a"]}"#),
        ("channels", r#"{"name":"e","data":"d","channels":"a"}"#),
        ("channels", r#"{"name":"e","data":"d","channels":{"a":1}}"#),
        ("channels", r#"{"name":"e","data":"d","channels":["a",5]}"#),
        ("channel", r#"{"name":"e","data":"d","channel":5}"#),
        ("channel", r#"{"name":"e","data":"d","channel":["a"]}"#),
        ("socket_id", r#"{"name":"e","data":"d","channel":"a","socket_id":5}"#),
        ("info", r#"{"name":"e","data":"d","channel":"a","info":["user_count"]}"#),
    ] {
        api.post("/events", body).refused(400, field);
    }
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let server = TestServer::start();
    let mut api = server.api();
    for body in ["hello", "{", "[]", "5", "null", r#""text""#, r#"{"name":"e"}}"#, "name=e&data=d&channel=a"]
    {
        api.post("/events", body).refused(400, "JSON");
    }
    api.post("/events", b"{\"name\":\"\xff\",\"channel\":\"a\",\"data\":\"d\"}").refused(400, "");
    api.post("/events", format!("{}{}", "[".repeat(50_000), "]".repeat(50_000))).refused(400, "");
}

#[test]
fn api_017_data_over_10240_bytes_is_413_in_pushers_words() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    for data in ["x".repeat(10_241), "é".repeat(5_121), "\u{1}".repeat(10_241)] {
        api.post("/events", event("e", "news", &data)).refused_with(413, &too_big(10_240, data.len()));
    }
    let object = json!({"name": "e", "channel": "news", "data": {"x": "x".repeat(10_233)}});
    api.post("/events", object.to_string()).refused_with(413, &too_big(10_240, 10_241));
    api.publish("news", "e", "small");
    socket.expect_event("news", "e", "small");
}

#[test]
fn lim_031_the_size_of_events_is_a_setting() {
    let server = Setup::new().config("[limits]\nevent_bytes = 20000").start();
    let mut api = server.api();
    api.publish("news", "e", &"x".repeat(20_000));
    api.post("/events", event("e", "news", &"x".repeat(20_001))).refused_with(413, &too_big(20_000, 20_001));
}

#[test]
fn api_020_one_invalid_channel_name_stops_the_whole_event() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("good");
    let mut api = server.api();
    for bad in ["a b", "", "é", "a/b", "a:b", "#news", "#server-to-user-", &"x".repeat(165)] {
        let body = json!({"name": "e", "data": "d", "channels": ["good", bad, "fine"]});
        api.post("/events", body.to_string()).refused(400, "Invalid channel name");
    }
    api.publish("good", "e", "first");
    socket.expect_event("good", "e", "first");
}

#[test]
fn api_021_an_event_has_1_to_100_channels() {
    let server = TestServer::start();
    let mut api = server.api();
    let channels = |count: usize| (0..count).map(|at| format!("c{at}")).collect::<Vec<_>>();
    let body = |channels| json!({"name": "e", "data": "d", "channels": channels}).to_string();
    api.post("/events", body(channels(100))).expect("{}");
    api.post("/events", body(channels(101))).refused(400, "100");
    api.post("/events", body(channels(0))).refused(400, "channel");
    api.post("/events", r#"{"name":"e","data":"d"}"#).refused(400, "channel");
}

#[test]
fn lim_013_the_number_of_channels_is_a_setting() {
    let server = Setup::with_app("limits = { channels_per_event = 2 }").start();
    let mut api = server.api();
    api.post("/events", r#"{"name":"e","data":"d","channels":["a","b"]}"#).expect("{}");
    api.post("/events", r#"{"name":"e","data":"d","channels":["a","b","c"]}"#).refused(400, "2");
}

#[test]
fn lim_004_names_of_no_or_more_than_200_characters_are_refused() {
    let server = TestServer::start();
    let mut api = server.api();
    api.post("/events", event("", "a", "d")).refused(400, "name");
    api.post("/events", event(&"é".repeat(201), "a", "d")).refused(400, "200");
}

#[test]
fn lim_007_the_protocols_own_event_names_may_not_be_published() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    let mut api = server.api();
    for name in
        ["pusher:error", "pusher:", "pusher_internal:member_added", "pusher_internal:x", "fanfare:resumed"]
    {
        api.post("/events", event(name, "a", "{}")).refused(400, "reserved");
    }
    for name in ["pusher", "pusherx:y", "x-pusher:y", "fanfare", "fanfare.x"] {
        api.post("/events", event(name, "a", "{}")).expect("{}");
        socket.expect_event("a", name, "{}");
    }
}
