//! The kinds of entries of a live list that come from elsewhere than clients and the HTTP API (CON-028, CON-082).

use serde_json::{Value, json};

use crate::inspect_channels::inspected;
use crate::redis_feed::{PREFIX, event, expect_listening, prefixed};
use crate::support::APP;
use crate::support::admin::{Admin, token};
use crate::support::application::{Application, Reply};
use crate::support::authorization::{Post, SOCKET};
use crate::support::live::{LiveList, told};
use crate::support::receiver::Receiver;
use crate::support::setup::Setup;
use fanfare_testing::redis::Redis;

/// Beside the apps of the configuration a database, which has tokens.
const STORED: &str = "[apps]\ndatabase = \"sqlite\"";

#[test]
fn con_028_what_is_refused_to_clients_and_back_ends_is_seen() {
    let (server, _) = inspected("read");
    let mut list = LiveList::open(&server, &token(&server, "read"), "?kinds=refused");
    let mut socket = server.connect();
    socket.send(r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"x:y"}}"#);
    socket.error();
    let entry = list.entry();
    assert_eq!(
        json!([entry["refusal"], entry["channel"], entry["socket"]]),
        json!(["message", "private-a", socket.id]),
        "{entry}"
    );
    assert!(entry["why"].as_str().is_some_and(|why| why.contains(' ')), "{entry}");
    let long = format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(11_000));
    assert_eq!(server.api().post("/events", long).head.status, 413);
    let entry = list.entry();
    assert_eq!(json!([entry["refusal"], entry["code"]]), json!(["http", 413]), "{entry}");
}

#[test]
fn con_028_attempts_at_webhooks_are_seen_with_their_status_and_why_they_failed() {
    let receiver = Receiver::saying(|number| match number {
        0 => Reply::Body(500, "what the receiver says"),
        _ => Reply::Body(204, ""),
    });
    let settings = receiver.setting(&["channel_existence"]);
    let server = Setup::bare().config("[webhooks]\nretry = 1").config(STORED).app(APP, &settings).start();
    let mut list =
        LiveList::open(&server, &token(&server, "read"), "?kinds=webhook_delivered,webhook_failed");
    server.connect().subscribe("news");
    let failed = list.entry();
    let said = |entry: &Value| json!([entry["kind"], entry["event"], entry["code"], entry["url"]]);
    assert_eq!(said(&failed), json!(["webhook_failed", "channel_occupied", 500, receiver.url()]));
    assert!(failed["why"].as_str().is_some_and(|why| why.contains("500")) && failed["milliseconds"].is_u64());
    let delivered = list.entry();
    assert_eq!(said(&delivered), json!(["webhook_delivered", "channel_occupied", 204, receiver.url()]));
    assert_eq!(delivered.get("why"), None);
}

#[test]
fn con_028_what_an_application_was_asked_and_said_is_seen() {
    let application = Application::saying(403, "no");
    let server = Setup::with_app(&application.settings()).config(STORED).start();
    let mut list = LiveList::open(&server, &token(&server, "read"), "?kinds=authorization");
    assert_eq!(Post::channel("private-orders").send(&server).head.status, 403);
    let entry = list.entry();
    assert_eq!(
        json!([entry["channel"], entry["socket"], entry["code"]]),
        json!(["private-orders", SOCKET, 403])
    );
    assert!(entry["why"].as_str().is_some_and(|why| why.contains(' ')), "{entry}");
}

#[test]
fn con_028_a_change_of_the_app_is_seen() {
    let (server, _) = inspected("read");
    let writer = Admin::with(&server, "read,write");
    let mut list = LiveList::open(&server, &token(&server, "read"), "?kinds=app_changed");
    writer.patch("/v1/apps/3", r#"{"settings":{"max_connections":7}}"#).expect(200);
    assert_eq!(told(&list.entry()), json!({"kind": "app_changed", "why": "the settings have changed"}));
    writer.delete("/v1/apps/3").expect(204);
    assert_eq!(list.entry()["why"], "the app was deleted");
}

#[test]
fn con_028_events_of_a_redis_and_of_operators_are_told_apart() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"", redis.url());
    let server = Setup::bare().app(APP, "").config(&feed).config(STORED).start();
    expect_listening(&server);
    let mut list = LiveList::open(&server, &token(&server, "read,payloads"), "");
    redis.broadcast(&[&prefixed("news")], &event("shipped", r#"{"id":7}"#, "null"));
    let entry = list.entry();
    assert_eq!(
        told(&entry),
        json!({"kind": "redis_event", "by": "feed", "channel": "news", "event": "shipped", "bytes": 8, "receivers": 0, "data": r#"{"id":7}"#, "whole": true})
    );
    let sent = r#"{"name":"e","channel":"a","data":"x"}"#;
    Admin::with(&server, "publish").post("/v1/apps/3/events", sent).expect(200);
    let entry = list.entry();
    assert_eq!(json!([entry["kind"], entry["by"], entry["channel"]]), json!(["event", "console", "a"]));
}
