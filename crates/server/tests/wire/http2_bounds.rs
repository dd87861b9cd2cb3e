//! The bounds on connections hold over HTTP/2: times, and places.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::api::Request;
use crate::support::http2::{
    END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, frame, get, header_block,
};
use crate::support::setup::Setup;
use crate::support::tls::Secured;

fn start(settings: &str) -> Secured {
    Secured::start_with(Setup::new().config(settings))
}

fn closed(secured: &Secured, reason: &str) {
    let name = format!("fanfare_http_connections_closed_total{{listener=\"public\",reason=\"{reason}\"}}");
    secured.server.expect_metric(&name, 1.0);
}

/// Sends pings until the server hangs up.
fn ping_to_the_end(frames: &mut Frames) {
    while frames.try_write(&frame(PING, 0, 0, &[0; 8])) {
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_connection_without_a_request_is_closed_whatever_else_comes() {
    let secured = start("[timeouts]\nhandshake = 1\nkeep_alive = 60");
    ping_to_the_end(&mut secured.frames());
    closed(&secured, "late");
}

#[test]
fn an_idle_connection_is_closed_whatever_else_comes() {
    let secured = start("[timeouts]\nkeep_alive = 1");
    let mut frames = secured.frames();
    frames.expect_alive(1);
    let since = Instant::now();
    ping_to_the_end(&mut frames);
    assert!(since.elapsed() > Duration::from_secs(1), "a request might be on its way");
    closed(&secured, "idle");
}

#[test]
fn a_body_that_does_not_come_is_a_408_of_its_own_request() {
    let secured = start("[timeouts]\nhandshake = 1");
    let mut frames = secured.frames();
    let target = Request::post("/apps/3/events", "0123456789").target();
    frames.write(&frame(HEADERS, END_HEADERS, 1, &header_block("POST", &target, &[])));
    for stream in 1..5 {
        frames.expect_alive(1 + 2 * stream);
    }
    frames.until(|frame| frame.stream == 1 && frame.ends_stream());
    frames.expect_alive(101);
}

#[test]
fn a_peer_whose_window_takes_nothing_of_an_answer_is_closed() {
    let secured =
        start("[timeouts]\nhttp_write = 1\nkeep_alive = 60\n[limits]\nchannels_per_connection = 10000");
    let mut socket = secured.connect();
    let name = |number: usize| format!("{}{number:05}", "x".repeat(150));
    for number in 0..1000 {
        socket.ask_for(&name(number));
        socket.expect_succeeded(&name(number));
    }
    // SETTINGS_INITIAL_WINDOW_SIZE.
    let mut frames = secured.frames_with(&[(4, 0)]);
    let target = Request::get("/apps/3/channels").target();
    frames.write(&get(1, &target));
    let all = frames.until_end();
    assert!(all.iter().any(|frame| frame.kind == HEADERS && frame.stream == 1));
    closed(&secured, "unread");
}

#[test]
fn an_idle_connection_makes_room_for_a_newcomer_and_one_with_a_request_does_not() {
    let secured = start(
        "[timeouts]\nkeep_alive = 60\n[limits]\nhttp_connections = 2\nhttp_connections_per_address = 2",
    );
    let mut first = secured.frames();
    first.expect_alive(1);
    let mut second = secured.http2();
    second.get("/up").expect(r#"{"health":"OK"}"#);
    let mut third = secured.http2();
    third.get("/up").expect(r#"{"health":"OK"}"#);
    first.until_end();
    second.get("/up").expect(r#"{"health":"OK"}"#);
    closed(&secured, "made_room");
}

#[test]
fn the_last_of_very_many_requests_says_goaway() {
    let secured = Secured::start();
    let mut frames = secured.frames();
    let mut stream = 1;
    let block = header_block("HEAD", "/up", &[]);
    let began = Instant::now();
    'all: for _ in 0..1100 {
        let requests: Vec<u8> =
            (0..100).flat_map(|n| frame(HEADERS, END_HEADERS | END_STREAM, stream + 2 * n, &block)).collect();
        if !frames.try_write(&requests) {
            break;
        }
        stream += 200;
        let mut answered = 0;
        while answered < 100 {
            let Some(frame) = frames.next() else { break 'all };
            if frame.kind == GOAWAY {
                break 'all;
            }
            answered += u32::from(frame.ends_stream());
        }
    }
    assert!(stream > 190_000, "{stream} after {:?}", began.elapsed());
}
