//! Events from one subscriber to the others: their receivers, byte for byte (WS-160 … WS-169).

use serde_json::Value;

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, PONG};

const PRIVATE: &str = "private-a";
const ROOM: &str = "presence-room";

/// A server whose app has client events enabled.
fn switched_on() -> TestServer {
    Setup::with_app("client_events = true").start()
}

/// Two connections on one private channel.
fn pair(server: &TestServer, channel: &str) -> (Socket, Socket) {
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe_private(APP, channel);
    listener.subscribe_private(APP, channel);
    (sender, listener)
}

#[test]
fn ws_160_and_ws_164_an_event_reaches_the_others_and_never_its_sender() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    let mut third = server.connect();
    third.subscribe_private(APP, PRIVATE);
    sender.send(r#"{"event":"client-typing","data":{"a":1},"channel":"private-a"}"#);
    for socket in [&mut listener, &mut third] {
        socket.expect_text(r#"{"event":"client-typing","data":"{\"a\":1}","channel":"private-a"}"#);
        socket.expect_nothing_more();
    }
    sender.expect_nothing_more();
}

#[test]
fn ws_160_the_order_of_members_and_unknown_members_do_not_matter() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    for text in [
        r#"{"channel":"private-a","data":"d","event":"client-e"}"#,
        r#" { "data" : "d" , "socket_id" : "1.1" , "event" : "client-e" , "more" : [1] , "channel" : "private-a" } "#,
    ] {
        sender.send(text);
        listener.expect_event(PRIVATE, "client-e", "d");
    }
}

