//! Apps on one server do not affect one another.

use serde_json::json;

use crate::support::over_quota;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};

fn two_apps() -> TestServer {
    Setup::new().app(OTHER, "").start()
}

#[test]
fn events_stay_within_their_app() {
    let server = two_apps();
    let (mut mine, mut theirs) = (server.connect(), server.connect_to(OTHER));
    mine.subscribe("news");
    theirs.subscribe("news");
    server.api().publish("news", "e", "mine");
    server.api_of(OTHER).publish("news", "e", "theirs");
    mine.expect_event("news", "e", "mine");
    theirs.expect_event("news", "e", "theirs");
    mine.expect_nothing_more();
    theirs.expect_nothing_more();
}

#[test]
fn counts_and_lists_stay_within_their_app() {
    let server = two_apps();
    let (mut mine, mut theirs) = (server.connect(), server.connect_to(OTHER));
    mine.subscribe("news");
    theirs.subscribe("news");
    theirs.subscribe("more");
    server.api().get("/channels", &[]).expect(r#"{"channels":{"news":{}}}"#);
    server.api().get("/channels/more", &[]).expect(r#"{"occupied":false}"#);
    server
        .api_of(OTHER)
        .get("/channels/news", &[("info", "subscription_count")])
        .expect_json(&json!({"occupied": true, "subscription_count": 1}));
}

#[test]
fn presence_stays_within_its_app() {
    let server = two_apps();
    let (mut mine, mut theirs) = (server.connect(), server.connect_to(OTHER));
    mine.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    let roster = theirs.join(OTHER, "presence-a", r#"{"user_id":"u2"}"#);
    assert_eq!(roster["ids"], json!(["u2"]));
    mine.expect_nothing_more();
    theirs.unsubscribe("presence-a");
    theirs.expect_nothing_more();
    mine.expect_nothing_more();
    server.api().get("/channels/presence-a/users", &[]).expect(r#"{"users":[{"id":"u1"}]}"#);
}

#[test]
fn a_socket_id_of_another_app_excludes_nobody() {
    let server = two_apps();
    let (mut mine, mut theirs) = (server.connect(), server.connect_to(OTHER));
    mine.subscribe("news");
    theirs.subscribe("news");
    let id = &theirs.id;
    let body = format!(r#"{{"name":"e","channels":["news"],"data":"d","socket_id":"{id}"}}"#);
    server.api().post("/events", body).expect("{}");
    mine.expect_event("news", "e", "d");
    theirs.expect_nothing_more();
}

#[test]
fn quotas_and_switches_are_each_apps_own() {
    let server = Setup::with_app("max_connections = 1").app(OTHER, "max_connections = 2").start();
    let _mine = server.connect();
    let _theirs = [server.connect_to(OTHER), server.connect_to(OTHER)];
    for (app, limit) in [(APP, 1), (OTHER, 2)] {
        let target = crate::support::server::pusher_js(app);
        server.open(&target).expect_close(4004, &over_quota(limit));
    }
}

#[test]
fn metrics_name_the_app() {
    let server = two_apps();
    let (mut mine, mut theirs) = (server.connect(), server.connect_to(OTHER));
    mine.subscribe("news");
    theirs.subscribe("news");
    theirs.subscribe("more");
    for (name, value) in [
        ("fanfare_connections{app=\"3\"}", 1.0),
        ("fanfare_connections{app=\"44\"}", 1.0),
        ("fanfare_channels{app=\"3\"}", 1.0),
        ("fanfare_channels{app=\"44\"}", 2.0),
        ("fanfare_subscriptions{app=\"44\"}", 2.0),
    ] {
        server.expect_metric(name, value);
    }
}
