//! Which app gets the broadcasts of which Redis: apps of the configuration and of the database, and changes of them.

use crate::redis_feed::{event, expect_listening};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, App, OTHER, eventually};
use fanfare_testing::redis::Redis;

/// Waits until this many prefixes of a Redis are subscribed.
fn expect_prefixes(redis: &Redis, count: usize) {
    let wanted = count.to_string();
    eventually(&format!("{count} prefixes"), || (redis.says(&["PUBSUB", "NUMPAT"]) == wanted).then_some(()));
}

fn subscribed(server: &TestServer, app: App) -> crate::support::socket::Socket {
    let mut socket = server.connect_to(app);
    socket.subscribe("news");
    socket
}

fn publish(redis: &Redis, channel: &str, text: &str) {
    redis.publish(channel, &event("e", &format!("\"{text}\""), "null"));
}

#[test]
fn an_app_of_the_database_gets_broadcasts_from_when_it_says_so_until_it_does_not() {
    let redis = Redis::start();
    let url = format!("redis_feed.url={}", redis.url());
    let server = TestServer::with_stored_app(&[&url, "redis_feed.prefix=one_"]);
    expect_prefixes(&redis, 1);
    let mut socket = subscribed(&server, APP);
    publish(&redis, "one_news", "1");
    socket.expect_event("news", "e", "1");
    let connection = redis.says(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    server.commanded(&["app", "update", APP.id, "--set", "redis_feed.prefix=two_"]);
    eventually("the old prefix is left", || (redis.publish("one_news", "x") == 0).then_some(()));
    expect_prefixes(&redis, 1);
    let same = redis.says(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    assert_eq!(same.split(' ').next(), connection.split(' ').next(), "it goes on with the same connection");
    publish(&redis, "two_news", "2");
    socket.expect_event("news", "e", "2");
    server.commanded(&["app", "disable", APP.id]);
    expect_prefixes(&redis, 0);
    server.commanded(&["app", "enable", APP.id]);
    expect_prefixes(&redis, 1);
    server.commanded(&["app", "update", APP.id, "--unset", "redis_feed.url", "--unset", "redis_feed.prefix"]);
    expect_prefixes(&redis, 0);
    server.expect_metric("fanfare_redis_feed_connections", 0.0);
    server.commanded(&["app", "update", APP.id, "--set", &url, "--set", "redis_feed.prefix=three_"]);
    expect_prefixes(&redis, 1);
    server.commanded(&["app", "delete", APP.id, "--yes"]);
    expect_prefixes(&redis, 0);
}

#[test]
fn a_setting_that_changes_holds_for_broadcasts_at_once() {
    let redis = Redis::start();
    let url = format!("redis_feed.url={}", redis.url());
    let server = TestServer::with_stored_app(&[&url, "redis_feed.prefix=a_"]);
    expect_prefixes(&redis, 1);
    server.commanded(&["app", "update", APP.id, "--set", "limits.event_bytes=10"]);
    eventually("the limit holds", || {
        publish(&redis, "a_news", "more than ten bytes");
        (server.metric("fanfare_redis_feed_dropped_total{app=\"3\",reason=\"too_large\"}") > 0.0)
            .then_some(())
    });
}

#[test]
fn an_app_of_the_database_that_nobody_uses_has_its_cache_channels_filled_after_a_restart() {
    let redis = Redis::start();
    let url = format!("redis_feed.url={}", redis.url());
    let folder = TestServer::with_stored_app(&[&url, "redis_feed.prefix=a_"]).stop();
    expect_prefixes(&redis, 0);
    let server = Setup::bare().in_folder(folder).start();
    expect_prefixes(&redis, 1);
    publish(&redis, "a_cache-price", "1.50");
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 1.0);
    let mut socket = server.connect();
    socket.subscribe("cache-price");
    socket.expect_event("cache-price", "e", "1.50");
}

#[test]
fn without_any_configuration_the_first_app_gets_the_nodes_broadcasts() {
    let redis = Redis::start();
    let server = Setup::bare()
        .env("FANFARE__REDIS_FEED__URL", &redis.url())
        .env("FANFARE__REDIS_FEED__PREFIX", "laravel-database-")
        .start();
    expect_prefixes(&redis, 1);
    publish(&redis, "laravel-database-cache-a", "1");
    eventually("it is published", || {
        server.admin("/metrics").body.contains("fanfare_events_published_total{app=").then_some(())
    });
}

#[test]
fn apps_of_one_redis_share_a_connection_and_each_gets_what_is_its_own() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"", redis.url());
    let server = Setup::bare()
        .config(&feed)
        .app(APP, "redis_feed = { prefix = \"shop_\" }")
        .app(OTHER, "redis_feed = { prefix = \"shop_de_\" }")
        .start();
    expect_listening(&server);
    expect_prefixes(&redis, 2);
    assert_eq!(redis.says(&["CLIENT", "LIST", "TYPE", "pubsub"]).lines().count(), 1);
    let (mut shop, mut german) = (subscribed(&server, APP), subscribed(&server, OTHER));
    shop.subscribe("de_news");
    publish(&redis, "shop_news", "1");
    publish(&redis, "shop_de_news", "2");
    publish(&redis, "shop_news", "3");
    shop.expect_event("news", "e", "1");
    shop.expect_event("news", "e", "3");
    german.expect_event("news", "e", "2");
    german.expect_nothing_more();
}

#[test]
fn of_two_apps_of_the_database_with_one_prefix_the_smaller_id_gets_everything() {
    let redis = Redis::start();
    let url = format!("redis_feed.url={}", redis.url());
    let server = Setup::bare().start();
    for (id, key) in [("44", "key-44"), ("3", "key-3")] {
        let secret = server.folder().join("secret");
        std::fs::write(&secret, "secret").expect("the folder can be written to");
        let words = ["app", "create", "--id", id, "--key", key, "--secret-file", "secret"];
        server.commanded(&[&words[..], &["--set", &url, "--set", "redis_feed.prefix=a_"]].concat());
    }
    server.process.log_line("the warning", |line| {
        let is_it = line.contains("two apps have the same Redis and prefix");
        (is_it && line.contains("app=\"3\"") && line.contains("other=\"44\"")).then_some(())
    });
    let mut first = subscribed(&server, App { id: "3", key: "key-3", secret: "secret" });
    let mut second = subscribed(&server, App { id: "44", key: "key-44", secret: "secret" });
    publish(&redis, "a_news", "1");
    first.expect_event("news", "e", "1");
    second.expect_nothing_more();
    server.commanded(&["app", "disable", "3"]);
    eventually("the other gets it", || {
        publish(&redis, "a_news", "2");
        (server.metric("fanfare_events_published_total{app=\"44\"}") > 0.0).then_some(())
    });
    second.expect_event("news", "e", "2");
}

#[test]
fn the_nodes_broadcasts_can_be_for_an_app_of_the_database() {
    let redis = Redis::start();
    let config = format!(
        "[apps]\ndatabase = \"sqlite\"\n[redis_feed]\nurl = \"{}\"\nprefix = \"a_\"\napp = \"3\"",
        redis.url()
    );
    let server = Setup::bare().config(&config).start();
    assert_eq!(server.create_app(&[], &[("FANFARE__APPS__DATABASE", "sqlite")]).status, 0);
    expect_prefixes(&redis, 1);
    let mut socket = subscribed(&server, APP);
    publish(&redis, "a_news", "1");
    socket.expect_event("news", "e", "1");
}
