//! Which messages reach a subscriber, and how often.

use crate::support::{LONGEST, Listening, Told};
use fanfare_testing::redis::Redis;
use fanfare_testing::until;

/// In the form of Laravel 12.
const EVENT: &str =
    r#"{"event":"App\\Events\\Message","data":{"text":"x\/\u00fc","socket":null},"socket":null}"#;

#[test]
fn what_laravel_publishes_to_several_channels_comes_once_for_each_of_them_byte_for_byte() {
    let redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["laravel_database_"]);
    feed.expect(&Told::Subscribed { port: redis.port, gap: None });
    redis.broadcast(&["laravel_database_a", "laravel_database_private-b"], EVENT);
    feed.expect_message("laravel_database_a", EVENT);
    feed.expect_message("laravel_database_private-b", EVENT);
    assert_eq!(redis.publish("laravel-database-a", EVENT), 0, "nobody has asked for another prefix");
}

#[test]
fn a_prefix_means_itself_whatever_characters_it_has() {
    let redis = Redis::start();
    let prefix = r"a*b?[c-d]\";
    let feed = Listening::to(&redis.url(), &[prefix]);
    feed.subscribed();
    for other in [r"axb?[c-d]\x", r"a*bx[c-d]\x", r"a*b?c\x", r"a*b?[c-d]x"] {
        assert_eq!(redis.publish(other, "m"), 0, "{other}");
    }
    assert_eq!(redis.publish(&format!("{prefix}x"), "m"), 1);
    feed.expect_message(&format!("{prefix}x"), "m");
}

#[test]
fn a_message_that_belongs_to_several_prefixes_comes_once() {
    let redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["", "shop_", "shop_de_"]);
    feed.subscribed();
    assert_eq!(redis.publish("shop_de_a", "1"), 3, "Redis sends it for each pattern");
    redis.publish("shop_a", "2");
    redis.publish("a", "3");
    feed.expect_message("shop_de_a", "1");
    feed.expect_message("shop_a", "2");
    feed.expect_message("a", "3");
}

#[test]
fn prefixes_come_and_go_while_others_are_listened_to() {
    let redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["a_"]);
    feed.subscribed();
    feed.want(&["a_", "b_"]);
    until("b_ is listened to", || (redis.publish("b_x", "new") > 0).then_some(()));
    feed.expect_message("b_x", "new");
    feed.want(&["b_"]);
    until("a_ is not listened to", || (redis.publish("a_x", "old") == 0).then_some(()));
    redis.publish("b_x", "last");
    let channel = feed.find("the last message", |told| match told {
        Told::Message(channel, text) if text == "last" => Some(channel),
        Told::Message(channel, _) => {
            assert_eq!(channel, "a_x");
            None
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(channel, "b_x");
}

#[test]
fn a_message_over_the_bound_is_told_of_and_passed_over() {
    let redis = Redis::start();
    let feed = Listening::to(&redis.url(), &["a_"]);
    feed.subscribed();
    let longest = "x".repeat(usize::try_from(LONGEST).unwrap());
    redis.publish("a_x", &longest);
    redis.publish("a_x", &format!("{longest}x"));
    redis.publish("a_x", "after");
    feed.expect_message("a_x", &longest);
    feed.expect(&Told::TooLong("a_x".into(), LONGEST + 1));
    feed.expect_message("a_x", "after");
}
