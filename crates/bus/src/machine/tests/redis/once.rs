//! Publishes with an idempotency key: the script on a real Redis.

use super::Server;
use crate::scripts::RedisValue;

const SCRIPT: &str = include_str!("../../../lua/once.lua");

/// Keys for five minutes, under way for ten seconds, and so many bytes.
struct Keys {
    server: Server,
    most: &'static str,
}

impl Keys {
    fn say(&mut self, now: u64, what: &str, (key, fingerprint): (&str, char), more: &str) -> String {
        let (now, fingerprint) = (now.to_string(), fingerprint.to_string().repeat(16));
        let words = ["EVAL", SCRIPT, "2", "{1}once", "{1}once-at", &now, what, key, &fingerprint, more];
        match self.server.say(&[&words[..], &["300000", "10000", self.most]].concat()) {
            RedisValue::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn api_022_and_api_023_on_a_real_redis_a_key_is_taken_answered_again_and_free_again() {
    let mut keys = Keys { server: Server::start(), most: "100000" };
    assert_eq!(keys.say(1_000, "begin", ("k", 'a'), "n1:1"), "new");
    assert_eq!(keys.say(1_000, "begin", ("k", 'a'), "n2:1"), "busy");
    assert_eq!(keys.say(1_000, "begin", ("k", 'b'), "n2:1"), "other");
    assert_eq!(keys.say(1_000, "forget", ("k", 'a'), "n2:1"), "OK");
    assert_eq!(
        keys.say(1_000, "begin", ("k", 'a'), "n2:2"),
        "busy",
        "who has not got it cannot give it back"
    );
    keys.say(1_000, "forget", ("k", 'a'), "n1:1");
    assert_eq!(keys.say(2_000, "begin", ("k", 'b'), "n2:3"), "new");
    // A node that died with it has held it for long enough.
    assert_eq!(keys.say(11_999, "begin", ("k", 'b'), "n1:2"), "busy");
    assert_eq!(keys.say(12_000, "begin", ("k", 'b'), "n1:2"), "new");
    keys.say(12_100, "end", ("k", 'b'), "first\0{}");
    assert_eq!(keys.say(311_999, "begin", ("k", 'b'), "n1:3"), "again299999first\0{}");
    assert_eq!(keys.say(311_999, "begin", ("k", 'a'), "n1:3"), "other");
    assert_eq!(keys.say(312_000, "begin", ("k", 'a'), "n1:3"), "new", "five minutes after the first");
    // What was said too late is remembered all the same.
    keys.say(313_000, "end", ("late", 'a'), "answer");
    assert_eq!(keys.say(313_001, "begin", ("late", 'a'), "n1:4"), "again     1answer");
}

#[test]
fn api_024_on_a_real_redis_the_oldest_keys_go_when_there_is_no_room_and_all_go_in_time() {
    let mut keys = Keys { server: Server::start(), most: "10000" };
    for number in 0..1_000_u64 {
        assert_eq!(keys.say(1_000 + number, "begin", (&format!("k{number}"), 'a'), "n1:1"), "new");
    }
    let number = |keys: &mut Keys, words: &[&str]| match keys.server.say(words) {
        RedisValue::Number(number) => number,
        RedisValue::Text(text) => std::str::from_utf8(&text).unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    };
    let left = number(&mut keys, &["ZCARD", "{1}once-at"]);
    assert!((30..50).contains(&left), "{left}");
    assert_eq!(number(&mut keys, &["HLEN", "{1}once"]), left + 1);
    assert!(number(&mut keys, &["HGET", "{1}once", ""]) <= 10_000);
    assert_eq!(keys.say(2_100, "begin", ("k999", 'a'), "n1:1"), "busy", "the newest are kept");
    assert_eq!(keys.say(2_100, "begin", ("k0", 'a'), "n1:1"), "new", "the oldest are not");
    assert_eq!(keys.say(2_100, "end", ("large", 'a'), &"x".repeat(20_000)), "OK");
    assert_eq!(number(&mut keys, &["HEXISTS", "{1}once", "large"]), 0, "what is larger than all is not kept");
    assert_eq!(number(&mut keys, &["ZCARD", "{1}once-at"]), left, "and takes nobody's place");
    assert!(number(&mut keys, &["PTTL", "{1}once"]) > 0);
    keys.say(3_000, "begin", ("k", 'a'), "n1:1");
    assert_eq!(keys.say(400_000, "begin", ("l", 'a'), "n1:1"), "new");
    assert_eq!(number(&mut keys, &["ZCARD", "{1}once-at"]), 1, "what is over is removed");
    assert_eq!(number(&mut keys, &["HGET", "{1}once", ""]), 200 + 1 + 16 + 4);
}
