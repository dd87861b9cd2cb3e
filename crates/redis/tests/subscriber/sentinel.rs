//! Sentinels: the feed asks them for the master, and asks again.

use fanfare_redis::RedisError;

use crate::support::{Listening, Told};
use fanfare_testing::redis::{Guarded, Redis, free_port};
use fanfare_testing::until;

/// A master, its replica, and a Sentinel that knows both.
fn guarded() -> (Redis, Redis, Redis) {
    let master = Redis::start();
    let replica = Redis::with(&format!("replicaof 127.0.0.1 {}\n", master.port));
    let sentinel = Redis::sentinel(master.port);
    until("the Sentinel knows the replica", || {
        let replicas = sentinel.says(&["SENTINEL", "replicas", "main"]);
        (replicas.contains(&replica.port.to_string()) && replicas.contains("master-link-status\nok"))
            .then_some(())
    });
    (master, replica, sentinel)
}

fn expect_subscription_at(feed: &Listening, wanted: u16) {
    let gap = feed.find("a subscription at the new master", |told| match told {
        Told::Subscribed { port, gap } if port == wanted => Some(gap),
        _ => None,
    });
    assert!(gap.is_some());
}

#[test]
fn when_the_master_dies_the_next_one_is_subscribed_to() {
    let mut guarded = Guarded::start(1);
    // One of several Sentinels may be dead itself.
    let url = guarded.url().replace("://", &format!("://127.0.0.1:{},", free_port()));
    let feed = Listening::to(&url, &["a_"]);
    assert_eq!(feed.subscribed(), (guarded.servers[0].port, None));
    guarded.servers[0].kill();
    let replica = &guarded.servers[1];
    expect_subscription_at(&feed, replica.port);
    replica.publish("a_x", "m");
    feed.find("the message", |told| matches!(told, Told::Message(..)).then_some(()));
}

#[test]
fn a_master_that_is_replaced_while_it_lives_is_left() {
    let (master, replica, sentinel) = guarded();
    let feed = Listening::to(&format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port), &["a_"]);
    assert_eq!(feed.subscribed(), (master.port, None));
    sentinel.says(&["SENTINEL", "failover", "main"]);
    expect_subscription_at(&feed, replica.port);
}

#[test]
fn a_master_that_no_sentinel_knows_is_told_by_its_name() {
    let (_master, _replica, sentinel) = guarded();
    let feed = Listening::to(&format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port), &["a_"]);
    assert_eq!(feed.away(), RedisError::NoMaster("other".into()));
}

#[test]
fn a_master_that_lives_on_unnamed_is_left_for_the_one_that_is_named() {
    let (old, new) = (Redis::start(), Redis::start());
    let sentinel = Redis::sentinel(old.port);
    let feed = Listening::to(&format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port), &["a_"]);
    assert_eq!(feed.subscribed(), (old.port, None));
    sentinel.says(&["SENTINEL", "REMOVE", "main"]);
    sentinel.says(&["SENTINEL", "MONITOR", "main", "127.0.0.1", &new.port.to_string(), "1"]);
    assert_eq!(feed.away(), RedisError::Moved);
    expect_subscription_at(&feed, new.port);
    until("the old one is left", || (old.publish("a_x", "m") == 0).then_some(()));
}
