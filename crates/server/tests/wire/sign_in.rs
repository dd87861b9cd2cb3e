//! Signing in as a user (WS-115, WS-180 … WS-186, AUTH-030).

use serde_json::json;

use crate::support::server::TestServer;
use crate::support::signing::{hmac, user_auth};
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, eventually, quoted};

const ANN: &str = r#"{"id":"12345","user_info":{"name":"Ann"},"watchlist":["67890"]}"#;
const ROOM: &str = "presence-room";

/// Sends `pusher:signin` with this `data`.
fn ask(socket: &mut Socket, data: &str) {
    socket.send(&format!(r#"{{"event":"pusher:signin","data":{data}}}"#));
}

/// The roster that the next message must hold, byte for byte.
fn expect_roster(socket: &mut Socket, roster: &str) {
    let data = format!(r#"{{"presence":{roster}}}"#);
    socket.expect_event(ROOM, "pusher_internal:subscription_succeeded", &data);
}

#[test]
fn ws_183_success_echoes_user_data_in_three_levels_of_quoting() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let auth = user_auth(APP, &socket.id, ANN);
    socket.send(&format!(
        r#"{{"event":"pusher:signin","data":{{"auth":"{auth}","user_data":"{{\"id\":\"12345\",\"user_info\":{{\"name\":\"Ann\"}},\"watchlist\":[\"67890\"]}}"}}}}"#
    ));
    socket.expect_text(
        r#"{"event":"pusher:signin_success","data":"{\"user_data\":\"{\\\"id\\\":\\\"12345\\\",\\\"user_info\\\":{\\\"name\\\":\\\"Ann\\\"},\\\"watchlist\\\":[\\\"67890\\\"]}\"}"}"#,
    );
    socket.expect_nothing_more();
}

#[test]
fn ws_183_and_auth_030_user_data_is_signed_and_echoed_byte_for_byte() {
    let server = TestServer::start();
    for user_data in [
        r#"{"id":"12345"}"#,
        r#"{"id": "12345"}"#,
        " {\n\"watchlist\" : [ ] ,\t\"id\":\"u\" , \"user_info\":{\"b\":1.0,\"a\":[ ]},\"more\":null}\n",
        r#"{"id":"u","user_info":{"name":"\u00e9 \ud83c\udfba \" \\ \/"}}"#,
        r#"{"id":"u","user_info":{"name":"é 🎺 \u2028"},"user_info2":"::user::"}"#,
        r#"{"id":"A-z_0=9@,.;","user_info":null,"watchlist":null}"#,
        r#"{"id":"u","user_info":[1,"two",null]}"#,
    ] {
        server.connect().sign_in(APP, user_data);
    }
}

#[test]
fn auth_030_the_signature_covers_socket_word_and_data() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let data = r#"{"id":"12345"}"#;
    let (key, id) = (APP.key, socket.id.clone());
    let signed = format!("{id}::user::{data}");
    for (wrong, text) in [
        ("the secret", hmac(OTHER.secret, &signed)),
        ("the socket", hmac(APP.secret, &format!("1234.1234::user::{data}"))),
        ("other data", hmac(APP.secret, &format!(r#"{id}::user::{{"id": "12345"}}"#))),
        ("the form of a channel's", hmac(APP.secret, &format!("{id}:user:{data}"))),
        ("upper case", hmac(APP.secret, &signed).to_uppercase()),
        ("nothing", String::new()),
    ] {
        ask(&mut socket, &format!(r#"{{"auth":"{key}:{text}","user_data":{}}}"#, quoted(data)));
        let message =
            format!("Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {text}");
        let (code, got) = socket.error();
        assert_eq!((code, got), (Some(4009), message), "{wrong}");
    }
    socket.sign_in(APP, data);
}

#[test]
fn auth_030_the_form_of_the_protocol_page_is_not_taken() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let data = r#"{"id":"12345"}"#;
    let signature = hmac(APP.secret, &format!("{}::user::{data}", socket.id));
    ask(&mut socket, &format!(r#"{{"auth":"{}::user::{signature}","user_data":{}}}"#, APP.key, quoted(data)));
    let (code, message) = socket.error();
    assert_eq!(code, Some(4009));
    assert!(message.ends_with(&format!("but got :user::{signature}")), "{message}");
}

#[test]
fn ws_184_every_failure_is_4009_and_the_connection_stays() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let hash = "Expected parameter data to be a hash";
    for (data, message) in [
        ("{}", "Missing parameter: data.user_data"),
        ("null", "Missing parameter: data.user_data"),
        (r#"{"auth":"k:s"}"#, "Missing parameter: data.user_data"),
        (r#"{"auth":"k:s","user_data":null}"#, "Missing parameter: data.user_data"),
        (r#"{"user_data":"{}"}"#, "Missing parameter: data.auth"),
        (r#"{"auth":null,"user_data":"{}"}"#, "Missing parameter: data.auth"),
        (r#"{"auth":7,"user_data":"{}"}"#, "Expected parameter data.auth to be a string"),
        (r#"{"auth":"k:s","user_data":{"id":"u"}}"#, "Expected parameter data.user_data to be a string"),
        ("[]", hash),
        ("5", hash),
        (r#""text""#, hash),
        (
            r#"{"auth":"","user_data":"{}"}"#,
            "Auth value for signin is invalid: should be of format 'key:signature'",
        ),
        (
            r#"{"auth":"nonsense","user_data":"{}"}"#,
            "Auth value for signin is invalid: should be of format 'key:signature'",
        ),
        (r#"{"auth":"nonsense:00","user_data":"{}"}"#, "Invalid key in signin auth data: 'nonsense'"),
    ] {
        ask(&mut socket, data);
        socket.expect_error_code(4009, message);
    }
    socket.send(r#"{"event":"pusher:signin"}"#);
    socket.expect_error_code(4009, "Missing parameter: data.user_data");
    socket.expect_nothing_more();
    server.api().publish("news", "e", "d");
    socket.expect_event("news", "e", "d");
    server.expect_metric("fanfare_users{app=\"3\"}", 0.0);
}

#[test]
fn ws_181_the_id_must_be_a_string_that_is_not_empty() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for user_data in [
        "",
        "u1",
        "{",
        "5",
        "null",
        "[]",
        r#""u1""#,
        "{}",
        r#"{"id":7}"#,
        r#"{"id":""}"#,
        r#"{"id":null}"#,
        r#"{"id":["u"]}"#,
    ] {
        socket.ask_to_sign_in(APP, user_data);
        socket.expect_error_code(
            4009,
            "Invalid user_data for signin: should be a JSON object with a non-empty string id",
        );
    }
    for watchlist in ["{}", "\"u2\"", "[7]", "[null]", "true"] {
        socket.ask_to_sign_in(APP, &format!(r#"{{"id":"u1","watchlist":{watchlist}}}"#));
        socket
            .expect_error_code(4009, "Invalid user_data for signin: watchlist should be an array of strings");
    }
    socket.ask_for("#server-to-user-u1");
    assert_eq!(socket.error().0, Some(4009), "none of them has signed in");
}

#[test]
fn lim_005_the_id_of_a_signed_in_user_has_the_characters_of_channel_names() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for id in ["a b", "a+b@example.com", "é", "a#b", "a/b", "a:b"] {
        socket.ask_to_sign_in(APP, &format!(r#"{{"id":"{id}"}}"#));
        let (code, message) = socket.error();
        assert!(code == Some(4009) && message.contains(id), "{message}");
    }
    socket.ask_to_sign_in(APP, &format!(r#"{{"id":"{}"}}"#, "x".repeat(129)));
    let (code, message) = socket.error();
    assert!(code == Some(4009) && message.contains("129 characters"), "{message}");
    socket.sign_in(APP, &format!(r#"{{"id":"{}"}}"#, "x".repeat(128)));
}

#[test]
fn ws_182_another_id_is_refused_and_the_first_stays() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":"u1"}"#);
    socket.ask_to_sign_in(APP, r#"{"id":"u2"}"#);
    socket.expect_error_code(4009, "This connection is signed in as u1 already");
    socket.ask_for("#server-to-user-u2");
    assert_eq!(socket.error().0, Some(4009));
    socket.subscribe("#server-to-user-u1");
    server.expect_metric("fanfare_users{app=\"3\"}", 1.0);
}

#[test]
fn ws_182_the_same_id_again_succeeds_and_refreshes_what_it_says() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":"u1","user_info":{"name":"Ann"}}"#);
    socket.subscribe("#server-to-user-u1");
    socket.sign_in(APP, r#"{"id":"u1","user_info":{"name":"Anna"}}"#);
    socket.ask_signed(APP, ROOM, None);
    expect_roster(&mut socket, r#"{"count":1,"ids":["u1"],"hash":{"u1":{"name":"Anna"}}}"#);
    server.api().publish("#server-to-user-u1", "e", "d");
    socket.expect_event("#server-to-user-u1", "e", "d");
    socket.sign_in(APP, r#"{"id":"u1"}"#);
    server.expect_metric("fanfare_users{app=\"3\"}", 1.0);
    socket.close();
    server.expect_metric("fanfare_users{app=\"3\"}", 0.0);
}

#[test]
fn ws_182_a_failed_refresh_changes_nothing() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":"u1","user_info":{"name":"Ann"}}"#);
    socket.ask_to_sign_in(OTHER, r#"{"id":"u1","user_info":{"name":"Mallory"}}"#);
    socket.expect_error_code(4009, &format!("Invalid key in signin auth data: '{}'", OTHER.key));
    socket.ask_signed(APP, ROOM, None);
    expect_roster(&mut socket, r#"{"count":1,"ids":["u1"],"hash":{"u1":{"name":"Ann"}}}"#);
}

#[test]
fn ws_115_a_signed_in_user_joins_without_channel_data() {
    let server = TestServer::start();
    let (mut bare, mut ann) = (server.connect(), server.connect());
    bare.sign_in(APP, r#"{"id":"u0"}"#);
    bare.ask_signed(APP, ROOM, None);
    expect_roster(&mut bare, r#"{"count":1,"ids":["u0"],"hash":{"u0":{}}}"#);
    ann.sign_in(APP, ANN);
    ann.ask_signed(APP, ROOM, None);
    assert_eq!(ann.json()["event"], "pusher_internal:subscription_succeeded");
    let added = r#"{"user_id":"12345","user_info":{"name":"Ann"}}"#;
    bare.expect_event(ROOM, "pusher_internal:member_added", added);
    let users = server.api().get(&format!("/channels/{ROOM}/users"), &[]);
    assert!(users.body.contains(r#"{"id":"12345"}"#), "{users:?}");
    ann.close();
    bare.expect_event(ROOM, "pusher_internal:member_removed", r#"{"user_id":"12345"}"#);
}

#[test]
fn ws_115_channel_data_goes_before_the_sign_in() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.sign_in(APP, ANN);
    socket.ask_signed(APP, ROOM, Some(r#"{"user_id":"other","user_info":1}"#));
    expect_roster(&mut socket, r#"{"count":1,"ids":["other"],"hash":{"other":1}}"#);
}

#[test]
fn ws_115_who_signs_in_later_is_asked_for_channel_data_until_then() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.ask_signed(APP, ROOM, None);
    let (code, message) = socket.error();
    assert!(code.is_none() && message.contains("channel_data"), "{message}");
    socket.sign_in(APP, r#"{"id":"u1"}"#);
    socket.ask_for(ROOM);
    socket.expect_error(&format!("Auth info required to subscribe to {ROOM}"));
    socket.ask_signed(APP, ROOM, None);
    expect_roster(&mut socket, r#"{"count":1,"ids":["u1"],"hash":{"u1":{}}}"#);
}

#[test]
fn lim_021_what_a_signed_in_user_says_of_itself_is_bounded_on_presence_channels() {
    let server = TestServer::start();
    let user_data = |length: usize| json!({"id": "u1", "user_info": "x".repeat(length)}).to_string();
    let mut socket = server.connect();
    socket.sign_in(APP, &user_data(1023));
    socket.ask_signed(APP, ROOM, None);
    let (code, message) = socket.error();
    assert!(code.is_none() && message.contains("1024 bytes"), "{message}");
    socket.sign_in(APP, &user_data(1022));
    socket.ask_signed(APP, ROOM, None);
    assert_eq!(socket.json()["event"], "pusher_internal:subscription_succeeded");
}

#[test]
fn ws_186_a_sign_in_lasts_until_the_close_and_no_longer() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":"u1"}"#);
    socket.subscribe("#server-to-user-u1");
    socket.unsubscribe("#server-to-user-u1");
    socket.subscribe("#server-to-user-u1");
    server.expect_metric("fanfare_users{app=\"3\"}", 1.0);
    drop(socket);
    eventually("the user has gone", || (server.metric("fanfare_users{app=\"3\"}") < 0.5).then_some(()));
    let mut anew = server.connect();
    anew.ask_for("#server-to-user-u1");
    assert_eq!(anew.error().0, Some(4009));
}
