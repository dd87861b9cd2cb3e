//! Text that is no command (WS-210 … WS-212).

use crate::support::server::TestServer;
use crate::support::{APP, quoted};

#[test]
fn ws_210_what_is_not_json_is_an_error_and_the_connection_stays() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for text in
        ["", " ", "{", "hello", r#"{"event":}"#, r#"{"event":"pusher:ping"}x"#, "{'event':'x'}", "\u{feff}{}"]
    {
        socket.send(text);
        socket.expect_error("Received invalid JSON");
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_211_json_without_an_event_is_treated_the_same() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for text in [
        "null",
        "5",
        "[]",
        r#""pusher:ping""#,
        "{}",
        r#"{"data":{}}"#,
        r#"{"event":null}"#,
        r#"{"event":5}"#,
        r#"{"event":["pusher:ping"]}"#,
        r#"[{"event":"pusher:ping"}]"#,
    ] {
        socket.send(text);
        socket.expect_error("Received invalid JSON");
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_211_deep_nesting_is_an_error_or_harmless() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let deep =
        format!(r#"{{"event":"pusher:subscribe","data":{}{}}}"#, "[".repeat(15_000), "]".repeat(15_000));
    socket.send(&deep);
    assert_eq!(socket.error().0, None);
    socket.expect_nothing_more();
}

#[test]
fn ws_212_unknown_events_are_an_error_and_are_relayed_to_nobody() {
    let server = TestServer::start();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe("news");
    listener.subscribe("news");
    for event in [
        "hello",
        "pusher:unknown",
        "pusher:connection_established",
        "pusher_internal:subscription_succeeded",
        "pusher_internal:member_added",
        "Pusher:ping",
        "",
        "App\\Events\\OrderShipped",
    ] {
        let event_json = quoted(event);
        sender.send(&format!(r#"{{"event":{event_json},"data":"{{}}","channel":"news"}}"#));
        sender.expect_error(&format!("Unsupported event received on socket: {event}"));
    }
    sender.expect_nothing_more();
    listener.expect_nothing_more();
}

#[test]
fn ws_210_errors_about_long_texts_stay_short() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let long = "é".repeat(15_000);
    socket.send(&format!(r#"{{"event":"{long}"}}"#));
    assert!(socket.text().len() < 1000);
    socket.unsubscribe(&long);
    assert!(socket.text().len() < 1000);
    socket.send(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"auth":"{}:{long}","channel":"private-a"}}}}"#,
        APP.key
    ));
    assert!(socket.text().len() < 1000);
}

#[test]
fn ws_210_of_members_given_twice_one_is_taken_and_the_connection_stays() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.send(r#"{"event":"pusher:ping","event":"pusher:ping"}"#);
    socket.text();
    socket.expect_nothing_more();
}
