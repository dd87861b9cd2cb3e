//! Redis killed, hung and restarted: the feed reconnects by itself and reports the outage's length.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fanfare_outgoing::Trust;
use fanfare_redis::{Connector, Host, RedisAddress, RedisError};
use tokio::io::AsyncWriteExt;

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

#[tokio::test]
async fn cl_112_what_was_not_sent_when_a_connection_is_given_up_never_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = RedisAddress::parse(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
    let connector = Connector::new(&address, &Trust::public(), 1_000);
    let host = Host { name: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let mut stream = connector.stream(&host).await.unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    stream.write_all(b"said").await.unwrap();
    drop(stream);
    // Closed in order, everything would be sent before.
    let error = peer.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
