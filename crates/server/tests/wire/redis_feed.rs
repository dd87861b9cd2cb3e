//! Laravel's `redis` broadcasts reach subscribers exactly as events of the HTTP API do.

use std::time::Duration;

use serde_json::json;

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER, eventually};
use fanfare_testing::redis::Redis;
use fanfare_testing::until;

pub const PREFIX: &str = "laravel_database_";

/// A server whose one app gets the broadcasts of this Redis.
pub fn listening_to(redis: &Redis, app: &str) -> TestServer {
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"", redis.url());
    let server = Setup::bare().app(APP, app).config(&feed).start();
    expect_listening(&server);
    server
}

pub fn expect_listening(server: &TestServer) {
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
}

/// Laravel's message for an event.
pub fn event(name: &str, data: &str, socket: &str) -> String {
    let name = name.replace('\\', "\\\\");
    format!(r#"{{"event":"{name}","data":{data},"socket":{socket}}}"#)
}

pub fn prefixed(channel: &str) -> String {
    format!("{PREFIX}{channel}")
}

#[test]
fn a_broadcast_is_the_same_frame_as_over_http() {
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    let mut socket = server.connect();
    socket.subscribe("news");
    socket.subscribe_private(APP, "private-App.Models.User.7");
    let data = r#"{"text":"x\/\u00fc\u2603","nested":{"a":[1,2.5,null,true]}}"#;
    let message = event(r"App\Events\Message", &data.replace("]}}", r#"]},"socket":null}"#), "null");
    redis.broadcast(&[&prefixed("news"), &prefixed("private-App.Models.User.7")], &message);
    let over_redis = [socket.text(), socket.text()];
    let channels = ["news", "private-App.Models.User.7"];
    let body = json!({"name": r"App\Events\Message", "data": data, "channels": channels});
    assert_eq!(server.api().post("/events", body.to_string()).head.status, 200);
    assert_eq!(over_redis, [socket.text(), socket.text()]);
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 3.0);
}

#[test]
fn notifications_models_and_presence_channels_arrive() {
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    let mut socket = server.connect();
    socket.subscribe_private(APP, "private-App.Models.User.7");
    socket.join_any("presence-room.1");
    let notification = r#"{"text":"hello","id":"9b1c","type":"App\\Notifications\\Ping"}"#;
    let name = r"Illuminate\Notifications\Events\BroadcastNotificationCreated";
    redis.broadcast(&[&prefixed("private-App.Models.User.7")], &event(name, notification, "null"));
    socket.expect_event("private-App.Models.User.7", name, notification);
    let model = r#"{"model":{"id":5},"connection":null,"queue":null,"afterCommit":false}"#;
    redis.broadcast(&[&prefixed("presence-room.1")], &event("PostUpdated", model, "null"));
    socket.expect_event("presence-room.1", "PostUpdated", model);
    // Laravel 5.1 had no socket id, and published through the client itself.
    redis.publish(&prefixed("presence-room.1"), r#"{"event":"old","data":{"a":1}}"#);
    socket.expect_event("presence-room.1", "old", r#"{"a":1}"#);
}

#[test]
fn to_others_leaves_out_the_sender_and_a_socket_that_is_nobodys_leaves_out_nobody() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"\napp = \"3\"", redis.url());
    let server = Setup::new().app(OTHER, "").config(&feed).start();
    expect_listening(&server);
    let (mut sender, mut other) = (server.connect(), server.connect());
    let mut stranger = server.connect_to(OTHER);
    for socket in [&mut sender, &mut other, &mut stranger] {
        socket.subscribe("news");
    }
    let to_others = |id: &str, data: &str| {
        let message = event("e", &format!(r#"{{"n":{data},"socket":"{id}"}}"#), &format!("\"{id}\""));
        redis.broadcast(&[&prefixed("news")], &message);
    };
    to_others(&sender.id, "1");
    to_others(&stranger.id, "2");
    to_others("not-an-id", "3");
    for n in ["1", "2", "3"] {
        other.expect_event("news", "e", &format!(r#"{{"n":{n}}}"#));
    }
    for n in ["2", "3"] {
        sender.expect_event("news", "e", &format!(r#"{{"n":{n}}}"#));
    }
    stranger.expect_nothing_more();
}

#[test]
fn cache_channels_are_filled_while_nobody_is_connected() {
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    redis.broadcast(&[&prefixed("cache-price")], &event("price", r#"{"eur":1.5}"#, "null"));
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 1.0);
    let mut socket = server.connect();
    socket.subscribe("cache-price");
    socket.expect_event("cache-price", "price", r#"{"eur":1.5}"#);
}

#[test]
fn every_node_delivers_to_its_own_subscribers_so_that_each_gets_an_event_once() {
    let redis = Redis::start();
    let servers = [listening_to(&redis, ""), listening_to(&redis, "")];
    let mut sockets = [servers[0].connect(), servers[1].connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    redis.broadcast(&[&prefixed("news")], &event("first", "{}", "null"));
    redis.broadcast(&[&prefixed("news")], &event("second", "{}", "null"));
    for socket in &mut sockets {
        socket.expect_event("news", "first", "{}");
        socket.expect_event("news", "second", "{}");
        socket.expect_nothing_more();
    }
}

#[test]
fn a_redis_that_is_away_is_told_and_touches_nobody_and_the_feed_resumes() {
    let mut redis = Redis::start();
    let server = listening_to(&redis, "");
    let mut socket = server.connect();
    socket.subscribe("news");
    assert_eq!(server.admin("/ready").body, "ready\n");
    redis.kill();
    let sentence = eventually("the outage is told", || {
        let answer = server.admin("/ready");
        assert_eq!(answer.head.status, 200);
        (answer.body != "ready\n").then_some(answer.body)
    });
    assert!(sentence.starts_with("ready; of 1 Redis feeds 1 are away, the longest since "), "{sentence}");
    server.expect_metric("fanfare_redis_feed_connections_up", 0.0);
    server.api().publish("news", "e", "over HTTP");
    socket.expect_event("news", "e", "over HTTP");
    server.connect();
    redis.restart();
    expect_listening(&server);
    assert_eq!(server.admin("/ready").body, "ready\n");
    redis.broadcast(&[&prefixed("news")], &event("e", "1", "null"));
    socket.expect_event("news", "e", "1");
    server.expect_metric("fanfare_redis_feed_gaps_total", 1.0);
    assert!(server.metric("fanfare_redis_feed_gap_seconds_total") > 0.0);
    server.process.log_line("the gap", |line| {
        (line.contains("what was published meanwhile is lost") && line.contains("seconds=")).then_some(())
    });
}

#[test]
fn a_server_starts_also_while_redis_is_away() {
    let mut redis = Redis::start();
    redis.kill();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"", redis.url());
    let server = Setup::new().config(&feed).start();
    server.process.log_line("the trouble", |line| line.contains("not listening").then_some(()));
    redis.restart();
    expect_listening(&server);
    assert!(Duration::from_secs_f64(server.metric("fanfare_redis_feed_gap_seconds_total")) > Duration::ZERO);
}

#[test]
fn a_prefix_that_redis_refuses_is_told_until_it_is_allowed() {
    let redis = Redis::start();
    redis.says(&[
        "ACL",
        "SETUSER",
        "fanfare",
        "on",
        ">hush",
        "&other_*",
        "-@all",
        "+psubscribe",
        "+punsubscribe",
        "+ping",
    ]);
    let url = redis.url().replace("redis://", "redis://fanfare:hush@");
    let feed = format!("[redis_feed]\nurl = \"{url}\"\nprefix = \"{PREFIX}\"");
    let server = Setup::new().config(&feed).start();
    // The feed is away for a moment before Redis has refused.
    let start = "ready; Redis refuses the channels of prefixes (1 with NOPERM) since ";
    let sentence = eventually("it is told of", || {
        Some(server.admin("/ready")).filter(|answer| answer.body.starts_with(start))
    });
    assert_eq!(sentence.head.status, 200);
    server.expect_metric("fanfare_redis_feed_prefixes_refused{reason=\"NOPERM\"}", 1.0);
    server.expect_metric("fanfare_redis_feed_connections_up", 0.0);
    server.expect_metric("fanfare_redis_feed_connections", 1.0);

    redis.says(&["ACL", "SETUSER", "fanfare", &format!("&{PREFIX}*")]);
    // A refused subscription is retried after eight seconds.
    until("it is allowed", || (server.admin("/ready").body == "ready\n").then_some(()));
    expect_listening(&server);
    server.expect_metric("fanfare_redis_feed_prefixes_refused{reason=\"NOPERM\"}", 0.0);
    let mut socket = server.connect();
    socket.subscribe("news");
    redis.publish(&prefixed("news"), &event("e", "1", "null"));
    socket.expect_event("news", "e", "1");
}
