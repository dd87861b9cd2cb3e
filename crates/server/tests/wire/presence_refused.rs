//! Refused presence subscriptions (WS-115, WS-116, WS-136, LIM-020 … LIM-022).

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER};

const ROOM: &str = "presence-room";

/// Asks to join with a right signature; the answer must be an error with code null.
#[track_caller]
fn refused(socket: &mut Socket, channel_data: &str) -> String {
    socket.ask_signed(APP, ROOM, Some(channel_data));
    let (code, message) = socket.error();
    assert_eq!(code, None, "{message}");
    message
}

/// A `channel_data` of this many bytes.
fn sized(bytes: usize) -> String {
    let (start, end) = (r#"{"user_id":"u1","user_info":""#, r#""}"#);
    format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len()))
}

#[test]
fn ws_115_without_channel_data_nobody_knows_who_joins() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.ask_signed(APP, ROOM, None);
    let (code, message) = socket.error();
    assert_eq!(code, None);
    assert!(message.contains("channel_data"), "{message}");
    server.api().get("/channels", &[]).expect(r#"{"channels":{}}"#);
}

#[test]
fn ws_116_channel_data_must_hold_a_user_id_that_is_text_or_an_integer() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel_data in [
        "",
        "u1",
        "{",
        "5",
        "null",
        "[]",
        r#""u1""#,
        "{}",
        r#"{"user_info":{}}"#,
        r#"{"user_id":null}"#,
        r#"{"user_id":true}"#,
        r#"{"user_id":1.5}"#,
        r#"{"user_id":{}}"#,
        r#"{"user_id":["u1"]}"#,
    ] {
        let message = refused(&mut socket, channel_data);
        assert!(message.contains(ROOM) || message.contains("user_id"), "{channel_data}: {message}");
    }
    server.api().get("/channels", &[]).expect(r#"{"channels":{}}"#);
    socket.join(APP, ROOM, r#"{"user_id":"u1"}"#);
}

#[test]
fn lim_020_the_hundred_and_first_member_is_refused() {
    let server = TestServer::start();
    let mut members: Vec<Socket> = Vec::new();
    for number in 0..100 {
        let mut socket = server.connect();
        socket.join(APP, ROOM, &format!(r#"{{"user_id":"u{number}"}}"#));
        members.push(socket);
    }
    let mut late = server.connect();
    let message = refused(&mut late, r#"{"user_id":"late"}"#);
    assert!(message.contains(ROOM) && message.contains("100"), "{message}");
    late.expect_nothing_more();
    // The limit counts users, not connections.
    late.join(APP, ROOM, r#"{"user_id":"u7"}"#);
    server
        .api()
        .get(&format!("/channels/{ROOM}"), &[("info", "user_count")])
        .expect_json(&serde_json::json!({"occupied": true, "user_count": 100}));
}

#[test]
fn lim_020_the_number_of_members_is_a_setting_of_each_app() {
    let server =
        Setup::with_app("limits = { members = 1 }").config("[limits]\nmembers = 2").app(OTHER, "").start();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.join(APP, ROOM, r#"{"user_id":"u1"}"#);
    refused(&mut second, r#"{"user_id":"u2"}"#);
    first.unsubscribe(ROOM);
    first.expect_nothing_more();
    second.join(APP, ROOM, r#"{"user_id":"u2"}"#);
    let mut others = [server.connect_to(OTHER), server.connect_to(OTHER), server.connect_to(OTHER)];
    let [first, second, third] = &mut others;
    first.join(OTHER, ROOM, r#"{"user_id":"u1"}"#);
    second.join(OTHER, ROOM, r#"{"user_id":"u2"}"#);
    third.ask_signed(OTHER, ROOM, Some(r#"{"user_id":"u3"}"#));
    assert_eq!(third.error().0, None);
}

#[test]
fn lim_021_channel_data_may_have_1024_bytes_and_no_more() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let message = refused(&mut socket, &sized(1025));
    assert!(message.contains("1024"), "{message}");
    socket.join(APP, ROOM, &sized(1024));
}

#[test]
fn lim_021_the_size_is_a_setting_of_each_app() {
    let server = Setup::with_app("limits = { member_bytes = 3000 }").start();
    let mut socket = server.connect();
    refused(&mut socket, &sized(3001));
    socket.join(APP, ROOM, &sized(3000));
}

#[test]
fn lim_022_a_user_id_may_have_128_characters_and_no_more() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let message = refused(&mut socket, &format!(r#"{{"user_id":"{}"}}"#, "é".repeat(129)));
    assert!(message.contains("128"), "{message}");
    socket.join(APP, ROOM, &format!(r#"{{"user_id":"{}"}}"#, "é".repeat(128)));
}
