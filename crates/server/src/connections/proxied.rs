//! Connections of trusted proxies that speak the PROXY protocol: the header first, then the connection as the client's own.
//!
//! Never believes a header of anybody else: who is no trusted proxy is served directly, and refused for sending one.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::Level;

use super::closed::Closed;
use super::proxy_header::{self, HeaderFault, Told};
use super::serve;
use super::site::{Listening, Site};
use super::stream::Watched;
use crate::clients::ws::farewell;
use crate::http::Peer;
use crate::http::forwarded::is_proxy;
use crate::log::limited::{Line, limited};

/// The answer to a trusted proxy that sends a request without the header.
const NO_HEADER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 113\r\nConnection: close\r\n\r\n\
    This port expects the PROXY protocol from this address: switch it on in the proxy, or listen.proxy_protocol off.\n";

impl<A: Site> Listening<A> {
    /// Whether connections of this peer begin with a header.
    pub(super) fn expects_header(&self, peer: Peer) -> bool {
        let state = self.site.state();
        self.may_read_proxy_protocol
            && state.node.config().listen.proxy_protocol
            && is_proxy(state, peer.address)
    }
}

/// Reads the header within the time for a handshake, and serves the connection as that of the client named there: the
/// slot is the client's from then on.
pub(super) async fn connection<A: Site>(
    listening: Arc<Listening<A>>,
    stream: Watched,
    peer: Peer,
    under_way: mpsc::Sender<Infallible>,
) {
    let activity = Arc::clone(stream.place().activity());
    serve::wake_by(&activity).await;
    let mut timer = pin!(sleep(listening.times().head));
    let reading = proxy_header::read(stream.tcp());
    let told = match serve::in_time(&listening, &activity, timer.as_mut(), reading).await {
        Ok(Ok(told)) => told,
        // Of no use to anybody who reads the log: balancers do so every few seconds.
        Ok(Err(HeaderFault::Silent)) => return,
        Ok(Err(fault)) => return refuse(&listening, stream, peer, fault).await,
        Err(why) => return why.map_or((), |why| serve::closed(&listening, why, peer)),
    };
    let Told { client, over_tls } = told;
    let peer = Peer { address: client.unwrap_or(peer.address), over_tls: peer.over_tls || over_tls };
    let (tcp, mut place) = stream.into_parts();
    if client.is_some() {
        drop(place);
        let Some(of_client) = listening.enter(peer.address) else { return };
        place = of_client;
    }
    serve::connection(listening, Watched::new(tcp, place), peer, under_way).await;
}

/// Counts and logs a connection without a usable header, and closes it; a request is told why.
async fn refuse<A: Site>(listening: &Listening<A>, stream: Watched, peer: Peer, fault: HeaderFault) {
    let (client, reason) = (peer.address, Closed::ProxyHeader.label());
    listening.places.count(Closed::ProxyHeader);
    limited!(
        Line::ProxyProtocol,
        target: "fanfare::http",
        Level::WARN,
        %client, reason, fault = %fault,
        "HTTP connection closed: {}", listening.places.advice(Closed::ProxyHeader)
    );
    if fault == HeaderFault::Missing && listening.tls.is_none() {
        stream.place().until_needed(farewell::hang_up(stream.tcp(), NO_HEADER.to_vec())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_as_long_as_it_says() {
        let (head, body) = std::str::from_utf8(NO_HEADER).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
