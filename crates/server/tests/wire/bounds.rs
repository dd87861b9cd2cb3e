//! Bounds on the memory and work that a client can cause, and the policy beyond each bound.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::overload::SLOW_READERS;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{FIN, Frame, PING, Socket, TEXT, masked};
use crate::support::{APP, PONG, eventually, eventually_within};

const OUTBOX: u64 = 1 << 20;

/// The deadline of a debug build that reads millions of frames while much else runs.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Clients send the same frame over and over without reading, until each has been closed for that.
///
/// Returns the largest growth of the server's memory, divided by the clients.
fn grown_by_each(server: &TestServer, frame: &[u8], most_frames: usize) -> u64 {
    const CLIENTS: u64 = 16;
    const AT_ONCE: usize = 1000;
    // One-time memory for the first crowd of this size is not measured.
    drop((0..CLIENTS).map(|_| server.connect()).collect::<Vec<_>>());
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
    let closed_before = server.metric(SLOW_READERS);
    let before = server.process.peak_memory();
    let mut clients: Vec<Socket> = (0..CLIENTS).map(|_| server.connect()).collect();
    let flood = frame.repeat(AT_ONCE);
    for _ in 0..most_frames / AT_ONCE {
        clients.retain_mut(|client| client.try_raw(&flood));
    }
    eventually_within(A_MINUTE, "all were closed as slow readers", || {
        (server.metric(SLOW_READERS) - closed_before > CLIENTS as f64 - 0.5).then_some(())
    });
    server.process.peak_memory().saturating_sub(before) / CLIENTS
}

#[test]
fn pings_that_nobody_waits_for_the_answers_of_end_the_connection_and_hold_nothing() {
    let server = TestServer::start();
    let mut good = server.connect();
    let each = grown_by_each(&server, &masked(FIN | PING, b""), 515_000);
    good.expect_nothing_more();
    assert!(each <= OUTBOX / 4, "{each} bytes for each client that sends empty Pings");
}

#[test]
fn the_smallest_answers_that_nobody_reads_hold_no_more_than_an_outbox_and_a_quarter() {
    let server = TestServer::start();
    let mut good = server.connect();
    let ping = masked(FIN | TEXT, br#"{"event":"pusher:ping"}"#);
    let each = grown_by_each(&server, &ping, 100_000);
    good.expect_nothing_more();
    assert!(each <= OUTBOX / 4 * 5, "{each} bytes for each client that reads no answer");
}

#[test]
fn ws_042_each_of_a_few_pings_at_once_is_answered() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let pings: Vec<u8> = (0..10_u8).flat_map(|number| masked(FIN | PING, &[number])).collect();
    socket.raw(&pings);
    for number in 0..10 {
        assert_eq!(socket.frame(), Frame::Pong(vec![number]));
    }
    socket.expect_nothing_more();
}

const OVER_MEMORY: &str = r#"fanfare_closes_total{code="4100",reason="over_memory"}"#;

