//! The rate limit and the size of client events (WS-163, LIM-008, LIM-012, LIM-014).

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{FIN, Socket, TEXT, masked};
use crate::support::{APP, PONG, eventually};

const CHANNEL: &str = "private-a";
const TOO_MANY: &str = "This connection sends more than 10 client events a second; the event was dropped \
                        (setting limits.client_events_per_second)";

fn with_limits(limits: &str) -> TestServer {
    Setup::with_app(&format!("client_events = true\nlimits = {{ {limits} }}")).start()
}

fn pair(server: &TestServer) -> (Socket, Socket) {
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe_private(APP, CHANNEL);
    listener.subscribe_private(APP, CHANNEL);
    (sender, listener)
}

/// A pair after a burst of one event more than `limit`, whose last was dropped. A machine so slow that the
/// last event was within the limit again gets another try.
fn pair_after_one_too_many(server: &TestServer, limit: usize, error: &str) -> (Socket, Socket) {
    eventually("one event too many is dropped", || {
        let (mut sender, mut listener) = pair(server);
        burst(&mut sender, limit + 1);
        sender.send(r#"{"event":"pusher:ping"}"#);
        let frame = sender.text();
        if frame == PONG {
            return None;
        }
        assert_eq!(
            frame,
            format!(r#"{{"event":"pusher:error","data":{{"code":4301,"message":"{error}"}}}}"#)
        );
        sender.expect_text(PONG);
        for number in 0..limit {
            listener.expect_event(CHANNEL, "client-e", &number.to_string());
        }
        listener.expect_nothing_more();
        Some((sender, listener))
    })
}

/// Sends events numbered from 0 in one burst, so that hardly any time passes between them.
fn burst(sender: &mut Socket, count: usize) {
    let events = (0..count).map(|number| {
        let text = format!(r#"{{"event":"client-e","data":{number},"channel":"{CHANNEL}"}}"#);
        masked(FIN | TEXT, text.as_bytes())
    });
    sender.raw(&events.collect::<Vec<_>>().concat());
}

#[test]
fn ws_163_the_eleventh_of_a_burst_is_dropped_with_4301_and_the_connection_stays() {
    let server = with_limits("");
    let (mut sender, mut listener) = pair_after_one_too_many(&server, 10, TOO_MANY);
    sender.expect_nothing_more();
    listener.client_event(CHANNEL, "client-e", "\"others are not slowed\"");
    sender.expect_event(CHANNEL, "client-e", "others are not slowed");
}

#[test]
fn ws_163_however_many_are_dropped_the_connection_stays_and_works() {
    let server = with_limits("");
    let (mut sender, mut listener) = pair(&server);
    burst(&mut sender, 500);
    sender.send(r#"{"event":"pusher:ping"}"#);
    let mut dropped = 0;
    loop {
        let frame = sender.json();
        if frame["event"] == "pusher:pong" {
            break;
        }
        assert_eq!((&frame["data"]["code"], &frame["data"]["message"]), (&4301.into(), &TOO_MANY.into()));
        dropped += 1;
    }
    assert!((400..=490).contains(&dropped), "{dropped} of 500 were dropped");
    for _ in 0..500 - dropped {
        assert_eq!(listener.json()["event"], "client-e");
    }
    listener.expect_nothing_more();
    sender.subscribe("news");
    server.api().publish(CHANNEL, "e", "d");
    sender.expect_event(CHANNEL, "e", "d");
    passes_again(&mut sender, &mut listener);
}

/// Sends until the rate limit has room again and one event passes.
fn passes_again(sender: &mut Socket, listener: &mut Socket) {
    assert_eq!(listener.json()["event"], "e");
    loop {
        sender.client_event(CHANNEL, "client-again", "1");
        sender.send(r#"{"event":"pusher:ping"}"#);
        let frame = sender.json();
        if frame["event"] == "pusher:pong" {
            listener.expect_event(CHANNEL, "client-again", "1");
            return;
        }
        assert_eq!(frame["data"]["code"], 4301, "{frame}");
        assert_eq!(sender.json()["event"], "pusher:pong");
    }
}

#[test]
fn ws_163_every_connection_has_an_allowance_of_its_own() {
    let server = with_limits("client_events_per_second = 1");
    let (mut first, mut second) = pair(&server);
    first.client_event(CHANNEL, "client-e", "1");
    second.expect_event(CHANNEL, "client-e", "1");
    second.client_event(CHANNEL, "client-e", "2");
    first.expect_event(CHANNEL, "client-e", "2");
}

#[test]
fn ws_163_what_was_refused_for_another_reason_is_not_counted() {
    let server = with_limits("client_events_per_second = 1");
    let (mut sender, mut listener) = pair(&server);
    for _ in 0..5 {
        sender.client_event("private-other", "client-e", "1");
        let (code, message) = sender.error();
        assert!(code.is_none() && message.starts_with("Cannot broadcast client event"), "{message}");
    }
    sender.client_event(CHANNEL, "client-e", "1");
    listener.expect_event(CHANNEL, "client-e", "1");
}

#[test]
fn lim_014_the_number_of_client_events_is_a_setting_of_each_app() {
    let server = with_limits("client_events_per_second = 2");
    pair_after_one_too_many(&server, 2, &TOO_MANY.replace("10", "2"));
}

#[test]
fn lim_012_the_data_of_a_client_event_has_at_most_10240_bytes() {
    let server = with_limits("");
    let (mut sender, mut listener) = pair(&server);
    for data in ["x".repeat(10_240), "é".repeat(5_120)] {
        sender.client_event(CHANNEL, "client-e", &format!("\"{data}\""));
        listener.expect_event(CHANNEL, "client-e", &data);
    }
    for data in ["x".repeat(10_241), "é".repeat(5_121), "😀".repeat(2_561)] {
        sender.client_event(CHANNEL, "client-e", &format!("\"{data}\""));
        sender.expect_error(&format!(
            "The data of this client event ({} bytes) exceeds the allowed maximum \
             (10240 bytes, setting limits.client_event_bytes)",
            data.len()
        ));
    }
    listener.expect_nothing_more();
}

#[test]
fn lim_012_the_size_is_that_of_the_text_that_is_passed_on() {
    let server = with_limits("client_event_bytes = 10");
    let (mut sender, mut listener) = pair(&server);
    // Six bytes in the frame for each character, and much white space, but ten bytes after decoding.
    sender.client_event(
        CHANNEL,
        "client-e",
        r#""\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061""#,
    );
    listener.expect_event(CHANNEL, "client-e", "aaaaaaaaaa");
    sender.client_event(CHANNEL, "client-e", "[ 1,  2,  3,   444 ]");
    let (code, message) = sender.error();
    assert!(code.is_none() && message.contains("(11 bytes)"), "{message}");
    sender.client_event(CHANNEL, "client-e", "[ 1,  2,  3,   44 ]");
    listener.expect_event(CHANNEL, "client-e", "[1,2,3,44]");
}

#[test]
fn lim_008_the_length_of_a_name_is_counted_in_characters() {
    let server = with_limits("");
    let (mut sender, mut listener) = pair(&server);
    let longest = format!("client-{}", "é".repeat(193));
    sender.client_event(CHANNEL, &longest, "1");
    listener.expect_event(CHANNEL, &longest, "1");
    sender.client_event(CHANNEL, &format!("{longest}é"), "1");
    sender.expect_error(
        "The event name of 201 characters exceeds the allowed maximum \
         (200 characters, setting limits.event_name)",
    );
    listener.expect_nothing_more();
    let member = format!(r#"{{"user_id":"{}"}}"#, "é".repeat(128));
    sender.join(APP, "presence-a", &member);
    sender.ask_signed(APP, "presence-b", Some(&format!(r#"{{"user_id":"{}"}}"#, "é".repeat(129))));
    let (code, message) = sender.error();
    assert!(code.is_none() && message.contains("129 characters"), "{message}");
}
