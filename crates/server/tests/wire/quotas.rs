//! Quotas of messages: a publish over a quota is refused whole, and no other app is affected.

use serde_json::json;

use crate::support::api::{Api, Request};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, eventually};

fn over(limit: usize, each: &str, came: usize) -> String {
    format!(
        "Account over quota (at most {limit} messages a {each}, {came} more came, setting messages_per_{each})"
    )
}

/// An event to this many channels, the first of which is `news`.
fn to_channels(count: usize) -> String {
    let channels: Vec<String> =
        (0..count).map(|at| if at == 0 { "news".to_owned() } else { format!("news-{at}") }).collect();
    json!({"name": "e", "data": "not to be delivered", "channels": channels}).to_string()
}

fn batch_of(count: usize) -> String {
    let item = json!({"channel": "news", "name": "e", "data": "not to be delivered"});
    json!({"batch": vec![item; count]}).to_string()
}

fn listener(server: &TestServer) -> Socket {
    let mut socket = server.connect();
    socket.subscribe("news");
    socket
}

fn refused(api: &mut Api) -> bool {
    api.post("/events", to_channels(1)).head.status == 403
}

#[test]
fn api_005_what_is_over_the_rate_is_403_and_nothing_of_it_is_published() {
    let server = Setup::with_app("messages_per_second = 5").start();
    let (mut socket, mut api) = (listener(&server), server.api());
    // More than can ever come, so that the machine's speed does not matter.
    api.post("/events", to_channels(6)).refused_with(403, &over(5, "second", 6));
    api.post("/batch_events", batch_of(7)).refused_with(403, &over(5, "second", 7));
    socket.expect_nothing_more();
    api.publish("news", "e", "the first");
    socket.expect_event("news", "e", "the first");
    socket.expect_nothing_more();
    server.expect_metric("fanfare_messages_refused_total{app=\"3\",quota=\"messages_per_second\"}", 13.0);
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 1.0);
}

#[test]
fn a_rate_that_is_used_up_is_there_again_later() {
    let server = Setup::with_app("messages_per_second = 2").start();
    let mut api = server.api();
    eventually("the rate is used up", || refused(&mut api).then_some(()));
    eventually("it is there again", || (!refused(&mut api)).then_some(()));
}

#[test]
fn api_005_what_is_over_the_day_s_quota_is_403_for_every_way_of_publishing() {
    let server = Setup::with_app("messages_per_day = 4").start();
    let (mut socket, mut api) = (listener(&server), server.api());
    api.publish("news", "e", "1");
    api.post("/batch_events", batch_of(4)).refused_with(403, &over(4, "day", 4));
    api.post("/events", to_channels(4)).refused_with(403, &over(4, "day", 4));
    api.publish("news", "e", "2");
    api.publish("elsewhere", "e", "3");
    api.publish("news", "e", "4");
    api.post("/events", to_channels(1)).refused_with(403, &over(4, "day", 1));
    let older = Request::post("/apps/3/channels/news/events", "data").param("name", "e");
    api.send(&older).refused_with(403, &over(4, "day", 1));
    for data in ["1", "2", "4"] {
        socket.expect_event("news", "e", data);
    }
    socket.expect_nothing_more();
    assert_eq!(api.get("/channels", &[]).head.status, 200, "only messages are counted");
}

#[test]
fn a_client_event_over_the_quota_is_dropped_with_4301_and_the_connection_stays() {
    let server = Setup::with_app("client_events = true\nmessages_per_day = 2").start();
    let (mut sender, mut other) = (server.connect(), server.connect());
    for socket in [&mut sender, &mut other] {
        socket.subscribe_private(APP, "private-a");
    }
    for data in ["1", "2"] {
        sender.client_event("private-a", "client-e", data);
        other.expect_event("private-a", "client-e", data);
    }
    for _ in 0..5 {
        sender.client_event("private-a", "client-e", "3");
        sender.expect_error_code(4301, &format!("{}; the event was dropped", over(2, "day", 1)));
    }
    other.expect_nothing_more();
    // Back ends and clients share the quota.
    server.api().post("/events", to_channels(1)).refused_with(403, &over(2, "day", 1));
    sender.subscribe("news");
    sender.expect_nothing_more();
}

#[test]
fn another_app_does_not_notice() {
    let server = Setup::with_app("messages_per_second = 1\nmessages_per_day = 1").app(OTHER, "").start();
    let mut other = server.connect_to(OTHER);
    other.subscribe("news");
    let (mut api, mut api_of_other) = (server.api(), server.api_of(OTHER));
    api.publish("news", "e", "mine");
    for number in 0..50 {
        assert!(refused(&mut api));
        api_of_other.publish("news", "e", &number.to_string());
        other.expect_event("news", "e", &number.to_string());
    }
}

#[test]
fn a_quota_that_is_changed_holds_at_once() {
    let server = TestServer::with_stored_app(&["messages_per_day=3"]);
    let mut api = server.api();
    for data in ["1", "2", "3"] {
        api.publish("news", "e", data);
    }
    assert!(refused(&mut api));
    server.commanded(&["app", "update", APP.id, "--set", "messages_per_day=1000"]);
    eventually("the raised quota holds", || (!refused(&mut api)).then_some(()));
    server.commanded(&["app", "update", APP.id, "--set", "messages_per_day=4"]);
    eventually("the lowered quota holds", || refused(&mut api).then_some(()));
    server.commanded(&["app", "update", APP.id, "--unset", "messages_per_day"]);
    eventually("there is no quota", || (!refused(&mut api)).then_some(()));
}

#[test]
fn a_restart_gives_no_second_day_s_quota() {
    let server = TestServer::with_stored_app(&["messages_per_day=1000"]);
    let mut api = server.api();
    for _ in 0..9 {
        api.post("/events", to_channels(100)).expect("{}");
    }
    drop(api);
    let again = Setup::bare().in_folder(server.stop()).start();
    let mut api = again.api();
    // Messages during the database query are allowed; without the query, a thousand would be.
    let more = (0..1000).take_while(|_| !refused(&mut api)).count();
    assert!(more < 600, "{more} more than 900");
}