#[test]
fn when_all_outboxes_together_are_full_the_largest_readers_are_closed_and_memory_is_back() {
    let server = Setup::new().config("[limits]\noutboxes_bytes = 4194304").start();
    let (mut good, mut small) = (server.connect(), server.connect());
    good.subscribe("good");
    small.subscribe("small");
    let mut slow: Vec<Socket> = (0..12).map(|_| server.connect()).collect();
    for (number, socket) in slow.iter_mut().enumerate() {
        socket.subscribe(&format!("slow-{number}"));
    }
    let mut api = server.api();
    let mut fill = |channel: &str| {
        let item = json!({"name": "e", "channel": channel, "data": "x".repeat(10_000)});
        api.post("/batch_events", json!({"batch": vec![item; 10]}).to_string()).expect("{}");
    };
    fill("small");
    for _ in 0..8 {
        for number in 0..12 {
            fill(&format!("slow-{number}"));
            good.expect_nothing_more();
        }
    }
    let closed =
        eventually("some were closed", || Some(server.metric(OVER_MEMORY)).filter(|some| *some > 0.5));
    assert!(closed < 11.5, "{closed} of 12 were closed, though some fit");
    eventually("memory is back", || (server.metric("fanfare_outboxes_bytes") < 4_194_304.5).then_some(()));
    assert!((server.metric("fanfare_outboxes_bytes_limit") - 4_194_304.0).abs() < 0.5);
    server
        .process
        .log_line("that too much waits", |line| line.contains("limits.outboxes_bytes").then_some(()));
    // A reader with few bytes waiting stays, whatever others do.
    for _ in 0..10 {
        assert!(small.text().contains("xxx"));
    }
    small.expect_nothing_more();
    let ended = slow.iter_mut().find_map(|socket| {
        // The answers to the clients that stay.
        socket.try_raw(&masked(FIN | TEXT, br#"{"event":"pusher:ping"}"#));
        loop {
            match socket.frame() {
                Frame::Text(text) if text == PONG => return None,
                Frame::Text(_) => {}
                Frame::Close(code, reason) => return Some((code, reason)),
                _ => return None,
            }
        }
    });
    let reason = "Too much waits for all clients together (setting limits.outboxes_bytes)";
    assert_eq!(ended, Some((Some(4100), reason.to_owned())));
}

#[test]
fn messages_that_never_end_count_as_well() {
    let server = Setup::new().config("[limits]\noutboxes_bytes = 1048576").start();
    let mut good = server.connect();
    let text = masked(FIN | TEXT, &[b'x'; 32_000]);
    // A few more than the bound allows.
    let mut begun: Vec<Socket> = (0..36).map(|_| server.connect()).collect();
    for socket in &mut begun {
        // The client may be among those closed.
        socket.try_raw(&text[..text.len() - 1]);
        good.expect_nothing_more();
    }
    let closed =
        eventually("some were closed", || Some(server.metric(OVER_MEMORY)).filter(|some| *some > 0.5));
    assert!(closed < 18.5, "{closed} of 36 were closed, though most fit");
    good.expect_nothing_more();
    drop(begun);
    eventually("nothing is counted of who has gone", || {
        (server.metric("fanfare_outboxes_bytes") < 32_000.0).then_some(())
    });
}

#[test]
fn a_client_that_subscribes_all_the_time_is_refused_first_and_closed_if_it_goes_on() {
    let config = "[limits]\nsubscriptions_per_second = 1\nchannels_per_connection = 10";
    let server = Setup::new().config(config).start();
    let mut good = server.connect();
    let mut bad = server.connect();
    for number in 0..20 {
        bad.subscribe(&format!("c{}", number % 10));
        bad.unsubscribe(&format!("c{}", number % 10));
    }
    let text =
        "Too many subscriptions and sign-ins: at most 1 a second (setting limits.subscriptions_per_second)";
    let mut commands = Vec::new();
    for _ in 0..200 {
        let subscribe = br#"{"event":"pusher:subscribe","data":{"channel":"one-more"}}"#;
        let unsubscribe = br#"{"event":"pusher:unsubscribe","data":{"channel":"one-more"}}"#;
        commands.extend(masked(FIN | TEXT, subscribe));
        commands.extend(masked(FIN | TEXT, unsubscribe));
    }
    bad.raw(&commands);
    let mut told = BTreeSet::new();
    let code = loop {
        match bad.frame() {
            Frame::Text(text) => {
                told.insert(text);
            }
            Frame::Close(code, _) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert!(
        told.contains(&format!(r#"{{"event":"pusher:error","data":{{"code":4301,"message":"{text}"}}}}"#))
    );
    assert_eq!(code, Some(4100));
    good.subscribe("calm");
    good.expect_nothing_more();
}

#[test]
fn signing_in_all_the_time_is_refused_as_well() {
    let config = "[limits]\nsubscriptions_per_second = 1\nchannels_per_connection = 1";
    let server = Setup::new().config(config).start();
    let mut socket = server.connect();
    for _ in 0..10 {
        socket.sign_in(APP, r#"{"id":"u"}"#);
    }
    socket.ask_to_sign_in(APP, r#"{"id":"u"}"#);
    let text =
        "Too many subscriptions and sign-ins: at most 1 a second (setting limits.subscriptions_per_second)";
    assert_eq!(socket.error(), (Some(4301), text.to_owned()));
}

#[test]
fn a_page_may_subscribe_to_all_its_channels_at_once_and_again() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let commands = |event: &str| -> Vec<u8> {
        let command =
            |number| format!(r#"{{"event":"pusher:{event}","data":{{"channel":"channel-{number}"}}}}"#);
        (0..1000).flat_map(|number| masked(FIN | TEXT, command(number).as_bytes())).collect()
    };
    for _ in 0..2 {
        socket.raw(&commands("subscribe"));
        for number in 0..1000 {
            socket.expect_succeeded(&format!("channel-{number}"));
        }
        socket.raw(&commands("unsubscribe"));
    }
    socket.expect_nothing_more();
}

#[test]
fn a_member_that_comes_and_goes_all_the_time_is_not_told_of_every_time() {
    const TIMES: usize = 500;
    let server = TestServer::start();
    let room = "presence-room";
    let mut watchers: Vec<Socket> = (0..40).map(|_| server.connect()).collect();
    for (number, watcher) in watchers.iter_mut().enumerate() {
        watcher.join(APP, room, &format!(r#"{{"user_id":"w{number}"}}"#));
    }
    let mut bad = server.connect();
    let data = format!(r#"{{"user_id":"bad","user_info":"{}"}}"#, "x".repeat(900));
    for _ in 0..TIMES {
        bad.join(APP, room, &data);
        bad.unsubscribe(room);
    }
    bad.join(APP, room, &data);
    server.api().publish(room, "end", "{}");
    let first = &mut watchers[0];
    let mut told = Vec::new();
    loop {
        let event = first.json();
        let is_about_bad = event["data"].as_str().is_some_and(|data| data.contains(r#""user_id":"bad""#));
        match event["event"].as_str().expect("a name") {
            "end" => break,
            name if is_about_bad => told.push(name == "pusher_internal:member_added"),
            _ => {}
        }
    }
    assert_eq!(told.last(), Some(&true), "at the end the member is there");
    let alternates = told.iter().enumerate().all(|(at, is_there)| *is_there == (at % 2 == 0));
    assert!(alternates, "comings and goings alternate: {told:?}");
    assert!(told.len() < 2 * TIMES, "{} events of {} changes", told.len(), 2 * TIMES + 1);
}
