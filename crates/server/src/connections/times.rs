//! The timeouts of HTTP connections, as a connection uses them.

use std::time::Duration;

use fanfare_config::TimeoutsSection;
use hyper::header::HeaderValue;

/// Timeouts of connections.
#[derive(Debug)]
pub struct Times {
    /// Of the first byte of a connection, of a TLS handshake, and of a head from its first byte on.
    pub(super) head: Duration,
    /// Of idling between two requests.
    pub(super) idle: Duration,
    /// Of a write from which the socket accepts no byte.
    pub(super) write: Duration,
    /// The header `Keep-Alive` that announces `idle`.
    pub(super) keep_alive: HeaderValue,
}

impl Times {
    /// The timeouts of the configuration.
    #[must_use]
    pub fn of(timeouts: &TimeoutsSection) -> Self {
        let keep_alive = format!("timeout={}", timeouts.keep_alive);
        Self {
            head: timeouts.handshake(),
            idle: timeouts.keep_alive(),
            write: timeouts.http_write(),
            keep_alive: HeaderValue::try_from(keep_alive).expect("a number is a header value"),
        }
    }
}
