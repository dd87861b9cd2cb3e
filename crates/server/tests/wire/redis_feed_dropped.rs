//! Messages of Redis that are dropped: counted by reason, logged without a payload, and never blocking others.

use crate::redis_feed::{PREFIX, event, expect_listening, listening_to, prefixed};
use crate::support::APP;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use fanfare_testing::redis::Redis;

fn dropped(server: &TestServer, reason: &str) -> f64 {
    server.metric(&format!("fanfare_redis_feed_dropped_total{{app=\"3\",reason=\"{reason}\"}}"))
}

/// An app's messages arrive in order: the marker shows that nothing came before.
fn expect_only_marker(redis: &Redis, socket: &mut Socket, channel: &str) {
    redis.publish(&prefixed(channel), &event("marker", "0", "null"));
    socket.expect_event(channel, "marker", "0");
}

#[test]
fn a_wrong_prefix_delivers_nothing_under_any_name() {
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    let mut socket = server.connect();
    for channel in ["news", "laravel-database-news", "laravel_database_news"] {
        socket.subscribe(channel);
    }
    for channel in ["laravel-database-news", "news", "laravel_databas", "xlaravel_database_news"] {
        assert_eq!(redis.publish(channel, &event("e", "1", "null")), 0, "{channel}");
    }
    expect_only_marker(&redis, &mut socket, "news");
}

#[test]
fn a_prefix_that_is_too_short_does_not_make_private_channels_public() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"\"", redis.url());
    let server = Setup::new().config(&feed).start();
    expect_listening(&server);
    let mut socket = server.connect();
    for channel in ["laravel_database_private-a", "laravel-database-presence-a", "news"] {
        socket.subscribe(channel);
    }
    for channel in ["laravel_database_private-a", "laravel-database-presence-a"] {
        redis.publish(channel, &event("e", "\"confidential\"", "null"));
    }
    redis.publish("news", &event("marker", "0", "null"));
    socket.expect_event("news", "marker", "0");
    assert!((dropped(&server, "prefix") - 2.0).abs() < 0.5);
    server.process.log_line("the fault", |line| {
        line.contains("prefix seems to be longer than redis_feed.prefix").then_some(())
    });
    assert!(!server.process.stderr().contains("confidential"));
}

#[test]
fn what_phpredis_has_packed_is_dropped_with_the_name_of_the_option() {
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    let mut socket = server.connect();
    socket.subscribe("news");
    let plain = event("e", "\"confidential\"", "null");
    let serialized =
        [format!("s:{}:\"{plain}\";", plain.len()), serde_json::Value::from(&*plain).to_string()];
    for message in &serialized {
        redis.publish(&prefixed("news"), message);
    }
    // LZF begins with a run of 32 literal bytes.
    redis.publish(&prefixed("news"), &format!("\u{1f}{plain}"));
    expect_only_marker(&redis, &mut socket, "news");
    server.expect_metric("fanfare_redis_feed_dropped_total{app=\"3\",reason=\"serialized\"}", 2.0);
    server.expect_metric("fanfare_redis_feed_dropped_total{app=\"3\",reason=\"compressed\"}", 1.0);
    for option in ["database.redis.options.serializer", "database.redis.options.compression"] {
        server.process.log_line(option, |line| line.contains(option).then_some(()));
        assert_eq!(server.process.stderr().matches(option).count(), 1, "once a minute");
    }
    assert!(!server.process.stderr().contains("confidential"));
}

#[test]
fn encrypted_channels_and_the_protocols_own_events_are_not_delivered() {
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    let mut socket = server.connect();
    socket.join_any("private-encrypted-a");
    socket.subscribe("news");
    redis.publish(&prefixed("private-encrypted-a"), &event("e", "\"in clear\"", "null"));
    for name in ["pusher:error", "pusher_internal:member_added", "fanfare:resumed"] {
        redis.publish(&prefixed("news"), &event(name, "{}", "null"));
    }
    expect_only_marker(&redis, &mut socket, "news");
    socket.expect_nothing_more();
    assert!((dropped(&server, "encrypted") - 1.0).abs() < 0.5);
    assert!((dropped(&server, "reserved_event") - 3.0).abs() < 0.5);
    assert!(!server.process.stderr().contains("in clear"));
}

