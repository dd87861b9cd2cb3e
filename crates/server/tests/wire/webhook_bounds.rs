//! The queue of webhooks is bounded, and the events left at the end are counted.

use serde_json::Value;

use crate::support::APP;
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::{Setup, binary, run};

const EVENTS: &[&str] = &["channel_existence"];
const DROPPED: &str = "fanfare_webhook_events_dropped_total{app=\"3\"}";

#[test]
fn a_full_queue_drops_what_comes_and_has_room_again_when_it_is_sent() {
    let (receiver, witness) = (Receiver::hanging(), Receiver::new());
    let webhooks = format!("{}{}", receiver.setting(EVENTS), witness.setting(EVENTS));
    let config = "[webhooks]\nqueue = 5\ntimeout = 60000\n[log]\nfilter = \"info\"";
    let server = Setup::bare().config(config).app(APP, &webhooks).start();
    let mut socket = server.connect();
    for number in 0..12 {
        socket.subscribe(&format!("c{number}"));
        // Sent one after the other, so that no event is dropped here.
        witness.requests(number + 1);
    }
    server.expect_metric(DROPPED, 7.0);
    server.process.log_line("that there is no room", |line| line.contains("no_room=1").then_some(()));
    receiver.let_go();
    receiver.requests(5);
    server.expect_metric("fanfare_webhook_deliveries_total{app=\"3\"}", 17.0);
    socket.subscribe("later");
    receiver.requests(6);
    server.expect_metric(DROPPED, 7.0);
}

#[test]
fn hook_024_thousands_of_channels_that_come_and_go_at_once_are_told_of_in_batches() {
    let receiver = Receiver::new();
    let config = "[webhooks]\nbatch = 1\ndelay = 0\n[limits]\nchannels_per_connection = 100000";
    let webhook = format!("{}batch = true\n", receiver.setting(EVENTS));
    let server = Setup::bare().config(config).app(APP, &webhook).start();
    let mut socket = server.connect();
    for number in 0..3000 {
        socket.ask_for(&format!("c{number}"));
    }
    for _ in 0..3000 {
        assert!(socket.text().contains("subscription_succeeded"));
    }
    socket.close();
    let folder = server.stop();
    drop(folder);
    let requests = receiver.so_far().len();
    assert!(requests < 600, "{requests} requests");
    let bodies: String = receiver.so_far().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.matches("channel_occupied").count(), 3000);
    assert_eq!(bodies.matches("channel_vacated").count(), 3000);
}

/// The total usage of the app of the reference on the data of a stopped server.
#[track_caller]
fn total(server: TestServer) -> Value {
    let folder = server.stop();
    let ended = run(binary(folder.path()).args(["app", "usage", APP.id, "--json"]));
    let usage: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    usage["total"].clone()
}

#[test]
fn at_the_end_what_waits_is_sent_and_what_cannot_be_sent_in_time_is_counted_as_dropped() {
    let (well, hanging) = (Receiver::new(), Receiver::hanging());
    let webhooks = serde_json::json!([
        {"url": well.url(), "events": EVENTS},
        {"url": hanging.url(), "events": EVENTS},
    ]);
    let config = "[webhooks]\ndelay = 60000\ntimeout = 60000\n[timeouts]\ndrain = 0";
    let server = Setup::bare().config(config).start();
    assert_eq!(server.create_app(&[&format!("webhooks={webhooks}")], &[]).status, 0);
    server.expect_app_known();
    let mut socket = server.connect();
    socket.subscribe("news");
    well.requests(1);
    hanging.requests(1);
    socket.close();
    let total = total(server);
    assert_eq!(well.so_far().len(), 2);
    let counts =
        ["webhook_deliveries", "webhook_failures", "webhook_events_dropped"].map(|name| &total[name]);
    assert_eq!(counts, [2, 0, 2], "{total}");
}
