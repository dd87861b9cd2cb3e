//! The numbers of an app, as operators see them (CON-020, CON-021).

use std::time::Duration;

use serde_json::{Value, json};

use crate::inspect_channels::inspected;
use crate::support::admin::Admin;
use crate::support::server::TestServer;
use crate::support::{APP, eventually, eventually_within};

const STATS: &str = "/v1/apps/3/stats";

/// Within this time there are two points, of which one comes every ten seconds, also on a busy machine.
const TWO_POINTS: Duration = Duration::from_secs(60);

fn sum(stats: &Value, of: &str) -> u64 {
    let points = stats["history"].as_array().expect("a list");
    points.iter().map(|point| point[of].as_u64().expect("a number")).sum()
}

#[test]
fn con_020_stats_are_what_is_open_now_and_what_has_passed() {
    let (server, admin) = inspected("read");
    let before = admin.get(STATS).expect(200);
    let nobody = (&before["of"], &before["connections"], &before["channels"], &before["max_connections"]);
    assert_eq!(nobody, (&json!("this node"), &json!(0), &json!(0), &Value::Null));
    let mut socket = server.connect();
    let mut other = server.connect();
    for connection in [&mut socket, &mut other] {
        connection.subscribe("news");
    }
    socket.subscribe_private(APP, "private-a");
    socket.sign_in(APP, r#"{"id":"42"}"#);
    server.api().publish("news", "e", "x");
    socket.expect_event("news", "e", "x");
    let now = eventually("the counts of the event", || {
        let now = admin.get(STATS).expect(200);
        (now["deliveries"] == 2).then_some(now)
    });
    let names = ["connections", "channels", "subscriptions", "users", "events", "refusals"];
    assert_eq!(names.map(|name| now[name].as_u64()), [2, 2, 3, 1, 1, 0].map(Some));
    assert!(now["at"].as_str() > before["at"].as_str(), "{now}");
    assert!(now["delivered_bytes"].as_u64() > Some(0), "{now}");
    admin.get("/v1/apps/zzz/stats").refused(404, "no-such-app", &[]);
    let fault = "unknown query parameter x; there are none here";
    admin.get("/v1/apps/3/stats?x").refused(400, "faulty-query", &[fault]);
}

#[test]
fn con_021_the_last_hour_has_what_passed_once_and_how_many_were_there() {
    let server = TestServer::with_stored_app(&["client_events=true", "messages_per_day=4"]);
    let admin = Admin::with(&server, "read,write");
    admin.post("/v1/apps", r#"{"id":"44"}"#).expect(201);
    let mut socket = server.connect();
    let mut other = server.connect();
    for connection in [&mut socket, &mut other] {
        connection.subscribe_private(APP, "private-a");
    }
    for _ in 0..3 {
        server.api().publish("private-a", "e", "x");
    }
    socket.client_event("private-a", "client-e", "1");
    let batch = json!({"name": "e", "data": "d", "channels": ["a", "b"]}).to_string();
    server.api().post("/events", batch).refused(403, "messages");
    let complete = eventually_within(TWO_POINTS, "points with all that passed", || {
        let stats = admin.get(STATS).expect(200);
        (sum(&stats, "client_messages") == 1 && sum(&stats, "refusals") > 0).then_some(stats)
    });
    assert_eq!((sum(&complete, "backend_messages"), sum(&complete, "deliveries")), (3, 7));
    assert_eq!(Some(sum(&complete, "refusals")), complete["refusals"].as_u64());
    assert_eq!(sum(&complete, "delivered_bytes"), complete["delivered_bytes"].as_u64().expect("a number"));
    drop((socket, other));
    let later = eventually_within(TWO_POINTS, "a point after the connections", || {
        let stats = admin.get(STATS).expect(200);
        let last = stats["history"].as_array().and_then(|points| points.last()).cloned();
        last.is_some_and(|point| point["connections"] == 0).then_some(stats)
    });
    assert_eq!(sum(&later, "backend_messages"), 3, "each is in one point: {later}");
    let points = later["history"].as_array().expect("a list");
    assert!(points.iter().any(|point| point["connections"] == 2), "{later}");
    assert!(points.windows(2).all(|two| two[0]["at"].as_str() < two[1]["at"].as_str()), "{later}");
    // An app that nobody uses has none.
    assert_eq!(admin.get("/v1/apps/44/stats").expect(200)["history"], json!([]));
}