#[test]
fn what_the_http_api_would_refuse_is_dropped_and_counted_by_reason() {
    let redis = Redis::start();
    let app = "messages_per_day = 2\nlimits = { event_bytes = 100, event_name = 10, channel_name = 20 }";
    let setup = Setup::bare().app(APP, app).config("[limits]\nrequest_bytes = 20000");
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"", redis.url());
    let server = setup.config(&feed).start();
    expect_listening(&server);
    let mut socket = server.connect();
    socket.subscribe("news");
    let publish = |channel: &str, message: &str| redis.publish(&prefixed(channel), message);
    let large = |bytes: usize| event("e", &format!("\"{}\"", "x".repeat(bytes)), "null");
    publish("news", &large(100));
    socket.expect_event("news", "e", &"x".repeat(100));
    for message in [large(101), large(30_000)] {
        publish("news", &message);
    }
    for message in [event("", "1", "null"), event("ten-letters", "1", "null")] {
        publish("news", &message);
    }
    for channel in ["a b", "", "#news", &"x".repeat(21), "caf\u{e9}"] {
        publish(channel, &event("e", "1", "null"));
    }
    for message in ["hello", "[]", "{}", r#"{"event":7}"#, r#"{"event":"e""#] {
        publish("news", message);
    }
    publish("news", &event("e", "2", "null"));
    publish("news", &event("e", "3", "null"));
    socket.expect_event("news", "e", "2");
    let counts = [
        ("too_large", 2.0),
        ("event_name", 2.0),
        ("channel_name", 5.0),
        ("not_a_broadcast", 5.0),
        ("over_quota", 1.0),
    ];
    for (reason, count) in counts {
        let name = format!("fanfare_redis_feed_dropped_total{{app=\"3\",reason=\"{reason}\"}}");
        server.expect_metric(&name, count);
    }
    server.expect_metric("fanfare_redis_feed_messages_total{app=\"3\"}", 17.0);
    socket.expect_nothing_more();
    let log = server.process.stderr();
    assert_eq!(log.matches("reason=\"channel_name\"").count(), 1, "once a minute: {log}");
    assert!(!log.contains("xxxxx") || !log.contains("hello"), "{log}");
}

#[test]
fn a_flood_of_what_is_no_event_is_in_nobodys_way() {
    const FLOOD: usize = 30_000;
    let redis = Redis::start();
    let server = listening_to(&redis, "");
    let (mut socket, mut api) = (server.connect(), server.api());
    socket.subscribe("news");
    let script = "for i = 1, tonumber(ARGV[1]) do redis.call('publish', ARGV[2], ARGV[3]) end";
    let noise = format!(r#"{{"no":"event","padding":"{}"}}"#, "x".repeat(200));
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            for _ in 0..10 {
                redis.says(&["EVAL", script, "0", &(FLOOD / 10).to_string(), &prefixed("horizon"), &noise]);
            }
        });
        let mut number = 0;
        while !flood.is_finished() || number < 20 {
            api.publish("news", "e", &number.to_string());
            socket.expect_event("news", "e", &number.to_string());
            number += 1;
        }
    });
    server.expect_metric("fanfare_redis_feed_messages_total{app=\"3\"}", FLOOD as f64);
    // The other messages did not fit into the queue.
    let all = || dropped(&server, "not_a_broadcast") + dropped(&server, "queue_full");
    crate::support::eventually("each is counted", || ((all() - FLOOD as f64).abs() < 0.5).then_some(()));
    expect_only_marker(&redis, &mut socket, "news");
}
