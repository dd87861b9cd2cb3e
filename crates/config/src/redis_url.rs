//! The URL of a Redis in its given form, and in its masked form for operators.

use fanfare_protocol::app::RedisUrl;
use fanfare_redis::RedisAddress;
use serde_json::{Map, Value};

/// The mask of a URL that cannot be read.
const MASK: &str = "***";

/// Faults of the URL among an app's settings; the setting itself is checked for all else.
#[must_use]
pub fn redis_url_faults(settings: &Map<String, Value>) -> Vec<String> {
    let url = settings.get("redis_feed").and_then(|feed| feed.get("url")).and_then(Value::as_str);
    let fault = url.and_then(|url| RedisAddress::parse(url).err());
    fault.map(|fault| format!("redis_feed.url: {fault}")).into_iter().collect()
}

/// The URL without user and password.
#[must_use]
pub fn shown_url(url: &RedisUrl) -> String {
    RedisAddress::parse(url.expose()).map_or_else(|_| MASK.to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_url_is_shown_without_user_and_password_and_what_is_none_not_at_all() {
        let shown = |text: &str| shown_url(&RedisUrl::new(text.to_owned()));
        assert_eq!(shown("redis://user:hush@db/1"), "redis://***@db:6379");
        assert_eq!(shown("redis://hush:hush"), "***");
    }

    #[test]
    fn a_url_that_is_none_is_a_fault_that_does_not_repeat_it() {
        let faults = |settings: Value| redis_url_faults(settings.as_object().unwrap());
        for fine in
            [json!({}), json!({"redis_feed": {"prefix": "a_"}}), json!({"redis_feed": {"url": "redis://h"}})]
        {
            assert_eq!(faults(fine), [""; 0]);
        }
        // A wrong type is reported where the setting is checked.
        for other in
            [json!({"redis_feed": null}), json!({"redis_feed": {"url": null}}), json!({"redis_feed": 7})]
        {
            assert_eq!(faults(other), [""; 0]);
        }
        let found = faults(json!({"redis_feed": {"url": "redis://hush"}}));
        assert_eq!(found.len(), 0, "a host may be called so");
        let found = faults(json!({"redis_feed": {"url": "redis://user:hush"}}));
        assert!(
            found[0].starts_with("redis_feed.url: a host of the Redis URL") && !found[0].contains("hush")
        );
    }
}
