//! The answers of a listener, and the state that all its connections share.

use std::sync::Arc;
use std::time::Duration;

use fanfare_config::TimeoutsSection;
use hyper::header::HeaderValue;
use hyper::{Request, Uri};

use super::places::Places;
use super::request_body::RequestBody;
use crate::http::{Answer, Peer};
use crate::state::State;
use crate::tls::ServerTls;

/// The answers of a listener.
pub trait Site: Send + Sync + 'static {
    /// The state that the site shares with the rest of the server.
    fn state(&self) -> &State;

    /// Answers one request; a status of 101 hands the connection over to the upgraded protocol.
    fn answer(&self, peer: Peer, request: Request<RequestBody>) -> impl Future<Output = Answer> + Send;

    /// The answer after a panic, to a request of this target.
    fn after_panic(&self, target: &Uri) -> impl Future<Output = Answer> + Send;
}

/// State that the connections of one listener share.
pub struct Listening<A> {
    pub(super) site: A,
    pub(super) places: Arc<Places>,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) times: Times,
    /// Whether connections of trusted proxies begin with a header of the PROXY protocol.
    pub(super) reads_proxy_protocol: bool,
}

/// Timeouts of connections.
pub(super) struct Times {
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
    /// A listener whose connections take `places`, over TLS if given.
    #[must_use]
    pub fn new(site: A, places: Arc<Places>, tls: Option<Arc<ServerTls>>) -> Self {
        let times = Times::of(&site.state().node.config.timeouts);
        Self { site, places, tls, times, reads_proxy_protocol: false }
    }

    /// The same, where connections of trusted proxies begin with a header of the PROXY protocol if `reads` says so.
    #[must_use]
    pub fn with_proxy_protocol(self, reads: bool) -> Self {
        Self { reads_proxy_protocol: reads, ..self }
    }
}
