//! Clients that count what they get, lose their connection and get what they missed (RES-001 … RES-011, RES-015).

use serde_json::{Value, json};

use crate::support::fallback::Fallback;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{Frame, Socket};
use crate::support::{APP, OTHER, eventually, quoted};

pub const NEWS: &str = "news";

/// A server whose app lets clients resume.
fn server() -> TestServer {
    Setup::with_app("resume_seconds = 60\nclient_events = true").start()
}

/// A connection that counts, and its token.
#[track_caller]
pub fn counting(server: &TestServer) -> (Socket, String) {
    back(server, &json!({}))
}

/// A connection that has come back with these positions, and its token.
#[track_caller]
pub fn back(server: &TestServer, positions: &Value) -> (Socket, String) {
    let mut socket = server.connect();
    let token = offer(&mut socket);
    socket.send(&format!(r#"{{"event":"fanfare:resume","data":{positions}}}"#));
    (socket, token)
}

/// Reads the offer, byte for byte (RES-001).
#[track_caller]
pub fn offer(socket: &mut Socket) -> String {
    let text = socket.text();
    let begin = r#"{"event":"pusher_internal:resume","data":"{\"token\":\""#;
    let token = text.strip_prefix(begin).and_then(|rest| rest.strip_suffix(r#"\"}"}"#));
    let token = token.unwrap_or_else(|| panic!("RES-001: {text}"));
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    assert!(token.len() == 22 && token.bytes().all(is_legal), "RES-007: {token}");
    token.to_owned()
}

/// The next message is the answer of a resume, byte for byte (RES-006).
#[track_caller]
pub fn expect_resumed(socket: &mut Socket, channel: &str, replayed: usize, complete: bool) {
    let data = quoted(&format!(r#"{{"replayed":{replayed},"complete":{complete}}}"#));
    let channel = quoted(channel);
    socket.expect_text(&format!(r#"{{"event":"fanfare:resumed","data":{data},"channel":{channel}}}"#));
}

/// The server has noticed that nobody is connected any more.
fn wait_until_gone(server: &TestServer) {
    server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
}

#[test]
fn res_001_the_offer_follows_connection_established_and_resume_is_off_by_default() {
    let server = server();
    let (mut one, token) = counting(&server);
    let (mut other, second) = counting(&server);
    assert_ne!(token, second);
    one.expect_nothing_more();
    other.expect_nothing_more();
    let plain = TestServer::start();
    plain.connect().expect_nothing_more();
}

#[test]
fn res_001_clients_of_the_http_fallback_are_offered_as_well() {
    let server = server();
    let mut session = Fallback::streaming(&server);
    assert!(session.message().starts_with(r#"{"event":"pusher_internal:resume","data":"{\"token\":"#));
}

#[test]
fn res_002_a_page_that_lost_its_stream_of_the_fallback_resumes_at_once_over_any_transport() {
    let server = server();
    let mut api = server.api();
    let mut session = Fallback::streaming(&server);
    let offer: Value = serde_json::from_str(&session.message()).expect("JSON");
    let data: Value = serde_json::from_str(offer["data"].as_str().expect("a text")).expect("JSON");
    session.send(r#"{"event":"fanfare:resume","data":{}}"#);
    session.subscribe(NEWS);
    api.publish(NEWS, "e", "0");
    session.expect_event(NEWS, "e", "0");
    // The server waits for the session's next request.
    session.break_off();
    api.publish(NEWS, "e", "1");
    let (mut socket, _) = back(&server, &json!({ NEWS: [data["token"], 1] }));
    socket.subscribe(NEWS);
    socket.expect_event(NEWS, "e", "1");
    expect_resumed(&mut socket, NEWS, 1, true);
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
}

#[test]
fn res_002_and_res_005_what_was_missed_while_away_comes_between_acknowledgement_and_answer() {
    let server = server();
    let mut api = server.api();
    let (mut socket, token) = counting(&server);
    socket.subscribe(NEWS);
    api.publish(NEWS, "e", "0");
    socket.expect_event(NEWS, "e", "0");
    drop(socket);
    wait_until_gone(&server);
    api.publish(NEWS, "e", "1");
    api.publish(NEWS, "f", r#"{"a": 2}"#);
    assert!(server.metric("fanfare_resume_records{app=\"3\"}") > 0.5);
    assert!(server.metric("fanfare_resume_bytes{app=\"3\"}") > 1.0);
    let (mut socket, _) = back(&server, &json!({ NEWS: [token, 1] }));
    socket.subscribe(NEWS);
    socket.expect_event(NEWS, "e", "1");
    socket.expect_event(NEWS, "f", r#"{"a": 2}"#);
    expect_resumed(&mut socket, NEWS, 2, true);
    api.publish(NEWS, "e", "3");
    socket.expect_event(NEWS, "e", "3");
    socket.expect_nothing_more();
    server.expect_metric("fanfare_resumes_total{complete=\"true\"}", 1.0);
}

#[test]
fn res_002_a_connection_that_seems_alive_ends_and_its_frames_in_flight_are_sent_again() {
    let server = server();
    let mut api = server.api();
    let (mut old, token) = counting(&server);
    old.subscribe(NEWS);
    for number in 0..3 {
        api.publish(NEWS, "e", &number.to_string());
    }
    // The page has got one of three, as far as it knows.
    let (mut socket, _) = back(&server, &json!({ NEWS: [token, 1] }));
    socket.subscribe(NEWS);
    socket.expect_event(NEWS, "e", "1");
    socket.expect_event(NEWS, "e", "2");
    expect_resumed(&mut socket, NEWS, 2, true);
    // As if the peer had gone: without a close frame.
    loop {
        match old.frame() {
            Frame::Text(_) => {}
            Frame::End | Frame::Cut => break,
            other => panic!("{other:?}"),
        }
    }
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
}

#[test]
fn res_002_only_connections_that_count_are_remembered() {
    let server = server();
    let mut socket = server.connect();
    let token = offer(&mut socket);
    socket.subscribe(NEWS);
    drop(socket);
    wait_until_gone(&server);
    server.expect_metric("fanfare_resume_records{app=\"3\"}", 0.0);
    let (mut socket, _) = back(&server, &json!({ NEWS: [token, 0] }));
    socket.subscribe(NEWS);
    expect_resumed(&mut socket, NEWS, 0, false);
}

#[test]
fn res_004_a_refused_subscription_is_replayed_nothing_and_a_granted_one_is() {
    let server = server();
    let mut api = server.api();
    let channel = "private-orders.7";
    let (mut socket, token) = counting(&server);
    socket.subscribe_private(APP, channel);
    drop(socket);
    wait_until_gone(&server);
    api.publish(channel, "e", "secret");
    let (mut socket, _) = back(&server, &json!({ channel: [token, 0] }));
    socket.ask_for(channel);
    socket.expect_error(&format!("Auth info required to subscribe to {channel}"));
    socket.expect_nothing_more();
    socket.subscribe_private(APP, channel);
    socket.expect_event(channel, "e", "secret");
    expect_resumed(&mut socket, channel, 1, true);
}

#[test]
fn res_006_positions_that_cannot_be_resumed_draw_no_error_and_are_incomplete() {
    let server = Setup::with_app("resume_seconds = 60").app(OTHER, "resume_seconds = 60").start();
    let (mut socket, token) = counting(&server);
    let mut of_other = server.connect_to(OTHER);
    let foreign = offer(&mut of_other);
    of_other.send(r#"{"event":"fanfare:resume","data":{}}"#);
    for channel in ["left", "above"] {
        socket.subscribe(channel);
    }
    of_other.subscribe("foreign");
    socket.unsubscribe("left");
    socket.expect_nothing_more();
    let positions = json!({
        "left": [token, 0], "above": [token, 1], "foreign": [foreign, 0], "never": [token, 0],
        "unknown": ["AAAAAAAAAAAAAAAAAAAAAA", 0], "malformed": 7, "negative": [token, -1], "short": ["x", 0],
    });
    let (mut socket, _) = back(&server, &positions);
    for channel in positions.as_object().expect("an object").keys() {
        socket.subscribe(channel);
        expect_resumed(&mut socket, channel, 0, false);
    }
    socket.subscribe("fresh");
    socket.expect_nothing_more();
    server.expect_metric("fanfare_resumes_total{complete=\"false\"}", 8.0);
    of_other.expect_nothing_more();
}

#[test]
fn res_007_a_token_is_good_for_a_second_try() {
    let server = server();
    let mut api = server.api();
    let (mut socket, token) = counting(&server);
    socket.subscribe(NEWS);
    api.publish(NEWS, "e", "0");
    socket.expect_event(NEWS, "e", "0");
    drop(socket);
    let positions = json!({ NEWS: [token, 1] });
    for number in 1..4 {
        api.publish(NEWS, "e", &number.to_string());
        let (mut socket, _) = back(&server, &positions);
        socket.ask_for(NEWS);
        // Cut before the page has read the acknowledgement.
        socket.send(r#"{"event":"pusher:ping"}"#);
    }
    let (mut socket, _) = back(&server, &positions);
    socket.subscribe(NEWS);
    for number in 1..4 {
        socket.expect_event(NEWS, "e", &number.to_string());
    }
    expect_resumed(&mut socket, NEWS, 3, true);
}

#[test]
fn res_007_at_most_so_many_channels_and_the_rest_is_incomplete() {
    let server =
        Setup::with_app("resume_seconds = 60").config("[limits]\nchannels_per_connection = 2").start();
    let (mut socket, token) = counting(&server);
    socket.subscribe("a");
    drop(socket);
    let (mut socket, _) =
        back(&server, &json!({ "a": [token, 0], "b": [token, 0], "c": [token, 0], "d": [token, 0] }));
    socket.subscribe("a");
    expect_resumed(&mut socket, "a", 0, true);
    socket.subscribe("d");
    expect_resumed(&mut socket, "d", 0, false);
}

#[test]
fn res_007_positions_under_names_that_nobody_can_subscribe_to_take_no_place() {
    let server =
        Setup::with_app("resume_seconds = 60").config("[limits]\nchannels_per_connection = 2").start();
    let (mut socket, token) = counting(&server);
    socket.subscribe(NEWS);
    drop(socket);
    let [long, none] = [&"a".repeat(1000), "a b"];
    let (mut socket, _) = back(&server, &json!({ long: [token, 0], none: [token, 0], NEWS: [token, 0] }));
    socket.subscribe(NEWS);
    expect_resumed(&mut socket, NEWS, 0, true);
}

#[test]
fn res_007_where_resume_is_off_it_is_passed_over_without_a_word() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for data in ["{}", r#"{"news":["AAAAAAAAAAAAAAAAAAAAAA",3]}"#, r#"{"late":true}"#, "7"] {
        socket.send(&format!(r#"{{"event":"fanfare:resume","data":{data}}}"#));
    }
    socket.subscribe(NEWS);
    socket.expect_nothing_more();
}

#[test]
fn res_009_events_that_left_out_a_socket_of_the_page_are_not_replayed() {
    let server = server();
    let mut api = server.api();
    let mut publish = |data: &str, socket: &str| {
        let body = json!({ "name": "e", "channel": NEWS, "data": data, "socket_id": socket });
        api.post("/events", body.to_string()).expect("{}");
    };
    let (mut socket, token) = counting(&server);
    socket.subscribe(NEWS);
    publish("of the old, while it lived", &socket.id);
    let old = socket.id.clone();
    drop(socket);
    wait_until_gone(&server);
    publish("of the old", &old);
    let (between, _) = back(&server, &json!({ NEWS: [token, 0] }));
    publish("of one between", &between.id);
    drop(between);
    let (mut socket, _) = back(&server, &json!({ NEWS: [token, 0] }));
    publish("of the new", &socket.id);
    publish("of nobody", "1.1");
    socket.subscribe(NEWS);
    socket.expect_event(NEWS, "e", "of nobody");
    expect_resumed(&mut socket, NEWS, 1, true);
}

#[test]
fn res_010_client_events_of_others_are_replayed_and_the_pages_own_are_not() {
    let server = server();
    let channel = "presence-room";
    let (mut socket, token) = counting(&server);
    socket.join(APP, channel, r#"{"user_id":"ann"}"#);
    let mut other = server.connect();
    offer(&mut other);
    other.join(APP, channel, r#"{"user_id":"bob"}"#);
    assert_eq!(socket.json()["event"], "pusher_internal:member_added");
    socket.client_event(channel, "client-own", "1");
    socket.expect_nothing_more();
    drop(socket);
    let by = |event: &str, data: u8, user: &str| {
        format!(r#"{{"event":"{event}","data":"{data}","channel":"{channel}","user_id":"{user}"}}"#)
    };
    other.expect_text(&by("client-own", 1, "ann"));
    other.expect_event(channel, "pusher_internal:member_removed", r#"{"user_id":"ann"}"#);
    other.client_event(channel, "client-typing", "2");
    other.expect_nothing_more();
    let (mut socket, _) = back(&server, &json!({ channel: [token, 1] }));
    let roster = socket.join(APP, channel, r#"{"user_id":"ann"}"#);
    assert_eq!(roster["count"], 2, "the acknowledgement has the roster");
    socket.expect_text(&by("client-typing", 2, "bob"));
    expect_resumed(&mut socket, channel, 1, true);
}

#[test]
fn res_011_a_cache_channel_sends_its_kept_event_once() {
    let server = server();
    let mut api = server.api();
    let channel = "cache-rates";
    let (mut socket, token) = counting(&server);
    socket.subscribe(channel);
    socket.expect_cache_miss(channel);
    drop(socket);
    wait_until_gone(&server);
    api.publish(channel, "e", "1");
    api.publish(channel, "e", "2");
    let (mut socket, second) = back(&server, &json!({ channel: [token, 1] }));
    socket.subscribe(channel);
    socket.expect_event(channel, "e", "1");
    socket.expect_event(channel, "e", "2");
    expect_resumed(&mut socket, channel, 2, true);
    drop(socket);
    let (mut socket, _) = back(&server, &json!({ channel: [second, 2] }));
    socket.subscribe(channel);
    socket.expect_event(channel, "e", "2");
    expect_resumed(&mut socket, channel, 0, true);
}

#[test]
fn res_012_a_connection_is_remembered_for_resume_seconds_of_its_app() {
    let server = Setup::with_app("resume_seconds = 1").start();
    let (mut socket, token) = counting(&server);
    socket.subscribe(NEWS);
    drop(socket);
    wait_until_gone(&server);
    server.api().publish(NEWS, "e", "0");
    let gone = || server.metric("fanfare_resume_records{app=\"3\"}") < 0.5;
    eventually("the connection is forgotten", || gone().then_some(()));
    let (mut socket, _) = back(&server, &json!({ NEWS: [token, 0] }));
    socket.subscribe(NEWS);
    expect_resumed(&mut socket, NEWS, 0, false);
}

#[test]
fn res_012_a_ring_is_as_long_as_the_app_says() {
    let server = Setup::with_app("resume_seconds = 60\nlimits = { resume_entries = 3 }").start();
    let mut api = server.api();
    for (events, complete) in [(3, true), (4, false)] {
        let (mut socket, token) = counting(&server);
        let channel = format!("news-{events}");
        socket.subscribe(&channel);
        for number in 0..events {
            api.publish(&channel, "e", &number.to_string());
        }
        let (mut socket, _) = back(&server, &json!({ &channel: [token, 0] }));
        socket.subscribe(&channel);
        for number in 0..if complete { events } else { 0 } {
            socket.expect_event(&channel, "e", &number.to_string());
        }
        expect_resumed(&mut socket, &channel, if complete { events } else { 0 }, complete);
    }
}

#[test]
fn res_013_and_res_012_switching_resume_on_and_off_needs_no_restart() {
    let server = TestServer::with_stored_app(&[]);
    let mut early = server.connect();
    early.subscribe(NEWS);
    server.commanded(&["app", "update", APP.id, "--set", "resume_seconds=1m"]);
    let mut late = eventually("the setting holds", || {
        let mut socket = server.connect();
        socket.send(r#"{"event":"pusher:ping"}"#);
        let text = socket.text();
        text.contains("pusher_internal:resume").then_some(socket)
    });
    late.expect_text(crate::support::PONG);
    // A connection from before is not remembered, until it asks for a token.
    early.send(r#"{"event":"fanfare:resume","data":{"late":true}}"#);
    let token = offer(&mut early);
    early.send(r#"{"event":"fanfare:resume","data":{}}"#);
    early.subscribe("other");
    drop(early);
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
    server.api().publish("other", "e", "0");
    let (mut socket, _) = back(&server, &json!({ "other": [token, 0], NEWS: [token, 0] }));
    socket.subscribe("other");
    socket.expect_event("other", "e", "0");
    expect_resumed(&mut socket, "other", 1, true);
    socket.subscribe(NEWS);
    expect_resumed(&mut socket, NEWS, 0, false);
    server.commanded(&["app", "update", APP.id, "--unset", "resume_seconds"]);
    eventually("nothing is kept", || (server.metric("fanfare_resume_bytes{app=\"3\"}") < 0.5).then_some(()));
}

#[test]
fn res_015_a_users_own_channel_resumes_for_that_user_alone() {
    let server = server();
    let mut api = server.api();
    let channel = "#server-to-user-ann";
    let (mut socket, token) = counting(&server);
    socket.sign_in(APP, r#"{"id":"ann"}"#);
    socket.subscribe(channel);
    drop(socket);
    wait_until_gone(&server);
    api.publish(channel, "e", "mine");
    let positions = json!({ channel: [token, 0] });
    let (mut bob, _) = back(&server, &positions);
    bob.sign_in(APP, r#"{"id":"bob"}"#);
    bob.ask_for(channel);
    bob.expect_error_code(4009, &format!("Only the signed-in user may subscribe to {channel}"));
    let (mut ann, _) = back(&server, &positions);
    ann.sign_in(APP, r#"{"id":"ann"}"#);
    ann.subscribe(channel);
    ann.expect_event(channel, "e", "mine");
    expect_resumed(&mut ann, channel, 1, true);
}

#[test]
fn res_021_who_asks_late_is_offered_the_same_token() {
    let server = server();
    let mut socket = server.connect();
    let token = offer(&mut socket);
    socket.send(r#"{"event":"fanfare:resume","data":{"late":true}}"#);
    assert_eq!(offer(&mut socket), token);
    socket.expect_nothing_more();
}
