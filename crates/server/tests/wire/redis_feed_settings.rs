//! Faults of `redis_feed` in the configuration: reported at the start, with advice.

use crate::support::setup::Setup;
use crate::support::{APP, App, OTHER};

#[track_caller]
fn expect_fault(setup: &Setup, fault: &str) {
    let ended = setup.run();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    let faults: Vec<&str> =
        ended.stderr.lines().filter(|line| line.starts_with("fanfare: fault: ")).collect();
    assert!(faults.len() == 1 && faults[0].contains(fault), "{fault} is not {faults:?}");
    assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
}

fn node(lines: &str) -> Setup {
    Setup::new().config(&format!("[redis_feed]\n{lines}"))
}

#[test]
fn a_feed_of_the_node_needs_a_url_a_prefix_and_an_app() {
    expect_fault(&node("url = \"redis://h\""), "redis_feed.prefix is not set; write what Laravel has as");
    expect_fault(&node("prefix = \"a_\""), "redis_feed.prefix is set, but there is no Redis to listen to");
    expect_fault(&node("app = \"3\""), "redis_feed.app is set, but there is no Redis to listen to");
    let both = "url = \"redis://h\"\nprefix = \"a_\"";
    expect_fault(&node(both).app(OTHER, ""), "redis_feed.app is empty, and there is not exactly one app");
    expect_fault(&node(&format!("{both}\napp = \"7\"")), "redis_feed.app: there is no app 7");
    expect_fault(
        &node(&format!("{both}\napp = \"no shop\"")),
        "redis_feed.app must be the id of an app, or empty",
    );
}

#[test]
fn a_url_that_is_none_is_told_without_repeating_it() {
    expect_fault(
        &node("url = \"redis://user:hush\"\nprefix = \"a_\""),
        "redis_feed.url: a host of the Redis URL",
    );
    expect_fault(
        &Setup::with_app("redis_feed = { url = \"hush://h\", prefix = \"a_\" }"),
        "apps.list[1].redis_feed.url: not the URL of a Redis",
    );
    let variable = Setup::new().env("FANFARE__REDIS_FEED__URL", "redis://hush@h");
    expect_fault(&variable.env("FANFARE__REDIS_FEED__PREFIX", ""), "user and password of the Redis URL");
}

#[test]
fn an_app_needs_a_prefix_and_a_redis_and_shares_neither() {
    expect_fault(
        &Setup::with_app("redis_feed = { url = \"redis://h\" }"),
        "apps.list[1].redis_feed.prefix is not set",
    );
    expect_fault(
        &Setup::with_app("redis_feed = { prefix = \"a_\" }"),
        "apps.list[1].redis_feed.prefix is set, but there is no Redis to listen to; \
         set redis_feed.url or apps.list[1].redis_feed.url",
    );
    let same = "redis_feed = { url = \"redis://h/1\", prefix = \"a_\" }";
    expect_fault(
        &Setup::with_app(same).app(App { id: "44", ..OTHER }, &same.replace("/1", ":6379/2")),
        "apps.list[2] has the same Redis and prefix as apps.list[1]",
    );
    let of_the_node =
        "[apps]\nallow_private = false\n[redis_feed]\nurl = \"redis://h\"\nprefix = \"a_\"\napp = \"44\"";
    expect_fault(
        &Setup::with_app(same).app(App { id: "44", ..OTHER }, "").config(of_the_node),
        "apps.list[2] has the same Redis and prefix as apps.list[1]",
    );
    let long = format!("redis_feed = {{ url = \"redis://h\", prefix = \"{}\" }}", "x".repeat(201));
    expect_fault(
        &Setup::with_app(&long),
        "apps.list[1].redis_feed.prefix must be a text of at most 200 bytes",
    );
    assert_eq!(APP.id, "3");
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_told() {
    expect_fault(
        &node("ca_file = \"missing.pem\""),
        "redis_feed.ca_file, missing.pem: no certificates can be read",
    );
}
