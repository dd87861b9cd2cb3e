//! What is legal in a configuration, and most likely not what its author wants.
//!
//! Told at the start, by `--check` and by the doctor; never refuses anything.

use super::effective::Effective;
use super::redis_feed::RedisFeedSection;

/// Times of `[webhooks]` that look like seconds where milliseconds are meant: the key, and what is shorter than that.
const SHORT: [(&str, usize); 3] =
    [("webhooks.timeout", 100), ("webhooks.retry", 10), ("webhooks.give_up", 1000)];

/// A sentence for each.
pub(super) fn of(effective: &Effective, feed: &RedisFeedSection) -> Vec<String> {
    let mut all: Vec<String> =
        SHORT.iter().filter_map(|(key, least)| short(effective, key, *least)).collect();
    all.extend(feed_for_nobody(effective, feed));
    all
}

fn short(effective: &Effective, key: &str, least: usize) -> Option<String> {
    let count = effective.count(key).filter(|count| *count < least)?;
    Some(format!(
        "{key} is {count} milliseconds, which is too short for most; a bare number is in milliseconds, so write \
         \"{count}s\" for seconds"
    ))
}

/// A Redis that no app is known to get broadcasts from; apps of a database may have a prefix of their own.
fn feed_for_nobody(effective: &Effective, feed: &RedisFeedSection) -> Option<String> {
    let is_for_nobody = feed.address.is_some() && feed.prefix.is_none() && feed.app.is_none();
    (is_for_nobody && !effective.is_faulty("redis_feed.url")).then(|| {
        "redis_feed.url is set without redis_feed.prefix: broadcasts reach only apps of the database that have a \
         redis_feed.prefix of their own. For all others set redis_feed.prefix to what Laravel has as \
         database.redis.options.prefix, often laravel_database_ or laravel-database-"
            .to_owned()
    })
}
