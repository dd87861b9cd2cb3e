//! What is legal in a configuration, and most likely not what its author wants.
//!
//! Told at the start, by `--check` and by the doctor; never refuses anything.

use super::apps::FixedApp;
use super::effective::Effective;
use super::redis_feed::RedisFeedSection;
use super::socketio::SocketIoSection;

/// Times of `[webhooks]` that look like seconds where milliseconds are meant: the key, and what is shorter than that.
const SHORT: [(&str, usize); 4] = [
    ("webhooks.timeout", 100),
    ("webhooks.retry", 10),
    ("webhooks.give_up", 1000),
    ("webhooks.durable_age", 300_000),
];

/// A sentence for each.
pub(super) fn of(
    effective: &Effective,
    feed: &RedisFeedSection,
    socketio: &SocketIoSection,
    fixed: &[FixedApp],
) -> Vec<String> {
    let mut all: Vec<String> =
        SHORT.iter().filter_map(|(key, least)| short(effective, key, *least)).collect();
    all.extend(feed_for_nobody(effective, feed, fixed));
    all.extend(without_app(effective, socketio, fixed));
    all.extend(without_whispers(socketio, fixed));
    all.extend(unused_clients(socketio));
    all
}

fn short(effective: &Effective, key: &str, least: usize) -> Option<String> {
    let count = effective.count(key).filter(|count| *count < least)?;
    Some(format!(
        "{key} is {count} milliseconds, which is too short for most; a bare number is in milliseconds, so write \
         \"{count}s\" for seconds"
    ))
}

/// A Redis whose broadcasts reach only apps with a prefix of their own, where others may be waiting for them.
fn feed_for_nobody(effective: &Effective, feed: &RedisFeedSection, fixed: &[FixedApp]) -> Option<String> {
    let is_for_nobody = feed.address.is_some() && feed.prefix.is_none() && feed.app.is_none();
    let has_others = fixed.is_empty()
        || !effective.text("apps.database").is_empty()
        || fixed.iter().any(|fixed| fixed.app.redis_feed.prefix.is_none());
    (is_for_nobody && has_others && !effective.is_faulty("redis_feed.url")).then(|| {
        "redis_feed.url is set without redis_feed.prefix: broadcasts reach only apps that have a redis_feed.prefix of their \
         own. For another app name it in redis_feed.app, and set redis_feed.prefix to what Laravel has as \
         database.redis.options.prefix, often laravel_database_ or laravel-database-"
            .to_owned()
    })
}

/// Socket.IO without an app at `/socket.io/`; where neither app nor database is named, the server's own first app gets it.
fn without_app(effective: &Effective, socketio: &SocketIoSection, fixed: &[FixedApp]) -> Option<String> {
    let is_embedded = fixed.is_empty() && effective.text("apps.database").is_empty();
    let is_missing = socketio.enabled && socketio.app.is_none() && !is_embedded;
    (is_missing && !effective.is_faulty("socketio.app")).then(|| {
        "socketio.enabled is set, but socketio.app is empty, and there is not exactly one app in the configuration that it \
         could be: /socket.io/ refuses everybody. Name the app, or have each page use the path /app/KEY/socket.io"
            .to_owned()
    })
}

/// laravel-echo-server passes on every whisper; an app's client events are off by default.
fn without_whispers(socketio: &SocketIoSection, fixed: &[FixedApp]) -> Option<String> {
    let id = socketio.app.as_ref().filter(|_| socketio.enabled)?;
    let app = &fixed.iter().find(|fixed| fixed.app.id == *id)?.app;
    (!app.client_events).then(|| {
        format!(
            "socketio.enabled is set, and client_events of the app {id} is off: whispers of its clients are dropped. Set \
             client_events = true to pass them on, as laravel-echo-server does"
        )
    })
}

fn unused_clients(socketio: &SocketIoSection) -> Option<String> {
    (!socketio.enabled && !socketio.clients.is_empty()).then(|| {
        "socketio.clients lists clients, but socketio.enabled is off, so that none of them is admitted"
            .to_owned()
    })
}
