//! Waiting clients over HTTP/2: many share a connection, and none is left out of the bounds (FALLBACK-028).

use std::thread::sleep;
use std::time::Duration;

use crate::support::APP;
use crate::support::api::Request;
use crate::support::echo::speaking;
use crate::support::echo_polling::Polling;
use crate::support::http2::{
    self, DATA, END_HEADERS, END_STREAM, Frames, HEADERS, Http2, RESET, Streamed, WINDOW_UPDATE, frame,
    header_block,
};
use crate::support::setup::Setup;
use crate::support::tls::Secured;

/// The path of a session, by its number.
fn session(number: usize, kind: &str) -> String {
    format!("/pusher/app/{}/{number}/{number:08}/{kind}?protocol=7&client=js&version=8.6.0", APP.key)
}

/// A session that has subscribed to `news`.
fn tab(client: &mut Http2, number: usize) -> Streamed {
    let mut stream = client.open(http2::request("POST", &session(number, "xhr_streaming"), ""));
    stream.expect("connection_established");
    let subscribe = r#"["{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"news\"}}"]"#;
    let sent = client.ask(http2::request("POST", &session(number, "xhr_send"), subscribe));
    assert_eq!(sent.head.status, 204);
    stream.expect("subscription_succeeded");
    stream
}

fn expect_closed(secured: &Secured, reason: &str, count: f64) {
    let name = format!("fanfare_http_connections_closed_total{{listener=\"public\",reason=\"{reason}\"}}");
    secured.server.expect_metric(&name, count);
}

