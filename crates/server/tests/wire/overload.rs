//! One bad peer among good ones: slow consumers, storms of faults, heads that never end (WS-214).

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::Http;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::{BINARY, FIN, Frame, Socket, TEXT, masked};
use crate::support::{APP, DEADLINE, eventually};

pub const SLOW_READERS: &str = r#"fanfare_closes_total{code="4100",reason="slow_reader"}"#;

/// Publishes ten full events at a time, numbered from 0, and lets `listener` keep up, until a slow consumer
/// was closed; returns the number of events.
pub fn publish_until_a_slow_reader_is_closed(server: &TestServer, listener: &mut Socket) -> usize {
    let filling = "x".repeat(10_000);
    let mut api = server.api();
    for round in 0..500 {
        let numbers = round * 10..round * 10 + 10;
        let item = |at| json!({"name": "e", "channel": "busy", "data": format!("{at} {filling}")});
        let items: Vec<_> = numbers.clone().map(item).collect();
        api.post("/batch_events", json!({"batch": items}).to_string()).expect("{}");
        for at in numbers {
            let data = listener.json()["data"].as_str().expect("a string").to_owned();
            assert!(data.starts_with(&format!("{at} ")), "expected event {at}, got {}", &data[..10]);
        }
        if server.metric(SLOW_READERS) > 0.5 {
            return round * 10 + 10;
        }
    }
    panic!("5000 events of 10 KB, and nobody was called slow");
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_and_nobody_else_notices() {
    let server = Setup::new().config("[limits]\noutbox_bytes = 262144\n[log]\nformat = \"json\"").start();
    let (mut slow, mut good) = (server.connect(), server.connect());
    slow.subscribe("busy");
    good.subscribe("busy");
    publish_until_a_slow_reader_is_closed(&server, &mut good);
    server.expect_metric(SLOW_READERS, 1.0);
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
    server.process.log_line("the close of the slow reader", |line| {
        (line.contains("\"slow_reader\"") && line.contains(&slow.id)).then_some(())
    });
    good.expect_nothing_more();
    expect_whole_events_and_the_close(&mut slow);
}

/// A slow consumer gets whole events in order, and then the end.
pub fn expect_whole_events_and_the_close(slow: &mut Socket) {
    let mut last = None;
    loop {
        match slow.frame() {
            Frame::Text(text) => {
                let frame: serde_json::Value = serde_json::from_str(&text).expect("only whole events");
                let data = frame["data"].as_str().expect("a string");
                let number: usize = data.split(' ').next().and_then(|at| at.parse().ok()).expect("a number");
                assert_eq!(number, last.map_or(0, |last| last + 1), "a gap is worse than a close");
                last = Some(number);
            }
            Frame::Close(code, reason) => {
                assert_eq!(
                    (code, &*reason),
                    (Some(4100), "Messages are not read fast enough (setting limits.outbox_bytes)")
                );
            }
            Frame::End | Frame::Cut => break,
            other => panic!("{other:?}"),
        }
    }
}

/// A burst of commands that all fail.
fn faults(count: usize) -> Vec<u8> {
    masked(FIN | TEXT, b"{not json").repeat(count)
}

#[test]
fn ws_214_a_hundred_faults_at_once_are_forgiven() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    socket.raw(&faults(100));
    for _ in 0..100 {
        socket.expect_error("Received invalid JSON");
    }
    server.api().publish("news", "e", "d");
    socket.expect_event("news", "e", "d");
    socket.expect_nothing_more();
}

