//! A look at all channels of a real Redis: which prefixes applications use there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use fanfare_laravel::feed::{Seen, watch};
use fanfare_outgoing::Trust;
use fanfare_redis::RedisAddress;
use fanfare_testing::redis::Redis;
use fanfare_testing::until;

/// In the form of Laravel 12.
const EVENT: &str =
    r#"{"event":"App\\Events\\Message","data":{"text":"x\/\u00fc","socket":null},"socket":null}"#;

#[test]
fn a_look_at_everything_tells_which_prefixes_there_are() {
    let redis = Redis::start();
    let address = RedisAddress::parse(&redis.url()).unwrap();
    let looking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(watch(&address, &Trust::public(), Duration::from_secs(2)))
    });
    until("somebody looks", || (redis.publish("laravel-database-private-a", EVENT) > 0).then_some(()));
    redis.publish("laravel-database-news", "no event");
    let seen = looking.join().unwrap().unwrap();
    let expected = Seen { broadcasts: 1, others: 1, packed: None };
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [("laravel-database-".to_owned(), expected)]);
}
