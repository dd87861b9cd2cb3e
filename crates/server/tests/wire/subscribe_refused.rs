//! Failed subscribing and unsubscribing: one error, and nothing else changes (WS-130 … WS-141, WS-191).

use serde_json::json;

use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::signing::channel_auth;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER};

const PRIVATE: &str = "private-a";
const GUARDED: [&str; 3] = [PRIVATE, "private-encrypted-a", "presence-a"];

fn ask(socket: &mut Socket, channel: &str, auth: &str) {
    socket
        .send(&format!(r#"{{"event":"pusher:subscribe","data":{{"auth":"{auth}","channel":"{channel}"}}}}"#));
}

#[test]
fn ws_130_a_failed_command_leaves_the_connection_as_it_was() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    socket.ask_for(PRIVATE);
    socket.expect_error("Auth info required to subscribe to private-a");
    socket.expect_nothing_more();
    let mut api = server.api();
    api.publish(PRIVATE, "e", "not for you");
    api.publish("news", "e", "for you");
    socket.expect_event("news", "e", "for you");
    api.get("/channels", &[]).expect(r#"{"channels":{"news":{}}}"#);
}

#[test]
fn ws_131_guarded_channels_ask_for_auth() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in GUARDED {
        let text = format!("Auth info required to subscribe to {channel}");
        for auth in ["", r#""auth":null,"#, r#""auth":"","#] {
            socket.send(&format!(r#"{{"event":"pusher:subscribe","data":{{{auth}"channel":"{channel}"}}}}"#));
            socket.expect_error(&text);
        }
    }
}

#[test]
fn ws_131_auth_is_a_key_a_colon_and_a_signature() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in GUARDED {
        ask(&mut socket, channel, "278d425bdf160c739803");
        socket.expect_error(&format!(
            "Auth value for subscription to {channel} is invalid: should be of format 'key:signature'"
        ));
    }
}

#[test]
fn ws_131_the_key_of_auth_must_be_the_apps() {
    let server = Setup::new().app(OTHER, "").start();
    let mut socket = server.connect();
    ask(&mut socket, PRIVATE, "nobody:58df8b0c");
    socket.expect_error("Invalid key in subscription auth data: 'nobody'");
    socket.ask_signed(OTHER, PRIVATE, None);
    socket.expect_error("Invalid key in subscription auth data: 'otherkey0123456789ab'");
    ask(&mut socket, PRIVATE, ":58df8b0c");
    socket.expect_error("Invalid key in subscription auth data: ''");
}

#[test]
fn ws_131_a_wrong_signature_is_told_what_was_signed() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let id = socket.id.clone();
    for (channel, signature) in [(PRIVATE, "00"), ("private-encrypted-a", ""), (PRIVATE, "é:ü")] {
        ask(&mut socket, channel, &format!("{}:{signature}", APP.key));
        socket.expect_error(&format!(
            "Invalid signature: Expected HMAC SHA256 hex digest of {id}:{channel}, but got {signature}"
        ));
    }
    let (channel_data, signature) = (r#"{\"user_id\":\"u1\"}"#, "0".repeat(64));
    socket.send(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"auth":"{}:{signature}","channel_data":"{channel_data}","channel":"presence-a"}}}}"#,
        APP.key
    ));
    socket.expect_error(&format!(
        r#"Invalid signature: Expected HMAC SHA256 hex digest of {id}:presence-a:{{"user_id":"u1"}}, but got {signature}"#
    ));
    server.api().get("/channels", &[]).expect(r#"{"channels":{}}"#);
}

#[test]
fn auth_024_a_signature_is_bound_to_socket_and_channel_and_data() {
    let server = TestServer::start();
    let (mut socket, other) = (server.connect(), server.connect());
    let id = socket.id.clone();
    for auth in [
        channel_auth(APP, &other.id, PRIVATE, None),
        channel_auth(APP, &id, "private-b", None),
        channel_auth(APP, &id, PRIVATE, Some("")),
        channel_auth(APP, &id, PRIVATE, None)[..60].to_owned(),
        format!("{}0", channel_auth(APP, &id, PRIVATE, None)),
    ] {
        ask(&mut socket, PRIVATE, &auth);
        let (code, message) = socket.error();
        assert_eq!(code, None);
        assert!(message.starts_with("Invalid signature: Expected HMAC SHA256 hex digest of "), "{message}");
    }
}

#[test]
fn auth_021_the_signature_covers_channel_data_as_it_was_sent() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let signed = channel_auth(APP, &socket.id, "presence-a", Some(r#"{"user_id":"u1"}"#));
    // The same JSON, spelled with a space.
    socket.send(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"auth":"{signed}","channel_data":"{{\"user_id\": \"u1\"}}","channel":"presence-a"}}}}"#
    ));
    assert!(socket.error().1.starts_with("Invalid signature: "));
}

