//! Bytes over TLS: order, size, slow consumers, and the end.

use rustix::process::Signal;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::json;

use crate::overload::{
    SLOW_READERS, expect_whole_events_and_the_close, publish_until_a_slow_reader_is_closed,
};
use crate::support::api::Api;
use crate::support::fallback::Fallback;
use crate::support::server::pusher_js;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::tls::{BOTH, Secured};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, PONG, eventually, quoted};

fn connect_over(secured: &Secured, version: &'static SupportedProtocolVersion) -> Socket {
    Upgrade::to(&pusher_js(APP)).open_over(secured.http_over(&[version])).1.established(50)
}

#[test]
fn events_of_many_records_arrive_whole_and_in_order() {
    let secured = Secured::start_with(
        Setup::new()
            .config("[limits]\nevent_bytes = 204800\nrequest_bytes = 4194304\noutbox_bytes = 8388608"),
    );
    let mut sockets = BOTH.map(|version| connect_over(&secured, version));
    sockets.iter_mut().for_each(|socket| socket.subscribe("large"));
    let mut api = secured.api();
    // Sizes around a record's, and then far beyond, a megabyte at a time.
    for size in [16_200, 16_300, 16_384, 16_400, 100_000] {
        let data = |at: usize| format!("{at} {}", "x".repeat(size));
        let batch: Vec<_> =
            (0..10).map(|at| json!({"name": "e", "channel": "large", "data": data(at)})).collect();
        api.post("/batch_events", json!({ "batch": batch }).to_string()).expect("{}");
        for socket in &mut sockets {
            for at in 0..10 {
                socket.expect_event("large", "e", &data(at));
            }
        }
    }
    sockets.iter_mut().for_each(Socket::expect_nothing_more);
}

#[test]
fn a_burst_of_small_events_arrives_whole_and_in_order() {
    let secured = Secured::start();
    let mut sockets = BOTH.map(|version| connect_over(&secured, version));
    sockets.iter_mut().for_each(|socket| socket.subscribe("small"));
    let mut api = secured.server.api();
    for round in 0..50 {
        let item = |at| json!({"name": "e", "channel": "small", "data": format!("{}", round * 10 + at)});
        let batch: Vec<_> = (0..10).map(item).collect();
        api.post("/batch_events", json!({ "batch": batch }).to_string()).expect("{}");
    }
    for socket in &mut sockets {
        (0..500).for_each(|at| socket.expect_event("small", "e", &at.to_string()));
        socket.expect_nothing_more();
    }
}

#[test]
fn a_message_of_a_client_may_span_records() {
    let secured = Secured::start_with(
        Setup::with_app("client_events = true\n[apps.list.limits]\nclient_event_bytes = 65536")
            .config("[limits]\nmessage_bytes = 131072"),
    );
    let mut receiver = secured.connect();
    receiver.subscribe_private(APP, "private-a");
    let mut sender = secured.connect();
    sender.subscribe_private(APP, "private-a");
    let data = format!(r#""{}""#, "y".repeat(60_000));
    sender.client_event("private-a", "client-large", &data);
    assert_eq!(receiver.json()["data"], "y".repeat(60_000));
}

#[test]
fn many_messages_that_arrive_at_once_are_all_answered() {
    use crate::support::socket::{FIN, TEXT, masked};
    let secured = Secured::start();
    for version in BOTH {
        let mut socket = connect_over(&secured, version);
        socket.raw(&masked(FIN | TEXT, br#"{"event":"pusher:ping","data":{}}"#).repeat(1000));
        (0..1000).for_each(|_| socket.expect_text(PONG));
        socket.expect_nothing_more();
    }
}

#[test]
fn a_reader_over_tls_that_does_not_read_is_closed_and_nobody_else_notices() {
    for version in [&TLS12, &TLS13] {
        let secured = Secured::start_with(Setup::new().config("[limits]\noutbox_bytes = 262144"));
        let (mut slow, mut good) = (connect_over(&secured, version), secured.connect());
        slow.subscribe("busy");
        good.subscribe("busy");
        publish_until_a_slow_reader_is_closed(&secured.server, &mut good);
        secured.server.expect_metric(SLOW_READERS, 1.0);
        good.expect_nothing_more();
        expect_whole_events_and_the_close(&mut slow);
    }
}

#[test]
fn the_drain_closes_tls_connections_with_4200_and_ends_their_tls_in_order() {
    let secured = Secured::start_with(Setup::new().config("[timeouts]\ndrain = 1"));
    let mut sockets = BOTH.map(|version| connect_over(&secured, version));
    let mut kept: Api = secured.api();
    kept.get("/channels", &[]).expect(r#"{"channels":{}}"#);
    secured.server.process.signal(Signal::TERM);
    for socket in &mut sockets {
        // The end is read without error only after the close alert of TLS.
        socket.expect_close(4200, "Server shutting down");
    }
    secured.server.drained();
}

#[test]
fn a_client_that_closes_is_answered_and_its_tls_ended_in_order() {
    use crate::support::socket::{CLOSE, FIN, Frame, masked};
    let secured = Secured::start();
    for version in BOTH {
        let mut socket = connect_over(&secured, version);
        socket.raw(&masked(FIN | CLOSE, &1000_u16.to_be_bytes()));
        assert_eq!(socket.frame(), Frame::Close(Some(1000), String::new()));
        socket.expect_end();
    }
}

#[test]
fn a_client_that_vanishes_without_ending_tls_is_gone() {
    let secured = Secured::start();
    let mut sockets = BOTH.map(|version| connect_over(&secured, version));
    sockets.iter_mut().for_each(|socket| socket.subscribe("news"));
    secured.server.expect_metric("fanfare_connections{app=\"3\"}", 2.0);
    drop(sockets);
    secured.server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
}

#[test]
fn a_stream_of_the_http_fallback_goes_on_over_tls_until_more_comes_behind_its_request() {
    let secured = Secured::start();
    for version in BOTH {
        let session = Fallback::of(secured.server.addr, APP);
        let mut stream = secured.http_over(&[version]);
        stream.write(&session.request("xhr_streaming", ""));
        assert_eq!(stream.head().status, 200);
        assert!(stream.chunk().starts_with(b"o\na["));
        for _ in 0..3 {
            session.send(r#"{"event":"pusher:ping","data":{}}"#);
            assert_eq!(stream.chunk(), format!("a[{}]\n", quoted(PONG)).into_bytes());
        }
        stream.write(&session.request("xhr_streaming", ""));
        assert!(!stream.until_end().contains("200 OK"), "nothing but the end");
        eventually("its session is gone", || (session.post("[]").head.status == 404).then_some(()));
    }
}
