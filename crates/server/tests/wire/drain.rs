//! Graceful shutdown without a reconnect storm (WS-056, WS-057).

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::api::Request;
use crate::support::eventually;
use crate::support::http::Http;
use crate::support::receiver::Receiver;
use crate::support::server::pusher_js;
use crate::support::setup::Setup;
use crate::support::socket::{Frame, Socket};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, DEADLINE};

const REASON: &str = "Server shutting down";

fn draining_for(seconds: u32) -> Setup {
    Setup::new().config(&format!("[timeouts]\ndrain = {seconds}"))
}

#[test]
fn ws_057_connections_are_closed_with_4200_spread_over_the_drain() {
    let server = draining_for(2).start();
    let sockets: Vec<Socket> = (0..40).map(|_| server.connect()).collect();
    server.process.signal(Signal::TERM);
    let start = Instant::now();
    let closing = sockets.into_iter().map(|mut socket| {
        thread::spawn(move || {
            socket.expect_close(4200, REASON);
            start.elapsed()
        })
    });
    let closing: Vec<_> = closing.collect();
    let times: Vec<Duration> =
        closing.into_iter().map(|thread| thread.join().expect("closed with 4200")).collect();
    let (first, last) = (times.iter().min().expect("40 times"), times.iter().max().expect("40 times"));
    assert!(*last - *first > Duration::from_millis(500), "all at once: {first:?} … {last:?}");
    server.drained();
    assert!(start.elapsed() < Duration::from_secs(5), "the drain is bounded");
}

#[test]
fn ws_057_version_5_hears_of_the_drain_by_event_first() {
    let server = draining_for(1).start();
    let mut old = server.open(&format!("/app/{}?protocol=5", APP.key)).established(50);
    server.process.signal(Signal::TERM);
    old.expect_close_by_event(4200, REASON);
    server.drained();
}

#[test]
fn ws_057_newcomers_during_the_drain_are_not_made_to_reconnect_at_once() {
    let server = draining_for(2).start();
    let held: Vec<Socket> = (0..20).map(|_| server.connect()).collect();
    // Connected before the drain, upgraded during the drain: the race of a real restart.
    let mut early = Http::connect(server.addr);
    early.write(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(early.answer().head.status, 200);
    server.process.signal(Signal::TERM);
    eventually("it says that it drains", || (server.admin("/ready").head.status == 503).then_some(()));
    for mut http in [Some(early), Http::try_connect(server.addr)].into_iter().flatten() {
        // Closed without a frame, or with a reconnect delay: 4100 are the bytes 16 and 4.
        http.try_write(&Upgrade::to(&pusher_js(APP)).bytes());
        let answer = http.until_end();
        assert!(answer.is_empty() || answer.contains("\u{10}\u{4}Server shutting down"), "{answer:?}");
    }
    drop(held);
}

#[test]
fn ws_056_newcomers_during_the_drain_are_closed_with_4100_and_never_with_4200() {
    let server = draining_for(8).start();
    let held: Vec<Socket> = (0..40).map(|_| server.connect()).collect();
    server.process.signal(Signal::TERM);
    eventually("it says that it drains", || (server.admin("/ready").head.status == 503).then_some(()));
    for _ in 0..20 {
        server.open(&pusher_js(APP)).expect_close(4100, REASON);
    }
    let mut old = server.open(&format!("/app/{}?protocol=5", APP.key));
    old.expect_close_by_event(4100, REASON);
    drop(held);
    server.drained();
}

#[test]
fn ws_057_readiness_ends_with_the_first_moment_of_the_drain() {
    let server = draining_for(1).start();
    assert_eq!(server.admin("/ready").head.status, 200);
    let _held = server.connect();
    server.process.signal(Signal::TERM);
    let status =
        eventually("readiness ends", || Some(server.admin("/ready").head.status).filter(|s| *s != 200));
    assert_eq!(status, 503);
}

#[test]
fn ws_057_a_request_in_flight_is_answered() {
    let server = draining_for(2).start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let body = r#"{"name":"last","channels":["news"],"data":"words"}"#;
    let bytes = Request::post("/apps/3/events", body).bytes();
    let (head, rest) = bytes.split_at(bytes.len() - 10);
    let mut http = Http::connect(server.addr);
    http.write(head);
    // This answer follows the half request, so the server has read the half.
    assert_eq!(server.public("/up").head.status, 200);
    server.process.signal(Signal::TERM);
    eventually("it says that it drains", || (server.admin("/ready").head.status == 503).then_some(()));
    http.write(rest);
    http.answer().expect("{}");
    drop(socket);
    server.drained();
}

#[test]
fn ws_057_idle_kept_connections_do_not_hold_the_process_up() {
    let server = Setup::new().config("[timeouts]\ndrain = 30").start();
    let mut kept = server.api();
    kept.get("/channels", &[]).expect(r#"{"channels":{}}"#);
    let silent = Http::connect(server.addr);
    server.process.signal(Signal::TERM);
    server.drained();
    drop(silent);
}

#[test]
fn ws_057_the_drain_ends_as_soon_as_everybody_has_left() {
    let server = Setup::new().config("[timeouts]\ndrain = 60").start();
    let sockets = [server.connect(), server.connect()];
    server.process.signal(Signal::TERM);
    for socket in sockets {
        socket.close();
    }
    server.drained();
}

#[test]
fn clients_that_never_answer_and_webhooks_that_hang_do_not_hold_the_end_up() {
    let receiver = Receiver::hanging();
    let settings = receiver.setting(&["channel_existence"]);
    let server = Setup::with_app(&settings).config("[timeouts]\ndrain = 1\n[webhooks]\ndelay = 0").start();
    let mut sockets: Vec<Socket> = (0..20).map(|_| server.connect()).collect();
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe(&format!("channel-{number}"));
    }
    receiver.requests(1);
    let start = Instant::now();
    server.process.signal(Signal::TERM);
    server.drained();
    // The drain, three seconds for the rest, and some for a slow machine.
    assert!(start.elapsed() < Duration::from_millis(1000 + 3000 + 900), "{:?}", start.elapsed());
    drop(sockets);
}

#[test]
fn an_interrupt_drains_as_well() {
    let server = draining_for(1).start();
    let mut socket = server.connect();
    server.process.signal(Signal::INT);
    socket.expect_close(4200, REASON);
    server.drained();
}

#[test]
fn a_client_that_ignores_its_close_does_not_outlast_the_drain() {
    let server = draining_for(1).start();
    let mut socket = server.connect();
    let start = Instant::now();
    server.process.signal(Signal::TERM);
    server.drained();
    assert!(start.elapsed() < DEADLINE / 2, "{:?}", start.elapsed());
    assert_eq!(socket.frame(), Frame::Close(Some(4200), REASON.into()));
}

#[test]
fn a_back_end_is_told_to_connect_elsewhere_also_where_no_websocket_is_left() {
    let server = draining_for(5).start();
    let mut api = server.api();
    api.publish("news", "e", "{}");
    server.process.signal(Signal::TERM);
    server.process.log_line("the drain", |line| line.contains("draining").then_some(()));
    let answer = api.post("/events", r#"{"name":"e","channels":["news"],"data":"d"}"#);
    answer.expect("{}");
    assert_eq!(answer.head.header("connection"), Some("close"));
    server.drained();
}
