//! Servers that require a log-in, and grant users different rights.

use fanfare_redis::RedisError;

use crate::support::{Listening, Told};
use fanfare_testing::redis::Redis;
use fanfare_testing::until;

/// The rights that docs/laravel-redis.md asks for, and an operator with all rights.
const USERS: &str = "\
    user default off\n\
    user operator on >all-rights ~* &* +@all\n\
    user fanfare on >hush:@/ resetkeys resetchannels &laravel_database_* -@all +psubscribe +punsubscribe +ping\n";

fn with_users() -> Redis {
    Redis::with(USERS).log_in_with(&["--user", "operator", "--pass", "all-rights", "--no-auth-warning"])
}

fn url_of(redis: &Redis, log_in: &str) -> String {
    format!("redis://{log_in}@127.0.0.1:{}", redis.port)
}

#[test]
fn a_user_with_the_rights_that_the_docs_ask_for_gets_everything() {
    let redis = with_users();
    let feed = Listening::to(&url_of(&redis, "fanfare:hush%3A%40%2F"), &["laravel_database_"]);
    feed.expect(&Told::Subscribed { port: redis.port, gap: None });
    redis.broadcast(&["laravel_database_a"], "m");
    feed.expect_message("laravel_database_a", "m");
    feed.want(&["laravel_database_b"]);
    until("it can also stop listening", || (redis.publish("laravel_database_a", "m") == 0).then_some(()));
}

#[test]
fn a_wrong_password_is_told_as_such_and_not_repeated() {
    let redis = with_users();
    for log_in in ["fanfare:hush-hush", "nobody:hush-hush", ":hush-hush"] {
        let error = Listening::to(&url_of(&redis, log_in), &["laravel_database_"]).away();
        assert!(matches!(&error, RedisError::LogIn { code, .. } if code == "WRONGPASS"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    }
}

#[test]
fn a_server_that_wants_a_password_gets_the_one_of_its_url() {
    let redis = Redis::with("requirepass hush-hush\n").log_in_with(&["-a", "hush-hush", "--no-auth-warning"]);
    let feed = Listening::to(&url_of(&redis, ":hush-hush"), &["a_"]);
    feed.subscribed();
    redis.publish("a_x", "m");
    feed.expect_message("a_x", "m");
    let error = Listening::to(&redis.url(), &["a_"]).away();
    assert_eq!(error.to_string(), "Redis says: NOAUTH Authentication required.");
}

#[test]
fn a_prefix_that_may_not_be_listened_to_is_told_and_does_not_stand_in_the_way_of_others() {
    let redis = with_users();
    let feed = Listening::to(&url_of(&redis, "fanfare:hush%3A%40%2F"), &["laravel_database_", "other_"]);
    let error = feed.find("the refusal", |told| match told {
        Told::Refused(prefix, error) if prefix == "other_" => Some(error),
        _ => None,
    });
    assert!(error.to_string().starts_with("Redis says: NOPERM"), "{error}");
    feed.subscribed();
    redis.publish("laravel_database_a", "m");
    feed.find("the message", |told| matches!(told, Told::Message(..)).then_some(()));
    redis.says(&["ACL", "SETUSER", "fanfare", "&other_*"]);
    feed.find("the grant", |told| matches!(told, Told::Granted(prefix) if prefix == "other_").then_some(()));
    until("it is listened to once that is allowed", || (redis.publish("other_x", "m") > 0).then_some(()));
}
