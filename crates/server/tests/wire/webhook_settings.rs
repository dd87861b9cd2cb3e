//! Webhooks as they are set up, shown, changed and removed.

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

const EVENTS: &[&str] = &["channel_existence"];

/// A server whose database the command line and the administration API change.
fn stored(settings: &[&str]) -> TestServer {
    let server = Setup::bare().config("[webhooks]\ndelay = 0").start();
    assert_eq!(server.create_app(settings, &[]).status, 0);
    server.expect_app_known();
    server
}

#[test]
fn an_app_that_gets_a_webhook_is_told_of_what_happens_from_then_on() {
    let receiver = Receiver::new();
    let server = stored(&[]);
    let mut socket = server.connect();
    socket.subscribe("before");
    server.commanded(&["app", "update", APP.id, "--set", &format!("webhooks={}", receiver.json(EVENTS))]);
    eventually("the change is heard of", || {
        socket.subscribe("later");
        socket.unsubscribe("later");
        socket.expect_nothing_more();
        (!receiver.so_far().is_empty()).then_some(())
    });
    // Members present before the webhook cause events when they leave.
    socket.unsubscribe("before");
    eventually("the going of who was there", || {
        let bodies: String = receiver.so_far().into_iter().map(|request| request.body).collect();
        assert!(!bodies.contains(r#""channel_occupied","channel":"before""#), "{bodies}");
        bodies.contains(r#""channel_vacated","channel":"before""#).then_some(())
    });
}

#[test]
fn a_webhook_that_is_taken_away_or_whose_app_is_deleted_is_told_nothing_more_and_what_waited_is_dropped() {
    let (first, second) = (Receiver::hanging(), Receiver::hanging());
    let dropped = "fanfare_webhook_events_dropped_total{app=\"3\"}";
    let server = stored(&[&format!("webhooks={}", first.json(EVENTS))]);
    let mut socket = server.connect();
    socket.subscribe("news");
    first.requests(1);
    server.commanded(&["app", "update", APP.id, "--set", &format!("webhooks={}", second.json(EVENTS))]);
    server.expect_metric(dropped, 1.0);
    socket.subscribe("sport");
    second.requests(1);
    server.commanded(&["app", "delete", APP.id, "--yes"]);
    server.expect_metric(dropped, 2.0);
    socket.expect_close_code(4001);
    server.stop();
    assert_eq!((first.so_far().len(), second.so_far().len()), (1, 1));
}

#[test]
fn the_administration_api_sets_shows_and_refuses_webhooks() {
    let receiver = Receiver::new();
    let server = stored(&[]);
    let admin = Admin::with(&server, "read,write");
    let webhook = json!({"url": receiver.url(), "events": ["presence"], "batch": true});
    let body = json!({"settings": {"webhooks": [webhook]}}).to_string();
    let app = admin.patch("/v1/apps/3", &body).expect(200);
    assert_eq!(app["settings"]["webhooks"], json!([webhook]));
    let used = &admin.get("/v1/apps/3/usage").expect(200)["total"];
    assert_eq!(used["webhook_deliveries"], 0);
    let faulty = json!([{"url": "ftp://a/", "event": []}, webhook, webhook]);
    admin.patch("/v1/apps/3", &json!({"settings": {"webhooks": faulty}}).to_string()).refused(
        422,
        "faults",
        &[
            "unknown setting webhooks[1].event; did you mean webhooks[1].events?",
            "webhooks[1].url holds \"ftp://a/\"; give a URL such as https://example.com/webhooks, without a user or \
             password in it",
            "webhooks[1] has no events; name some of \
             channel_existence (channel_occupied, channel_vacated), presence (member_added, member_removed), client_events, cache_miss, \
             subscription_count, users (user_online, user_offline)",
            "webhooks[3].url is that of webhooks[2] already; put their events together",
        ],
    );
    let faulty = json!([{"url": "ftp://a/", "events": ["all"]}, webhook, webhook]);
    let refused = admin.patch("/v1/apps/3", &json!({"settings": {"webhooks": faulty}}).to_string());
    let faults = refused.json["faults"].as_array().expect("faults").len();
    assert_eq!((refused.answer.head.status, faults), (422, 3), "{}", refused.json);
    let app = admin.patch("/v1/apps/3", r#"{"settings":{"webhooks":null}}"#).expect(200);
    assert_eq!(app["settings"].get("webhooks"), None::<&Value>);
}

#[test]
fn the_command_line_shows_webhooks_and_refuses_what_is_none() {
    let server = stored(&[r#"webhooks=[{"url":"http://a/","events":["cache_miss"]}]"#]);
    let shown = server.commanded(&["app", "show", APP.id]);
    assert!(shown.contains(r#"webhooks  [{"events":["cache_miss"],"url":"http://a/"}]"#), "{shown}");
    let set = |value: &str| server.command(&["app", "update", APP.id, "--set", &format!("webhooks={value}")]);
    let refused = set(r#"[{"url":"http://user:hush@a/","events":["channel_occupied"]},{"events":[]}]"#);
    assert_eq!(refused.status, 64);
    for part in [
        "webhooks[1].url holds",
        "webhooks[1].events holds",
        "webhooks[2] has no url",
        "webhooks[2] has no events",
    ] {
        assert!(refused.stderr.contains(part), "{part} is not in\n{}", refused.stderr);
    }
    assert_eq!(set("http://a/").status, 64);
}