#[test]
fn fallback_028_forty_tabs_of_a_browser_share_one_connection() {
    let secured = Secured::start();
    let mut client = secured.http2();
    let mut tabs: Vec<Streamed> = (0..40).map(|number| tab(&mut client, number)).collect();
    for round in 0..3 {
        let body = format!(r#"{{"name":"hot{round}","channel":"news","data":"it"}}"#);
        let target = Request::post("/apps/3/events", body.clone()).target();
        client.ask(http2::request("POST", &target, &body)).expect("{}");
        for tab in &mut tabs {
            tab.expect(&format!("hot{round}"));
        }
    }
    secured.server.expect_metric("fanfare_http_connections{listener=\"public\"}", 0.0);
    drop(tabs);
    // With the last stream, the connection counts again.
    secured.server.expect_metric("fanfare_http_connections{listener=\"public\"}", 1.0);
    client.get("/up").expect(r#"{"health":"OK"}"#);
}

#[test]
fn fallback_028_connections_of_waiting_clients_leave_their_places_to_others() {
    let settings = "[limits]\nhttp_connections = 2\nhttp_connections_per_address = 2";
    let secured = Secured::start_with(Setup::new().config(settings));
    let mut waiting = Vec::new();
    for number in 0..5 {
        let mut client = secured.http2();
        let stream = tab(&mut client, number);
        waiting.push((client, stream));
    }
    let mut others = [secured.http2(), secured.http2()];
    for other in &mut others {
        other.get("/up").expect(r#"{"health":"OK"}"#);
    }
    secured.server.expect_metric("fanfare_http_connections{listener=\"public\"}", 2.0);
    secured.api().publish("news", "hot", "it");
    for (_, stream) in &mut waiting {
        stream.expect("hot");
    }
}

/// Opens a session's stream by hand.
fn stream(frames: &mut Frames, stream: u32, number: usize) {
    let block = header_block("POST", &session(number, "xhr_streaming"), &[]);
    frames.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block));
}

#[test]
fn a_stream_goes_on_as_far_as_the_window_allows_and_loses_nothing() {
    let secured = Secured::start();
    // SETTINGS_INITIAL_WINDOW_SIZE.
    let mut frames = secured.frames_with(&[(4, 5)]);
    stream(&mut frames, 1, 1);
    let mut text = Vec::new();
    while !text.ends_with(b"]\n") {
        let data = frames.until(|frame| frame.kind == DATA && frame.stream == 1);
        assert!(data.payload.len() <= 5, "{data:?}");
        text.extend(data.payload);
        let more = 5_u32.to_be_bytes();
        frames.write(&[frame(WINDOW_UPDATE, 0, 1, &more), frame(WINDOW_UPDATE, 0, 0, &more)].concat());
    }
    let text = String::from_utf8(text).expect("text");
    assert!(text.starts_with("o\na[") && text.contains("connection_established"), "{text}");
}

#[test]
fn streams_go_on_once_their_socket_is_not_full_any_more_and_lose_nothing() {
    // Of each stream less than its fill, of all together more than a socket holds.
    const STREAMS: usize = 20;
    const EVENTS: usize = 22;
    let secured = Secured::start();
    // Windows that never close.
    let mut frames = secured.frames_with(&[(4, i32::MAX.cast_unsigned())]);
    frames.write(&frame(WINDOW_UPDATE, 0, 0, &(i32::MAX.cast_unsigned() - 65_535).to_be_bytes()));
    let mut texts = vec![String::new(); STREAMS];
    let mut read_to = |frames: &mut Frames, end: &str| {
        while !texts.iter().all(|text| text.contains(end)) {
            let data = frames.until(|frame| frame.kind == DATA);
            let text = &mut texts[data.stream as usize / 2];
            text.push_str(std::str::from_utf8(&data.payload).expect("ASCII"));
        }
        texts.clone()
    };
    for number in 0..STREAMS {
        stream(&mut frames, 1 + 2 * u32::try_from(number).expect("few"), number);
    }
    read_to(&mut frames, "connection_established");
    let subscribe = r#"["{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"news\"}}"]"#;
    let mut client = secured.http2();
    for number in 0..STREAMS {
        let sent = client.ask(http2::request("POST", &session(number, "xhr_send"), subscribe));
        assert_eq!(sent.head.status, 204);
    }
    read_to(&mut frames, "subscription_succeeded");
    let (mut api, data) = (secured.api(), "x".repeat(9_000));
    for number in 0..EVENTS {
        api.publish("news", &format!("e{number};"), &data);
    }
    api.publish("news", "the-last", "");
    for text in read_to(&mut frames, "the-last") {
        for number in 0..EVENTS {
            assert!(text.contains(&format!("e{number};")), "event {number} is missing");
        }
    }
}

#[test]
fn streams_of_which_nothing_is_taken_end_with_their_connection() {
    let secured = Secured::start_with(Setup::new().config("[timeouts]\nhttp_write = 1"));
    let mut witness = secured.connect();
    witness.subscribe("news");
    let mut frames = secured.frames_with(&[(4, 0)]);
    for number in 0..100 {
        stream(&mut frames, 1 + 2 * u32::try_from(number).expect("few"), number);
    }
    let all = frames.until_end();
    assert!(all.iter().all(|frame| frame.kind != DATA), "{all:?}");
    expect_closed(&secured, "unread", 1.0);
    secured.api().publish("news", "hot", "it");
    witness.expect_event("news", "hot", "it");
}

#[test]
fn streams_that_are_opened_and_reset_without_end_leave_nothing() {
    let secured = Secured::start();
    let mut frames = secured.frames();
    for round in 0..300_usize {
        let id = 1 + 2 * u32::try_from(round).expect("few");
        stream(&mut frames, id, round);
        frames.until(|frame| frame.stream == id && frame.kind == DATA);
        frames.write(&frame(RESET, 0, id, &8_u32.to_be_bytes()));
    }
    frames.expect_alive(1001);
    // A session whose client is away ends after ten seconds.
    let mut left = f64::MAX;
    for _ in 0..300 {
        left = secured.server.metric("fanfare_connections");
        if left < 0.5 {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert!(left < 0.5, "{left} sessions stay");
}

#[test]
fn sio_018_a_page_that_is_closed_amid_the_last_piece_of_an_answer_leaves_at_once() {
    const OPEN: &str = "fanfare_connections{app=\"3\"}";
    let secured = Secured::start_with(speaking(""));
    let server = &secured.server;
    for _ in 0..5 {
        let mut session = Polling::connect(server, 3);
        session.join("news");
        let mut api = secured.api();
        // Two pieces.
        for _ in 0..5 {
            api.publish("news", "e", &"x".repeat(9_000));
        }
        let mut frames = secured.frames_with(&[(4, 0)]);
        frames.write(&http2::get(1, &session.target()));
        frames.until(|frame| frame.kind == HEADERS && frame.stream == 1);
        server.expect_metric(OPEN, 1.0);
        frames.write(&frame(RESET, 0, 1, &8_u32.to_be_bytes()));
        server.expect_metric(OPEN, 0.0);
    }
}
