//! The metrics for operators.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::application::{Application, Reply};
use crate::support::authorization::Post;
use crate::support::http::Http;
use crate::support::receiver::Receiver;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::{APP, App, eventually};

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

#[test]
fn the_first_publish_and_one_in_sixty_four_are_timed_to_the_socket_of_each_recipient() {
    let server = TestServer::start();
    let mut sockets = [server.connect(), server.connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    let to_socket = "fanfare_outbox_to_socket_seconds_count";
    server.expect_metric(to_socket, 0.0);
    let mut api = server.api();
    for number in 1..=65 {
        api.publish("news", "e", &number.to_string());
        for socket in &mut sockets {
            socket.expect_event("news", "e", &number.to_string());
        }
        if number == 1 || number == 64 {
            server.expect_metric(to_socket, 2.0);
        }
    }
    server.expect_metric(to_socket, 4.0);
    server.expect_metric("fanfare_publish_to_outbox_seconds_count", 65.0);
    assert!(server.metric("fanfare_outbox_to_socket_seconds_sum") > 0.0);
}

#[test]
fn answers_are_timed_by_the_class_of_route_and_status() {
    let server = TestServer::start();
    let mut api = server.api();
    let count = |route: &str, status: &str| {
        server.metric(&format!("fanfare_http_request_seconds_count{{route=\"{route}\",status=\"{status}\"}}"))
    };
    let others = count("other", "4xx");
    api.publish("news", "e", "d");
    api.post("/events", "no JSON").refused(400, "JSON");
    api.get("/channels", &[]);
    server.public("/nowhere");
    for (route, status) in [("publish", "2xx"), ("publish", "4xx"), ("query", "2xx")] {
        eventually(route, || (count(route, status) == 1.0).then_some(()));
    }
    eventually("other", || (count("other", "4xx") - others == 1.0).then_some(()));
}

#[test]
fn requests_to_applications_and_to_receivers_of_webhooks_are_timed() {
    let application = Application::saying(200, "true");
    let receiver =
        Receiver::saying(|number| if number == 0 { Reply::Body(500, "") } else { Reply::Body(200, "") });
    let settings = application.settings() + &receiver.setting(&["channel_existence"]);
    let server = Setup::bare().config("[webhooks]\nretry = 1").app(APP, &settings).start();
    Post::channel("private-orders").send(&server);
    server.expect_metric("fanfare_authorization_request_seconds_count", 1.0);
    server.connect().subscribe("news");
    for outcome in ["failure", "success"] {
        let name = format!("fanfare_webhook_request_seconds_count{{outcome=\"{outcome}\"}}");
        eventually(&name, || (server.metric(&name) >= 1.0).then_some(()));
    }
    let lag = "fanfare_event_loop_lag_seconds_count";
    eventually(lag, || (server.metric(lag) >= 1.0).then_some(()));
}

/// Apps with ids from 100 on.
fn crowd() -> Vec<App> {
    let apps = [
        ("100", "key-of-the-app-100aa", "secret-of-the-app-100"),
        ("101", "key-of-the-app-101aa", "secret-of-the-app-101"),
        ("102", "key-of-the-app-102aa", "secret-of-the-app-102"),
        ("103", "key-of-the-app-103aa", "secret-of-the-app-103"),
        ("104", "key-of-the-app-104aa", "secret-of-the-app-104"),
    ];
    apps.into_iter().map(|(id, key, secret)| App { id, key, secret }).collect()
}

#[test]
fn apps_over_the_bound_share_one_series_and_the_sums_stay_true() {
    let setup = Setup::bare().config("[metrics]\napps = 2");
    let server = crowd().into_iter().fold(setup, |setup, app| setup.app(app, "")).start();
    let mut sockets = Vec::new();
    for (at, app) in crowd().into_iter().enumerate() {
        let mut socket = server.connect_to(app);
        socket.subscribe("news");
        for _ in 0..=at {
            server.api_of(app).publish("news", "e", "d");
        }
        sockets.push(socket);
    }
    let labels = |text: &str, name: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        lines.filter_map(|line| Some(line.split_once("app=\"")?.1.split_once('"')?.0.to_owned())).collect()
    };
    let sum = |text: &str, name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let published = "fanfare_events_published_total";
    let text = server.admin("/metrics").body;
    for name in ["fanfare_connections", "fanfare_subscriptions", published, "fanfare_deliveries_total"] {
        // The first scrape chooses the busiest.
        assert_eq!(labels(&text, name), ["103", "104", "_other"].map(str::to_owned).into(), "{name}");
    }
    assert_eq!((sum(&text, "fanfare_connections"), sum(&text, published)), (5.0, 15.0));
    server.expect_metric(&format!("{published}{{app=\"_other\"}}"), 6.0);
    server.api_of(crowd()[0]).publish("news", "e", "d");
    server.expect_metric(&format!("{published}{{app=\"_other\"}}"), 7.0);
    assert_eq!(sum(&server.admin("/metrics").body, published), 16.0);
}

#[test]
fn scrapes_at_the_same_time_count_nothing_twice() {
    // Many apps, so that a scrape takes a while.
    let others: String = (1000..1400)
        .map(|id| {
            format!("[[apps.list]]\nid = \"{id}\"\nkey = \"key-{id}\"\nsecret = \"a-secret-of-{id}\"\n")
        })
        .collect();
    let server = Setup::with_app("").config(&format!("[metrics]\napps = 0\n{others}")).start();
    for id in 1000..1400 {
        Http::connect(server.addr).get(&format!("/app/key-{id}?protocol=7"));
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    server.admin("/metrics");
                }
            });
        }
        let mut api = server.api();
        for _ in 0..4000 {
            api.publish("news", "e", "d");
        }
        done.store(true, Ordering::Relaxed);
    });
    server.expect_metric("fanfare_events_published_total{app=\"_other\"}", 4000.0);
}

#[test]
fn a_scrape_tells_when_the_server_started() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let before = now();
    let server = TestServer::start();
    let started = server.metric("fanfare_start_time_seconds");
    assert!((before - 1.0..=now()).contains(&started), "{started}");
}

#[test]
fn whoever_asks_for_openmetrics_gets_it_and_everybody_else_the_older_text() {
    let server = TestServer::start();
    let asked = |accept: &str| {
        let mut http = Http::connect(server.admin);
        http.write(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n").as_bytes());
        let answer = http.answer();
        (answer.head.header("content-type").unwrap_or_default().to_owned(), answer.body)
    };
    let prometheus = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n";
    let (kind, text) = asked(prometheus);
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(
        text.ends_with("# EOF\n") && text.contains("# TYPE fanfare_messages_received counter\n"),
        "{text}"
    );
    for accept in ["", "Accept: text/plain\r\n"] {
        let (kind, text) = asked(accept);
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        assert!(!text.contains("# EOF"), "{text}");
        assert!(text.contains("# TYPE fanfare_messages_received_total counter\n"), "{text}");
    }
}
