//! Redis killed, hung and restarted: the feed reconnects by itself and reports the outage's length.

use std::thread::sleep;
use std::time::{Duration, Instant};

use fanfare_redis::RedisError;

use crate::support::{Listening, Told};
use fanfare_testing::redis::Redis;

#[test]
fn a_redis_that_is_killed_and_restarted_is_subscribed_to_again_and_the_gap_is_told() {
    let mut redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["a_"]);
    feed.subscribed();
    let before = Instant::now();
    redis.kill();
    let error = feed.away();
    assert!(matches!(error, RedisError::Closed | RedisError::Lost(_)), "{error}");
    assert!(matches!(feed.away(), RedisError::Unreachable { .. }));
    redis.restart();
    let (port, gap) = feed.subscribed();
    assert_eq!(port, redis.port);
    let gap = gap.unwrap();
    assert!(gap <= before.elapsed() && gap > Duration::ZERO, "{gap:?}");
    redis.publish("a_x", "after");
    feed.expect_message("a_x", "after");
}

#[test]
fn a_redis_that_is_down_for_longer_than_ten_seconds_is_subscribed_to_again() {
    let mut redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["a_"]);
    feed.subscribed();
    redis.kill();
    feed.away();
    // The outage itself: some libraries give up within this time.
    let outage = Duration::from_secs(11);
    sleep(outage);
    redis.restart();
    let (_, gap) = feed.subscribed();
    assert!(gap.unwrap() >= outage, "{gap:?}");
    redis.publish("a_x", "after");
    feed.expect_message("a_x", "after");
}

#[test]
fn a_redis_that_is_away_at_first_is_a_gap_as_well() {
    let mut redis = Redis::start();
    redis.kill();
    let feed = Listening::to(&redis.url(), &["a_"]);
    assert!(matches!(feed.away(), RedisError::Unreachable { .. }));
    redis.restart();
    assert!(feed.subscribed().1.is_some());
}

#[test]
fn a_redis_that_hangs_is_noticed_by_its_silence() {
    let redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["a_"]);
    feed.subscribed();
    redis.signal("STOP");
    assert_eq!(feed.away(), RedisError::Silent);
    redis.signal("CONT");
    assert!(feed.subscribed().1.is_some());
    redis.publish("a_x", "after");
    feed.find("the message", |told| matches!(told, Told::Message(..)).then_some(()));
}
