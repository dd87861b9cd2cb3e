//! What no client of HTTP/2 does: each ends the peer's own connection at most, and a witness notices nothing.

use std::time::Instant;

use crate::support::DEADLINE;
use crate::support::api::Request;
use crate::support::http2::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, GOAWAY, HEADERS, PING, REFUSED_STREAM,
    RESET, SETTINGS, frame, get, header_block, post,
};
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::tls::Secured;

/// A server, and a subscriber that must notice nothing.
struct Attacked {
    secured: Secured,
    witness: Socket,
}

impl Attacked {
    fn start() -> Self {
        let secured = Secured::start_with(Setup::new().config("[timeouts]\nhttp_write = 1"));
        let mut witness = secured.connect();
        witness.subscribe("news");
        Self { secured, witness }
    }

    #[track_caller]
    fn frames(&self) -> Frames {
        self.secured.frames()
    }

    /// The witness hears the next event, and another connection of HTTP/2 is answered.
    #[track_caller]
    fn expect_nothing_noticed(mut self) {
        self.secured.api().publish("news", "hot", "it");
        self.witness.expect_event("news", "hot", "it");
        self.secured.http2().get("/up").expect(r#"{"health":"OK"}"#);
        let log = self.secured.server.process.stderr();
        assert!(!log.contains("h2::"), "a stranger fills the log: {log}");
        assert!((self.secured.server.metric("fanfare_panics_total{where=\"request\"}")).abs() < 0.5);
    }
}

/// Whether the server has said why it ends the connection.
fn says(frames: &mut Frames, reason: u32) -> bool {
    frames.until_end().iter().any(|frame| frame.kind == GOAWAY && frame.reason() == reason)
}

#[test]
fn rapid_resets_end_the_connection() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    let pairs = (0..100).flat_map(|n| {
        let stream = 1 + 2 * n;
        [post(stream, "/apps/3/events"), frame(RESET, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    frames.try_write(&pairs.collect::<Vec<u8>>());
    assert!(says(&mut frames, ENHANCE_YOUR_CALM));
    attacked.expect_nothing_noticed();
}

#[test]
fn requests_that_are_no_http_end_the_connection_when_there_are_many() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    let faulty = (0..200).flat_map(|n| {
        let block = header_block("GET", "/up", &[("connection", "close")]);
        frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * n, &block)
    });
    frames.try_write(&faulty.collect::<Vec<u8>>());
    assert!(says(&mut frames, ENHANCE_YOUR_CALM));
    attacked.expect_nothing_noticed();
}

#[test]
fn headers_without_an_end_end_the_connection() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    frames.write(&frame(HEADERS, END_STREAM, 1, &header_block("GET", "/up", &[])));
    let piece = frame(CONTINUATION, 0, 1, &header_block("GET", "/up", &[("x", &"y".repeat(8000))])[60..]);
    let began = Instant::now();
    while frames.try_write(&piece) {
        assert!(began.elapsed() < DEADLINE, "everything is taken");
    }
    attacked.expect_nothing_noticed();
}

#[test]
fn headers_that_are_too_large_are_refused_and_the_connection_goes_on() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    let block = header_block("GET", "/up", &[("cookie", &"y".repeat(15_000)), ("x", &"y".repeat(2000))]);
    let (first, second) = block.split_at(10_000);
    frames.write(&frame(HEADERS, END_STREAM, 1, first));
    frames.write(&frame(CONTINUATION, END_HEADERS, 1, second));
    // 431 has no body, the answer of /up has.
    let answer = frames.until(|frame| frame.stream == 1);
    assert!(answer.kind == HEADERS && answer.ends_stream(), "{answer:?}");
    frames.expect_alive(3);
    attacked.expect_nothing_noticed();
}

#[test]
fn headers_of_many_requests_at_once_are_refused_when_they_are_too_large_together() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    let target = Request::post("/apps/3/events", "0123456789").target();
    let block = header_block("POST", &target, &[("cookie", &"y".repeat(8000))]);
    for n in 0..60 {
        frames.write(&frame(HEADERS, END_HEADERS, 1 + 2 * n, &block));
    }
    for _ in 0..25 {
        let refusal = frames.until(|frame| frame.ends_stream());
        let text = String::from_utf8_lossy(&refusal.payload);
        assert!(refusal.stream > 50 && text.contains("too large together"), "{text}");
    }
    attacked.expect_nothing_noticed();
}

#[test]
fn more_requests_at_once_than_were_agreed_on_are_refused_one_by_one() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    let target = Request::post("/apps/3/events", "0123456789").target();
    let all = (0..160).flat_map(|n| post(1 + 2 * n, &target));
    frames.write(&all.collect::<Vec<u8>>());
    for _ in 0..32 {
        let refused = frames.until(|frame| frame.kind == RESET);
        assert_eq!(refused.reason(), REFUSED_STREAM);
    }
    // One of those under way ends, and there is room for one.
    frames.write(&frame(RESET, 0, 1, &8_u32.to_be_bytes()));
    frames.expect_alive(401);
    attacked.expect_nothing_noticed();
}

#[test]
fn pings_and_settings_whose_answers_are_not_read_end_the_connection() {
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[0, 3, 0, 0, 0, 100])] {
        let attacked = Attacked::start();
        let mut frames = attacked.frames();
        let flood = frame(kind, 0, 0, payload).repeat(2000);
        let began = Instant::now();
        while frames.try_write(&flood) {
            assert!(began.elapsed() < DEADLINE * 2, "everything is taken");
        }
        attacked.expect_nothing_noticed();
    }
}

#[test]
fn answers_that_are_not_read_end_the_connection() {
    let attacked = Attacked::start();
    let mut frames = attacked.frames();
    let began = Instant::now();
    let mut stream = 1;
    loop {
        let requests: Vec<u8> = (0..100).flat_map(|n| get(stream + 2 * n, "/nowhere")).collect();
        stream += 200;
        if !frames.try_write(&requests) {
            break;
        }
        assert!(began.elapsed() < DEADLINE * 2, "everything is taken");
    }
    attacked.expect_nothing_noticed();
}

#[test]
fn what_is_no_frame_ends_the_connection() {
    let attacked = Attacked::start();
    for garbage in [&b"GET /up HTTP/1.1\r\nHost: ws.test\r\n\r\n"[..], &[0xff; 64], &[0; 64]] {
        let mut frames = attacked.frames();
        frames.write(garbage);
        frames.until_end();
    }
    attacked.expect_nothing_noticed();
}