#[test]
fn ws_214_a_flood_of_faults_is_cut_off_with_4100() {
    let server = TestServer::start();
    let open = |version: &str| server.open(&format!("/app/{}?protocol={version}", APP.key)).established(50);
    let mut good = server.connect();
    for version in ["7", "5"] {
        let mut bad = open(version);
        bad.raw(&faults(150));
        for _ in 0..100 {
            bad.expect_error("Received invalid JSON");
        }
        let mut frame = bad.frame();
        // A slow machine forgives some more meanwhile; the fault beyond the limit is answered as well.
        while matches!(&frame, Frame::Text(text) if text.contains("Received invalid JSON")) {
            frame = bad.frame();
        }
        let reason = "Too many invalid messages";
        if version == "5" {
            let text = format!(r#"{{"event":"pusher:error","data":{{"code":4100,"message":"{reason}"}}}}"#);
            assert_eq!(frame, Frame::Text(text));
            frame = bad.frame();
        }
        assert_eq!(frame, Frame::Close(Some(4100), reason.into()));
        bad.expect_end();
        good.expect_nothing_more();
    }
}

#[test]
fn a_storm_of_malformed_messages_leaves_others_untouched() {
    let server = TestServer::start();
    let mut good = server.connect();
    good.subscribe("news");
    let mut bad = server.connect();
    let mut storm = Vec::new();
    for _ in 0..500 {
        storm.extend(masked(FIN | TEXT, b"{not json"));
        storm.extend(masked(FIN | BINARY, b"\x00\x01"));
        storm.extend(masked(FIN | TEXT, br#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#));
    }
    for _ in 0..10 {
        // The connection may be closed for its faults (WS-214).
        if !bad.try_raw(&storm) {
            break;
        }
        good.expect_nothing_more();
        server.api().publish("news", "e", "calm");
        good.expect_event("news", "e", "calm");
    }
    let code = loop {
        match bad.frame() {
            Frame::Text(text) => assert!(text.contains("pusher:error"), "{text}"),
            Frame::Close(code, _) => break code,
            Frame::End | Frame::Cut => break None,
            other => panic!("{other:?}"),
        }
    };
    assert!(code.is_none_or(|code| code == 4100), "WS-214: never {code:?}");
}

#[test]
fn a_storm_of_broken_connections_leaves_others_untouched() {
    let server = TestServer::start();
    let mut good = server.connect();
    for round in 0..100 {
        let mut bad = server.open(&pusher_js(APP));
        match round % 4 {
            0 => bad.raw(b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            1 => bad.raw(&masked(FIN | TEXT, b"\xff")),
            2 => bad.raw(&masked(FIN | TEXT, b"{}")[..3]),
            _ => {}
        }
        drop(bad);
        good.expect_nothing_more();
    }
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
}

/// Sends faults for as long as the server accepts bytes, and reads nothing.
fn flood(bad: &mut Socket) {
    // The error repeats the text that should have been signed.
    let (key, data) = (APP.key, "x".repeat(10_000));
    let command = format!(
        r#"{{"event":"pusher:subscribe","data":{{"auth":"{key}:00","channel":"private-a","channel_data":"{data}"}}}}"#
    );
    let (flood, start) = (masked(FIN | TEXT, command.as_bytes()), Instant::now());
    while bad.try_raw(&flood) {
        assert!(start.elapsed() < DEADLINE, "it is still listened to");
    }
}

#[test]
fn clients_that_flood_without_reading_are_cut_off_and_stall_nobody() {
    let server = Setup::new().config("[limits]\noutbox_bytes = 262144").start();
    let mut good = server.connect();
    // More than the server has threads.
    let floods = thread::available_parallelism().map_or(4, usize::from) + 1;
    let flooding: Vec<_> = (0..floods)
        .map(|_| {
            let mut bad = server.connect();
            thread::spawn(move || {
                flood(&mut bad);
                bad
            })
        })
        .collect();
    while !flooding.iter().all(thread::JoinHandle::is_finished) {
        good.expect_nothing_more();
    }
    let cut_off: Vec<Socket> =
        flooding.into_iter().map(|thread| thread.join().expect("the flood ends")).collect();
    let told = [SLOW_READERS, r#"fanfare_closes_total{code="4100",reason="too_many_errors"}"#];
    eventually("all were cut off", || {
        let closes: f64 = told.iter().map(|name| server.metric(name)).sum();
        (closes > cut_off.len() as f64 - 0.5).then_some(())
    });
    good.expect_nothing_more();
}

/// How long the server keeps a connection that sends this and then nothing.
fn kept_after(server: &TestServer, bytes: &[u8]) -> Duration {
    let start = Instant::now();
    let mut http = Http::connect(server.addr);
    http.write(bytes);
    let answer = http.until_end();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    start.elapsed()
}

fn impatient() -> TestServer {
    Setup::new().config("[timeouts]\nhandshake = 1").start()
}

#[test]
fn a_head_that_does_not_end_is_cut_off() {
    let server = impatient();
    let kept = kept_after(&server, b"GET /app/278d425bdf160c739803 HTTP/1.1\r\nHost: localhost\r\n");
    assert!(kept > Duration::from_millis(500) && kept < DEADLINE / 2, "{kept:?}");
}

#[test]
fn a_connection_that_says_nothing_is_cut_off() {
    let server = impatient();
    let kept = kept_after(&server, b"");
    assert!(kept > Duration::from_millis(500) && kept < DEADLINE / 2, "{kept:?}");
}

#[test]
fn a_head_that_trickles_is_cut_off() {
    let server = impatient();
    let start = Instant::now();
    let mut http = Http::connect(server.addr);
    http.write(b"GET /app/278d425bdf160c739803 HTTP/1.1\r\nHost: localhost\r\n");
    while http.try_write(b"X: y\r\n") {
        assert!(start.elapsed() < DEADLINE / 2, "kept alive by one header at a time");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_head_of_any_size_is_not_collected() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    http.try_write(b"GET /app/278d425bdf160c739803 HTTP/1.1\r\nHost: localhost\r\n");
    let header = format!("X-Filling: {}\r\n", "x".repeat(1000));
    let mut sent = 0;
    while http.try_write(header.as_bytes()) {
        sent += header.len();
        // More than the kernel's buffers of both ends can hold: the server must have read some.
        assert!(sent < 64 << 20, "64 MiB of headers were taken");
    }
}

#[test]
fn an_upgraded_connection_is_not_cut_off_by_the_handshakes_time() {
    let server = impatient();
    let mut socket = server.connect();
    assert!(socket.is_left_alone_for(Duration::from_millis(1500)));
    socket.expect_nothing_more();
}
