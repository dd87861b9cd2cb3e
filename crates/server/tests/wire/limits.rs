//! Limits of names and numbers, and the settings of the limits (LIM-001 … LIM-003, LIM-015 … LIM-031).

use serde_json::json;

use crate::support::api::{Request, now};
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};

#[test]
fn lim_001_a_channel_name_may_have_164_characters() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let longest = "x".repeat(164);
    socket.subscribe(&longest);
    server.api().publish(&longest, "e", "d");
    socket.expect_event(&longest, "e", "d");
    let private = format!("private-{}", "x".repeat(164 - 8));
    socket.subscribe_private(APP, &private);
    let too_long = "x".repeat(165);
    socket.ask_for(&too_long);
    let text = "(165 characters, at most 164, setting limits.channel_name)";
    socket.expect_error(&format!("Invalid channel name: {too_long} {text}"));
}

#[test]
fn lim_015_a_name_that_is_too_long_is_an_error_wherever_it_is_given() {
    let server = Setup::with_app("limits = { channel_name = 10 }").start();
    let (mut socket, mut api) = (server.connect(), server.api());
    let text = "Invalid channel name: presence-ab (11 characters, at most 10, setting limits.channel_name)";
    socket.ask_for("presence-ab");
    socket.expect_error(text);
    socket.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    let body = json!({"name": "e", "channels": ["a", "presence-ab"], "data": "d"}).to_string();
    api.post("/events", body).refused_with(400, text);
    let batch = json!({"batch": [{"name": "e", "channel": "presence-ab", "data": "d"}]}).to_string();
    api.post("/batch_events", batch).refused_with(400, text);
    for path in ["/channels/presence-ab", "/channels/presence-ab/users", "/channels/presence-ab/stats"] {
        api.get(path, &[]).refused_with(400, text);
    }
    // The prefix of a user's own channel is not counted.
    socket.sign_in(APP, r#"{"id":"0123456789"}"#);
    socket.subscribe("#server-to-user-0123456789");
    socket.ask_for("#server-to-user-0123456789a");
    let (code, message) = socket.error();
    assert!(code.is_none() && message.contains("(11 characters, at most 10"), "{message}");
}

#[test]
fn lim_003_the_length_of_names_is_a_setting_up_to_200() {
    let server = Setup::with_app("limits = { channel_name = 200 }").app(OTHER, "").start();
    let (mut long, mut short) = (server.connect(), server.connect_to(OTHER));
    let name = "x".repeat(200);
    long.subscribe(&name);
    short.ask_for(&name);
    let text = "(200 characters, at most 164, setting limits.channel_name)";
    short.expect_error(&format!("Invalid channel name: {name} {text}"));
    server.api().publish(&name, "e", "d");
    long.expect_event(&name, "e", "d");
    let body = json!({"name": "e", "channels": [name], "data": "d"}).to_string();
    server.api_of(OTHER).post("/events", body).refused(400, "Invalid channel name");
}

#[test]
fn lim_028_a_connection_may_listen_to_so_many_channels() {
    let server = Setup::new().config("[limits]\nchannels_per_connection = 3").start();
    let mut socket = server.connect();
    for channel in ["a", "b", "c"] {
        socket.subscribe(channel);
    }
    socket.ask_for("d");
    let (code, message) = socket.error();
    assert_eq!(code, None);
    assert!(message.contains('3') && message.contains("channels_per_connection"), "{message}");
    socket.ask_for("a");
    socket.expect_error("Existing subscription to channel a");
    socket.unsubscribe("a");
    socket.subscribe("d");
}

#[test]
fn lim_016_the_length_of_event_names_is_a_setting() {
    let server = Setup::with_app("limits = { event_name = 10 }").start();
    let mut api = server.api();
    api.publish("a", &"é".repeat(10), "d");
    let body = json!({"name": "x".repeat(11), "channels": ["a"], "data": "d"}).to_string();
    api.post("/events", body).refused(400, "10");
}

#[test]
fn lim_031_an_apps_own_limit_goes_before_the_servers() {
    let server = Setup::with_app("[apps.list.limits]\nevent_bytes = 20")
        .config("[limits]\nevent_bytes = 10")
        .app(OTHER, "")
        .start();
    let event = |size: usize| json!({"name": "e", "channels": ["a"], "data": "x".repeat(size)}).to_string();
    server.api().post("/events", event(20)).expect("{}");
    server.api().post("/events", event(21)).refused(413, "(20 bytes)");
    server.api_of(OTHER).post("/events", event(10)).expect("{}");
    server.api_of(OTHER).post("/events", event(11)).refused(413, "(10 bytes)");
}

#[test]
fn lim_025_the_clock_skew_of_requests_is_a_setting() {
    let server = Setup::new().config("[timeouts]\nclock_skew = 60").start();
    let mut api = server.api();
    let at = |timestamp: u64| {
        Request::get("/apps/3/channels").auth(|auth| auth.timestamp = Some(timestamp.to_string()))
    };
    for good in [now() - 40, now(), now() + 40] {
        api.send(&at(good)).expect(r#"{"channels":{}}"#);
    }
    for bad in [now() - 80, now() + 80, now() - 590] {
        let answer = api.send(&at(bad));
        answer.refused(401, "Timestamp expired: Given timestamp (");
        answer.refused(401, "not within 60s of server time");
    }
}

#[test]
fn lim_027_the_activity_timeout_is_announced_as_50_seconds_unless_set() {
    TestServer::start().open(&pusher_js(APP)).established(50);
    let server = Setup::new().config("[timeouts]\nactivity = 30").app(OTHER, "").start();
    for app in [APP, OTHER] {
        server.open(&pusher_js(app)).established(30);
    }
}
