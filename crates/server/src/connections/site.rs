//! The answers of a listener, and the state that all its connections share.

use std::sync::Arc;

use arc_swap::Guard;
use hyper::{Request, Uri};

use super::places::Places;
use super::request_body::RequestBody;
use super::times::Times;
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
    /// Whether connections of trusted proxies begin with a header of the PROXY protocol where `listen.proxy_protocol` says so.
    pub(super) may_read_proxy_protocol: bool,
}

impl<A: Site> Listening<A> {
    /// A listener whose connections take `places`, over TLS if given.
    #[must_use]
    pub fn new(site: A, places: Arc<Places>, tls: Option<Arc<ServerTls>>) -> Self {
        Self { site, places, tls, may_read_proxy_protocol: false }
    }

    /// The same, where connections of trusted proxies begin with a header of the PROXY protocol if `listen.proxy_protocol` says so.
    #[must_use]
    pub fn with_proxy_protocol(self) -> Self {
        Self { may_read_proxy_protocol: true, ..self }
    }

    /// The timeouts of this moment; not to be held while waiting.
    pub(super) fn times(&self) -> Guard<Arc<Times>> {
        self.site.state().times.load()
    }
}