#[test]
fn ws_161_only_the_sender_itself_is_left_out() {
    let server = switched_on();
    let (mut sender, mut second, mut elsewhere) = (server.connect(), server.connect(), server.connect());
    let mut stranger = server.connect();
    let ann = r#"{"user_id":"u1"}"#;
    sender.join(APP, ROOM, ann);
    second.join(APP, ROOM, ann);
    elsewhere.join(APP, "presence-elsewhere", ann);
    sender.client_event(ROOM, "client-e", "1");
    second.expect_text(r#"{"event":"client-e","data":"1","channel":"presence-room","user_id":"u1"}"#);
    for socket in [&mut sender, &mut elsewhere, &mut stranger] {
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_161_another_apps_channel_of_the_same_name_hears_nothing() {
    let server = Setup::with_app("client_events = true").app(OTHER, "client_events = true").start();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    let mut other = server.connect_to(OTHER);
    other.subscribe_private(OTHER, PRIVATE);
    sender.client_event(PRIVATE, "client-e", "1");
    listener.expect_event(PRIVATE, "client-e", "1");
    other.expect_nothing_more();
}

#[test]
fn ws_161_every_kind_of_private_and_presence_channel_takes_them() {
    let server = switched_on();
    for channel in ["private-a", "private-encrypted-a", "private-encrypted"] {
        let (mut sender, mut listener) = pair(&server, channel);
        sender.client_event(channel, "client-e", "{}");
        listener.expect_event(channel, "client-e", "{}");
    }
    for channel in ["private-cache-a", "private-encrypted-cache-a", "presence-cache-a"] {
        let (mut sender, mut listener) = (server.connect(), server.connect());
        for socket in [&mut sender, &mut listener] {
            socket.join_any(channel);
            socket.expect_cache_miss(channel);
        }
        sender.client_event(channel, "client-e", "{}");
        let frame = listener.json();
        assert_eq!(frame["event"], "client-e", "{channel}: {frame}");
    }
}

#[test]
fn ws_161_client_events_are_off_by_default() {
    let server = TestServer::start();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    sender.client_event(PRIVATE, "client-typing", "{}");
    sender.expect_error(
        "To send client events, you must enable this feature in the Settings page of your dashboard. \
         (here: client_events = true in the app's settings)",
    );
    listener.expect_nothing_more();
    server.api().publish(PRIVATE, "e", "d");
    sender.expect_event(PRIVATE, "e", "d");
}

#[test]
fn ws_161_who_is_not_subscribed_may_not_send() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    sender.unsubscribe(PRIVATE);
    for channel in [PRIVATE, "private-other", "presence-room", "news", "", "no such\nname"] {
        sender.client_event(channel, "client-e", "{}");
        sender.expect_error(&format!(
            "Cannot broadcast client event (connection not subscribed to channel {channel})"
        ));
    }
    listener.expect_nothing_more();
}

#[test]
fn ws_161_public_channels_take_none() {
    let server = switched_on();
    for channel in ["news", "privatefoo", "presencefoo"] {
        let (mut sender, mut listener) = (server.connect(), server.connect());
        sender.subscribe(channel);
        listener.subscribe(channel);
        sender.client_event(channel, "client-e", "{}");
        let (code, message) = sender.error();
        assert_eq!(code, None);
        assert!(message.contains(&format!("channel {channel} is neither private nor presence")), "{message}");
        sender.expect_nothing_more();
        listener.expect_nothing_more();
    }
}

#[test]
fn ws_161_the_channel_of_a_user_takes_none() {
    let server = switched_on();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    for socket in [&mut sender, &mut listener] {
        socket.sign_in(APP, r#"{"id":"u1"}"#);
        socket.subscribe("#server-to-user-u1");
    }
    sender.client_event("#server-to-user-u1", "client-e", "{}");
    let (code, message) = sender.error();
    assert!(code.is_none() && message.contains("neither private nor presence"), "{message}");
    listener.expect_nothing_more();
}

#[test]
fn ws_162_other_names_are_not_relayed() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    for name in ["typing", "client", "Client-typing", " client-typing", "client_typing", "pusher:typing"] {
        sender.client_event(PRIVATE, name, "{}");
        sender.expect_error(&format!("Unsupported event received on socket: {name}"));
    }
    listener.expect_nothing_more();
}

#[test]
fn ws_164_a_string_is_passed_on_verbatim() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    let everything: String = (0..=0x7f_u8).map(char::from).collect();
    for data in [
        "",
        " spaces kept ",
        "not JSON",
        r#"{ "a" : 1 }"#,
        r#""quoted""#,
        "null",
        "é 漢字 🎺 \u{2028}",
        &everything,
    ] {
        sender.client_event(PRIVATE, "client-e", &Value::from(data).to_string());
        assert_eq!(listener.json()["data"], data);
    }
    sender.client_event(PRIVATE, "client-e", r#""caf\u00e9 \ud83c\udfba \/""#);
    listener.expect_event(PRIVATE, "client-e", "café 🎺 /");
}

#[test]
fn ws_164_other_values_become_their_compact_text_with_every_byte_kept() {
    let server = Setup::with_app("client_events = true\nlimits = { client_events_per_second = 100 }").start();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    for (data, text) in [
        (r#"{"z":1,"a":2,"m":{"y":[],"b":{}}}"#, r#"{"z":1,"a":2,"m":{"y":[],"b":{}}}"#),
        ("{ \"z\" : 1 ,\n\t\"a\" : [ 1 , 2 ] }", r#"{"z":1,"a":[1,2]}"#),
        (r#"{"a b":" c  d ","e":"\" \\ \u00e9"}"#, r#"{"a b":" c  d ","e":"\" \\ \u00e9"}"#),
        ("1.0", "1.0"),
        ("1e400", "1e400"),
        ("[1.10, -0, 0.0, 1E+2]", "[1.10,-0,0.0,1E+2]"),
        ("12345678901234567890123456789", "12345678901234567890123456789"),
        (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#),
        ("[]", "[]"),
        ("true", "true"),
        ("false", "false"),
    ] {
        sender.client_event(PRIVATE, "client-e", data);
        listener.expect_event(PRIVATE, "client-e", text);
    }
}

#[test]
fn ws_165_on_presence_channels_the_subscription_says_who_sent_it() {
    let server = switched_on();
    let (mut ann, mut ten) = (server.connect(), server.connect());
    ann.join(APP, ROOM, r#"{"user_id":"u1","user_info":{"name":"Ann"}}"#);
    ten.join(APP, ROOM, r#"{"user_id":10}"#);
    assert_eq!(ann.json()["event"], "pusher_internal:member_added");
    ann.client_event(ROOM, "client-typing", r#"{"a":1}"#);
    ten.expect_text(
        r#"{"event":"client-typing","data":"{\"a\":1}","channel":"presence-room","user_id":"u1"}"#,
    );
    ten.client_event(ROOM, "client-typing", r#""x""#);
    ann.expect_text(r#"{"event":"client-typing","data":"x","channel":"presence-room","user_id":"10"}"#);
}

#[test]
fn ws_165_a_user_id_in_the_frame_is_dropped() {
    let server = switched_on();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, ROOM, r#"{"user_id":"u1"}"#);
    bob.join(APP, ROOM, r#"{"user_id":"u2"}"#);
    for claimed in [r#""u2""#, "7", "null", "{}"] {
        ann.send(&format!(r#"{{"event":"client-e","data":"d","channel":"{ROOM}","user_id":{claimed}}}"#));
        bob.expect_text(r#"{"event":"client-e","data":"d","channel":"presence-room","user_id":"u1"}"#);
    }
}

#[test]
fn ws_165_private_channels_never_say_who_sent_it() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    sender.sign_in(APP, r#"{"id":"u1"}"#);
    sender.send(r#"{"event":"client-e","data":"d","channel":"private-a","user_id":"u9"}"#);
    listener.expect_text(r#"{"event":"client-e","data":"d","channel":"private-a"}"#);
    let mut with_data = server.connect();
    with_data.ask_signed(APP, PRIVATE, Some(r#"{"user_id":"u7"}"#));
    with_data.expect_succeeded(PRIVATE);
    with_data.client_event(PRIVATE, "client-e", "\"d\"");
    listener.expect_text(r#"{"event":"client-e","data":"d","channel":"private-a"}"#);
}

#[test]
fn ws_165_a_signed_in_member_sends_as_the_member_that_it_is_there() {
    let server = switched_on();
    let (mut ann, mut listener) = (server.connect(), server.connect());
    listener.join(APP, ROOM, r#"{"user_id":"u2"}"#);
    ann.sign_in(APP, r#"{"id":"signed"}"#);
    ann.ask_signed(APP, ROOM, None);
    assert_eq!(ann.json()["event"], "pusher_internal:subscription_succeeded");
    assert_eq!(listener.json()["event"], "pusher_internal:member_added");
    ann.client_event(ROOM, "client-e", "1");
    listener.expect_text(r#"{"event":"client-e","data":"1","channel":"presence-room","user_id":"signed"}"#);
    ann.unsubscribe(ROOM);
    ann.join(APP, ROOM, r#"{"user_id":"member"}"#);
    ann.client_event(ROOM, "client-e", "2");
    assert_eq!(listener.json()["event"], "pusher_internal:member_removed");
    assert_eq!(listener.json()["event"], "pusher_internal:member_added");
    listener.expect_text(r#"{"event":"client-e","data":"2","channel":"presence-room","user_id":"member"}"#);
}

#[test]
fn ws_166_on_encrypted_channels_they_are_relayed_verbatim() {
    let server = switched_on();
    let channel = "private-encrypted-a";
    let (mut sender, mut listener) = pair(&server, channel);
    let data = r#"{"nonce":"AQEB","ciphertext":"sVUz+/=="}"#;
    sender.client_event(channel, "client-e", &Value::from(data).to_string());
    listener.expect_event(channel, "client-e", data);
    sender.client_event(channel, "client-e", data);
    listener.expect_event(channel, "client-e", data);
}

#[test]
fn ws_167_client_events_are_not_cached() {
    let server = switched_on();
    let channel = "private-cache-a";
    let (mut sender, mut listener) = (server.connect(), server.connect());
    for socket in [&mut sender, &mut listener] {
        socket.subscribe_private(APP, channel);
        socket.expect_cache_miss(channel);
    }
    sender.client_event(channel, "client-e", "\"not kept\"");
    listener.expect_event(channel, "client-e", "not kept");
    let mut late = server.connect();
    late.subscribe_private(APP, channel);
    late.expect_cache_miss(channel);
    server.api().publish(channel, "kept", "by the back end");
    sender.expect_event(channel, "kept", "by the back end");
    sender.client_event(channel, "client-e", "\"not kept either\"");
    listener.expect_event(channel, "kept", "by the back end");
    listener.expect_event(channel, "client-e", "not kept either");
    let mut later = server.connect();
    later.subscribe_private(APP, channel);
    later.expect_event(channel, "kept", "by the back end");
    later.expect_nothing_more();
}

#[test]
fn ws_169_channel_and_data_must_be_there() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    for text in [
        r#"{"event":"client-e"}"#,
        r#"{"event":"client-e","channel":"private-a"}"#,
        r#"{"event":"client-e","data":{}}"#,
        r#"{"event":"client-e","data":{"channel":"private-a"}}"#,
        r#"{"event":"client-e","data":{},"channel":null}"#,
        r#"{"event":"client-e","data":{},"channel":7}"#,
        r#"{"event":"client-e","data":{},"channel":["private-a"]}"#,
        r#"{"event":"client-e","data":{},"channel":"private-a\ud800"}"#,
    ] {
        sender.send(text);
        sender.expect_error("Invalid client event (must contain channel and data)");
    }
    for text in [
        r#"{"event":"client-e","data":{,"channel":"private-a"}"#,
        r#"{"event":"client-e","data":NaN,"channel":"private-a"}"#,
        r#"{"event":"client-e","data":{},"channel":"private-a""#,
    ] {
        sender.send(text);
        sender.expect_error("Received invalid JSON");
    }
    listener.expect_nothing_more();
    sender.expect_nothing_more();
}

#[test]
fn ws_169_data_may_be_null() {
    let server = switched_on();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    sender.client_event(PRIVATE, "client-e", "null");
    listener.expect_event(PRIVATE, "client-e", "null");
}

#[test]
fn ws_106_client_events_of_one_sender_keep_their_order() {
    let server =
        Setup::with_app("client_events = true\nlimits = { client_events_per_second = 1000 }").start();
    let (mut sender, mut listener) = pair(&server, PRIVATE);
    for number in 0..200 {
        sender.client_event(PRIVATE, "client-e", &number.to_string());
    }
    for number in 0..200 {
        listener.expect_event(PRIVATE, "client-e", &number.to_string());
    }
    sender.send(r#"{"event":"pusher:ping"}"#);
    sender.expect_text(PONG);
}
