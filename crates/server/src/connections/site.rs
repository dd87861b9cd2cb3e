//! What a listener answers, and what all its connections share.

use std::sync::Arc;
use std::time::Duration;

use fanfare_config::TimeoutsSection;
use hyper::Request;
use hyper::header::HeaderValue;

use super::places::Places;
use super::request_body::RequestBody;
use crate::http::{Answer, Peer};
use crate::state::State;
use crate::tls::ServerTls;

/// What a listener answers.
pub trait Site: Send + Sync + 'static {
    /// What the site shares with the rest of the server.
    fn state(&self) -> &State;

    /// Answers one request; a status of 101 hands the connection over to what was upgraded to.
    fn answer(&self, peer: Peer, request: Request<RequestBody>) -> impl Future<Output = Answer> + Send;

    /// What a request is answered whose answering has panicked.
    fn after_panic(&self) -> Answer;
}

/// Everything that the connections of one listener share.
pub struct Listening<A> {
    pub(super) site: A,
    pub(super) places: Arc<Places>,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) times: Times,
}

/// How long connections may take, or be silent.
pub(super) struct Times {
    /// For the first byte of a connection, for a TLS handshake, and for a head from its first byte on.
    pub(super) head: Duration,
    /// Without a request between two of them.
    pub(super) idle: Duration,
    /// Without a byte being taken of what is written.
    pub(super) write: Duration,
    /// The header `Keep-Alive` that tells of `idle`.
    pub(super) keep_alive: HeaderValue,
}

impl Times {
    fn of(timeouts: &TimeoutsSection) -> Self {
        let keep_alive = format!("timeout={}", timeouts.keep_alive);
        Self {
            head: timeouts.handshake(),
            idle: timeouts.keep_alive(),
            write: timeouts.http_write(),
            keep_alive: HeaderValue::try_from(keep_alive).expect("a number is a header value"),
        }
    }
}

impl<A: Site> Listening<A> {
    /// A listener whose connections take `places`, and speak TLS if so told.
    #[must_use]
    pub fn new(site: A, places: Arc<Places>, tls: Option<Arc<ServerTls>>) -> Self {
        let times = Times::of(&site.state().config.timeouts);
        Self { site, places, tls, times }
    }
}
