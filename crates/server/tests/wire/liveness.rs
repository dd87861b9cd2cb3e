//! Pings and pongs, both ways (WS-040 … WS-047).

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{FIN, Frame, PONG_FRAME, Socket, TEXT, masked};
use crate::support::{APP, PONG};

/// One server with timeouts of a second for the tests of this module that run at the same time.
fn impatient() -> Arc<TestServer> {
    static SHARED: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock();
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Setup::new().config("[timeouts]\nactivity = 1\npong = 1").start());
        *shared = Arc::downgrade(&server);
        server
    })
}

fn connect(server: &TestServer, version: u8) -> Socket {
    server.open(&format!("/app/{}?protocol={version}", APP.key)).established(1)
}

#[track_caller]
fn expect_ping(socket: &mut Socket) -> Vec<u8> {
    match socket.frame() {
        Frame::Ping(payload) => payload,
        other => panic!("WS-041: expected a Ping frame, got {other:?}"),
    }
}

#[test]
fn ws_042_the_event_ping_is_answered_with_or_without_data() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for ping in [
        r#"{"event":"pusher:ping","data":{}}"#,
        r#"{"event":"pusher:ping"}"#,
        r#"{"event":"pusher:ping","data":null}"#,
        r#"{"event":"pusher:ping","data":"{}"}"#,
        r#"{"data":{},"event":"pusher:ping"}"#,
        " { \"event\" : \"pusher:\\u0070ing\" } ",
    ] {
        socket.send(ping);
        socket.expect_text(PONG);
    }
}

#[test]
fn ws_047_the_event_pong_is_a_no_op() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.send(r#"{"event":"pusher:pong","data":{}}"#);
    socket.send(r#"{"event":"pusher:pong"}"#);
    socket.expect_nothing_more();
}

#[test]
fn ws_041_a_silent_client_is_asked_with_a_ping_frame_and_stays_if_it_answers() {
    let server = impatient();
    let mut socket = connect(&server, 7);
    let opened = Instant::now();
    for _ in 0..2 {
        let payload = expect_ping(&mut socket);
        socket.raw(&masked(FIN | PONG_FRAME, &payload));
    }
    assert!(opened.elapsed() > Duration::from_millis(1500), "WS-044: not before activity_timeout");
    socket.expect_nothing_more();
}

#[test]
fn ws_040_any_frame_proves_life() {
    let server = impatient();
    let mut socket = connect(&server, 7);
    for _ in 0..2 {
        expect_ping(&mut socket);
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_040_even_a_faulty_command_proves_life() {
    let server = impatient();
    let mut socket = connect(&server, 7);
    for _ in 0..2 {
        expect_ping(&mut socket);
        socket.raw(&masked(FIN | TEXT, b"?"));
        socket.expect_error("Received invalid JSON");
    }
}

#[test]
fn ws_044_a_client_that_keeps_talking_is_not_asked() {
    let server = impatient();
    let mut socket = connect(&server, 7);
    let opened = Instant::now();
    while opened.elapsed() < Duration::from_millis(2500) {
        socket.expect_nothing_more();
        assert!(socket.is_left_alone_for(Duration::from_millis(300)));
    }
}

#[test]
fn ws_045_a_client_that_does_not_answer_is_closed_with_4201() {
    let server = impatient();
    let mut socket = connect(&server, 7);
    expect_ping(&mut socket);
    let asked = Instant::now();
    socket.expect_close(4201, "Pong reply not received");
    assert!(asked.elapsed() > Duration::from_millis(500), "WS-044: the pong has its time");
}

#[test]
fn ws_045_version_5_hears_of_the_missed_pong_by_event_first() {
    let server = impatient();
    let mut socket = connect(&server, 5);
    expect_ping(&mut socket);
    socket.expect_close_by_event(4201, "Pong reply not received");
}

#[test]
fn ws_045_a_client_closed_for_silence_has_left_its_channels() {
    let server = impatient();
    let mut socket = connect(&server, 7);
    socket.subscribe("quiet");
    expect_ping(&mut socket);
    socket.expect_close(4201, "Pong reply not received");
    crate::support::eventually("the channel is empty", || {
        (server.api().get("/channels/quiet", &[]).body == r#"{"occupied":false}"#).then_some(())
    });
}

#[test]
fn ws_044_silence_counts_from_the_last_answer_also_where_an_answer_has_more_time_than_that() {
    let server = Setup::new().config("[timeouts]\nactivity = 1\npong = 3600").start();
    let mut socket = connect(&server, 7);
    for _ in 0..3 {
        let payload = expect_ping(&mut socket);
        socket.raw(&masked(FIN | PONG_FRAME, &payload));
    }
}
