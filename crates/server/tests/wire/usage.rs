//! The usage of apps, in the command line and in metrics.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::APP;
use crate::support::admin::Admin;
use crate::support::server::TestServer;
use crate::support::setup::{Setup, binary, run};
use crate::support::socket::Socket;

/// Reads an event; returns its bytes, with the WebSocket header.
fn bytes_of(socket: &mut Socket) -> usize {
    let length = socket.text().len();
    length + if length < 126 { 2 } else { 4 }
}

/// The output of the command line on the data of a stopped server.
#[track_caller]
fn told(folder: &TempDir, arguments: &[&str]) -> String {
    let ended = run(binary(folder.path()).arg("app").args(arguments));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    ended.stdout
}

#[track_caller]
fn total(folder: &TempDir) -> Value {
    let usage: Value = serde_json::from_str(&told(folder, &["usage", APP.id, "--json"])).expect("JSON");
    assert_eq!(usage["app"], APP.id);
    usage["total"].clone()
}

/// Causes every kind of usage: three connections, four messages of back ends, one of a client.
fn use_it(server: &TestServer) -> usize {
    let mut sockets = [server.connect(), server.connect(), server.connect()];
    for socket in &mut sockets[..2] {
        socket.subscribe_private(APP, "private-a");
    }
    let mut api = server.api();
    api.post("/events", json!({"name": "e", "data": "d", "channels": ["private-a", "nobody"]}).to_string())
        .expect("{}");
    let long = "x".repeat(500);
    let item = |channel: &str| json!({"channel": channel, "name": "e", "data": long});
    api.post("/batch_events", json!({"batch": [item("private-a"), item("elsewhere")]}).to_string())
        .expect("{}");
    let mut bytes: usize = sockets[..2].iter_mut().map(|socket| bytes_of(socket) + bytes_of(socket)).sum();
    sockets[0].client_event("private-a", "client-e", "1");
    bytes += bytes_of(&mut sockets[1]);
    // A refused message is not counted.
    sockets[0].client_event("private-other", "client-e", "1");
    assert!(sockets[0].error().0.is_none());
    api.post("/events", "no JSON").refused(400, "JSON");
    bytes
}

#[test]
fn what_is_told_after_a_drain_is_what_was_sent_and_delivered() {
    let server = TestServer::with_stored_app(&["client_events=true"]);
    let bytes = use_it(&server);
    server.expect_metric("fanfare_deliveries_total{app=\"3\"}", 5.0);
    server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    let folder = server.stop();
    let once = json!({
        "peak_connections": 3, "backend_messages": 4, "client_messages": 1, "deliveries": 5,
        "delivered_bytes": bytes, "webhook_deliveries": 0, "webhook_failures": 0, "webhook_events_dropped": 0,
    });
    assert_eq!(total(&folder), once);
    let table = told(&folder, &["usage", APP.id, "--hours", "2"]);
    let last: Vec<&str> = table.lines().last().unwrap_or_default().split_whitespace().collect();
    assert_eq!(last, ["total", "3", "4", "1", "5", &bytes.to_string(), "0", "0", "0"], "{table}");

    // A second run adds up, and the peak is the higher one.
    let again = Setup::bare().in_folder(folder).start();
    let bytes = bytes + use_it(&again);
    again.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    let folder = again.stop();
    let twice = json!({
        "peak_connections": 3, "backend_messages": 8, "client_messages": 2, "deliveries": 10,
        "delivered_bytes": bytes, "webhook_deliveries": 0, "webhook_failures": 0, "webhook_events_dropped": 0,
    });
    assert_eq!(total(&folder), twice);

    let server = Setup::bare().in_folder(folder).start();
    let admin = Admin::with(&server, "read");
    assert_eq!(admin.get("/v1/apps/3/usage").expect(200)["total"], twice);
    assert_eq!(admin.get("/v1/apps/3/usage?hours=3").expect(200)["hours"][0]["deliveries"], 10);
    admin.get("/v1/apps/3/usage?hours=0&x").expect(400);
    let folder = server.stop();

    // The usage of a deleted app is still to be billed.
    told(&folder, &["delete", APP.id, "--yes"]);
    assert_eq!(total(&folder), twice);
}

#[test]
fn an_app_that_has_used_nothing_has_no_hours() {
    let server = TestServer::with_stored_app(&["client_events=true"]);
    let told = server.commanded(&["app", "usage", APP.id]);
    assert!(told.starts_with("Nothing was used in these hours"), "{told}");
    let json: Value =
        serde_json::from_str(&server.commanded(&["app", "usage", APP.id, "--json"])).expect("JSON");
    assert_eq!((&json["hours"], &json["total"]["deliveries"]), (&json!([]), &json!(0)));
    for hours in ["0", "8785", "x"] {
        assert_eq!(server.command(&["app", "usage", APP.id, "--hours", hours]).status, 64);
    }
}

#[test]
fn without_a_database_usage_is_in_the_metrics_alone() {
    let server = Setup::with_app("client_events = true").start();
    use_it(&server);
    server.expect_metric("fanfare_deliveries_total{app=\"3\"}", 5.0);
    let folder = server.stop();
    let ended = Setup::new().command(Some("app")).arguments(&["usage", APP.id]).in_folder(folder).run();
    assert_eq!((ended.status, ended.stderr.contains("no database is configured")), (64, true));
}
