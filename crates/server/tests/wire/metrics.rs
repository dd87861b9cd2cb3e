//! The metrics for operators.

use crate::support::APP;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;

#[test]
fn gauges_follow_what_is_there_and_go_back_to_zero() {
    let server = TestServer::start();
    let gauges = [
        ("fanfare_connections{app=\"3\"}", 3.0),
        ("fanfare_channels{app=\"3\"}", 2.0),
        ("fanfare_subscriptions{app=\"3\"}", 4.0),
    ];
    for _ in 0..2 {
        let mut sockets = [server.connect(), server.connect(), server.connect()];
        for socket in &mut sockets {
            socket.subscribe("news");
        }
        sockets[0].join(APP, "presence-a", r#"{"user_id":"u1"}"#);
        for (name, value) in gauges {
            server.expect_metric(name, value);
        }
        let [first, second, third] = sockets;
        first.close();
        drop(second);
        { third }.unsubscribe("news");
        for (name, _) in gauges {
            server.expect_metric(name, 0.0);
        }
    }
}

#[test]
fn counters_count_what_happened() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let before = server.metric("fanfare_messages_received_total");
    for _ in 0..3 {
        socket.expect_nothing_more();
    }
    assert!(server.metric("fanfare_messages_received_total") - before > 2.5);
    let opened = r#"fanfare_connections_opened_total{dialect="pusher",transport="websocket"}"#;
    server.expect_metric(opened, 1.0);
    let mut api = server.api();
    api.publish("news", "e", "d");
    api.post(
        "/batch_events",
        r#"{"batch":[{"channel":"a","name":"e","data":"d"},{"channel":"b","name":"e","data":"d"}]}"#,
    )
    .expect("{}");
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 3.0);
    let before = server.metric("fanfare_http_requests_total{status=\"400\"}");
    api.post("/events", "no JSON").refused(400, "JSON");
    server.expect_metric("fanfare_http_requests_total{status=\"400\"}", before + 1.0);
    assert!(server.metric("fanfare_http_requests_total{status=\"200\"}") > 1.5);
}

#[test]
fn users_client_events_and_kept_bytes_are_counted() {
    let server = Setup::with_app("client_events = true").start();
    let mut sockets = [server.connect(), server.connect(), server.connect()];
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.sign_in(APP, &format!(r#"{{"id":"u{}"}}"#, at / 2));
        socket.subscribe_private(APP, "private-a");
    }
    server.expect_metric("fanfare_users{app=\"3\"}", 2.0);
    for _ in 0..3 {
        sockets[0].client_event("private-a", "client-e", "1");
    }
    sockets[0].client_event("private-other", "client-e", "1");
    assert_eq!(sockets[0].error().0, None);
    server.expect_metric("fanfare_client_events_total{app=\"3\"}", 3.0);
    drop(sockets);
    server.expect_metric("fanfare_users{app=\"3\"}", 0.0);
    let kept = "fanfare_cache_bytes{app=\"3\"}";
    server.api().publish("cache-a", "e", &"x".repeat(1000));
    assert!(server.metric(kept) > 999.5);
    let mut socket = server.connect();
    socket.subscribe("cache-a");
    assert_eq!(socket.json()["channel"], "cache-a");
    server.expect_metric(kept, 0.0);
}

#[test]
fn closes_are_counted_by_code_and_reason() {
    let server = TestServer::start();
    server.connect().close();
    server.open("/app/unknown?protocol=7").expect_close_code(4001);
    server.open("/elsewhere?protocol=7").expect_close_code(4005);
    let mut broken = server.connect();
    broken.raw(&[0x81, 0x00]);
    broken.expect_close_code(1002);
    for (code, reason) in [("1000", "by_client"), ("4001", "unknown_key"), ("4005", "path_not_found")] {
        server.expect_metric(&format!("fanfare_closes_total{{code=\"{code}\",reason=\"{reason}\"}}"), 1.0);
    }
    drop(server.connect());
    server.expect_metric("fanfare_closes_total{code=\"none\",reason=\"gone\"}", 1.0);
}

#[test]
fn names_that_clients_make_up_do_not_become_labels() {
    let server = TestServer::start();
    for number in 0..20 {
        server.open(&format!("/app/made-up-{number}?protocol=7")).expect_close_code(4001);
        server.public(&format!("/made-up-{number}"));
    }
    assert!(!server.admin("/metrics").body.contains("made-up"));
}

#[test]
fn the_page_is_prometheus_text() {
    let server = Setup::new().start();
    server.open(&pusher_js(APP)).established(50);
    let answer = server.admin("/metrics");
    let kind = answer.head.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text"), "{kind}");
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some(), "not a sample: {line}");
    }
    assert!(server.metric("fanfare_file_descriptors_limit") > 1.0);
}