#[test]
fn ws_131_data_must_be_an_object() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for event in ["pusher:subscribe", "pusher:unsubscribe"] {
        for data in ["5", "[]", "true", r#""news""#, r#""[]""#, r#""""#, r#"["news"]"#] {
            socket.send(&format!(r#"{{"event":"{event}","data":{data}}}"#));
            socket.expect_error("Expected parameter data to be a hash");
        }
    }
}

#[test]
fn ws_131_the_channel_must_be_named() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for event in ["pusher:subscribe", "pusher:unsubscribe"] {
        for data in ["{}", r#"{"channel":null}"#, r#""{}""#] {
            socket.send(&format!(r#"{{"event":"{event}","data":{data}}}"#));
            socket.expect_error("Missing parameter: data.channel");
        }
        for command in [format!(r#"{{"event":"{event}"}}"#), format!(r#"{{"event":"{event}","data":null}}"#)]
        {
            socket.send(&command);
            assert_eq!(socket.error().0, None);
        }
    }
}

#[test]
fn ws_130_members_of_the_wrong_type_are_an_error() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for data in [
        r#"{"channel":5}"#,
        r#"{"channel":["news"]}"#,
        r#"{"channel":"private-a","auth":5}"#,
        r#"{"channel":"presence-a","auth":"k:s","channel_data":{"user_id":"u1"}}"#,
    ] {
        socket.send(&format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#));
        assert_eq!(socket.error().0, None, "{data}");
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_135_invalid_channel_names_are_named_in_the_error() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in ["a b", "a/b", "é", "a:b", "a\"b", "a\n", "#news", "#", "private-a#b"] {
        socket.ask_for(channel);
        socket.expect_error(&format!("Invalid channel name: {channel}"));
    }
    socket.ask_for("");
    assert_eq!(socket.error().0, None);
    socket.expect_nothing_more();
}

#[test]
fn ws_137_a_second_subscribe_is_an_error_and_changes_nothing() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    socket.subscribe_private(APP, PRIVATE);
    socket.ask_for("news");
    socket.expect_error("Existing subscription to channel news");
    socket.ask_signed(APP, PRIVATE, None);
    socket.expect_error("Existing subscription to channel private-a");
    socket.expect_nothing_more();
    let mut api = server.api();
    api.publish("news", "e", "once");
    socket.expect_event("news", "e", "once");
    socket.expect_nothing_more();
    let info = [("info", "subscription_count")];
    api.get("/channels/news", &info).expect_json(&json!({"occupied": true, "subscription_count": 1}));
}

#[test]
fn ws_141_leaving_a_channel_that_was_not_joined_is_an_error() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let text = "No current subscription to channel news, or subscription in progress";
    socket.unsubscribe("news");
    socket.expect_error(text);
    socket.subscribe("news");
    socket.unsubscribe("news");
    socket.unsubscribe("news");
    socket.expect_error(text);
    socket.expect_nothing_more();
}

#[test]
fn ws_191_nobody_may_listen_to_a_user_without_being_signed_in() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for auth in ["", r#""auth":"","#] {
        socket.send(&format!(
            r##"{{"event":"pusher:subscribe","data":{{{auth}"channel":"#server-to-user-12345"}}}}"##
        ));
        assert_eq!(socket.error().0, Some(4009));
    }
    let signed = channel_auth(APP, &socket.id, "#server-to-user-12345", None);
    ask(&mut socket, "#server-to-user-12345", &signed);
    assert_eq!(socket.error().0, Some(4009));
    socket.expect_nothing_more();
}

#[test]
fn ws_133_soketis_error_event_comes_in_addition_where_it_is_switched_on() {
    let server = Setup::with_app("subscription_error_event = true").start();
    let mut socket = server.open(&pusher_js(APP)).established(50);
    ask(&mut socket, PRIVATE, "278d425bdf160c739803:00");
    let id = socket.id.clone();
    let text = format!("Invalid signature: Expected HMAC SHA256 hex digest of {id}:{PRIVATE}, but got 00");
    let (first, second) = (socket.json(), socket.json());
    let (error, soketi) = if first["event"] == "pusher:error" { (first, second) } else { (second, first) };
    assert_eq!(error, json!({"event": "pusher:error", "data": {"code": null, "message": text}}));
    assert_eq!(soketi["event"], "pusher:subscription_error");
    assert_eq!(soketi["channel"], PRIVATE);
    let data = soketi["data"].as_str().expect("WS-133: data is a string");
    let data: serde_json::Value = serde_json::from_str(data).expect("WS-133: data holds JSON");
    assert_eq!((&data["type"], &data["status"]), (&json!("AuthError"), &json!(401)));
    assert!(data["error"].is_string(), "{data}");
    socket.expect_nothing_more();
}

#[test]
fn ws_133_soketis_error_event_is_off_by_default() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.ask_for(PRIVATE);
    socket.expect_error("Auth info required to subscribe to private-a");
    socket.expect_nothing_more();
}
