//! What a connection begins with that cannot be answered as it expects, and the sentence for whoever looks for the
//! fault: the PROXY protocol of balancers, plain HTTP where TLS is spoken, and TLS where it is not.

use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tracing::Level;

use super::stream::Watched;
use crate::http::Peer;
use crate::log::limited::{Line, limited};
use crate::ws::farewell;

/// What version 1 of the PROXY protocol begins with; no method of HTTP is called so.
const PROXY_V1: &[u8] = b"PROXY ";

/// What version 2 begins with.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the first record of TLS begins with, whatever its version.
const TLS_HANDSHAKE: &[u8] = &[22, 3];

/// What a browser or a back end is told that did not begin with TLS.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 58\r\nConnection: close\r\n\r\nThis port speaks TLS: begin with https:// or with wss://.\n";

/// What a client is told that begins with TLS where none is spoken; such a client says "wrong version number" or the
/// like, and shows this only to who looks closely.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 64\r\nConnection: close\r\n\r\nThis port does not speak TLS: begin with http:// or with ws://.\n";

/// What a balancer is told that begins with the PROXY protocol.
const NO_PROXY_PROTOCOL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 88\r\nConnection: close\r\n\r\n\
    This port does not speak the PROXY protocol: switch it off in the proxy in front of it.\n";

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A header of the PROXY protocol, in either version.
    ProxyProtocol,
    /// A method of HTTP.
    PlainHttp,
    /// A record of TLS that belongs to a handshake: type 22, version 3.
    ServerTls,
    /// All else.
    Other,
}

impl Beginning {
    /// Waits for bytes, or the end, and looks at them without taking them.
    ///
    /// Readiness of the socket does not suffice: a ready socket often has no bytes.
    pub(super) fn poll(tcp: &TcpStream, cx: &mut Context<'_>) -> Poll<Self> {
        let mut first = [0; PROXY_V2.len()];
        let mut first = ReadBuf::new(&mut first);
        // A connection that is broken will be found out by whoever reads from it.
        tcp.poll_peek(cx, &mut first).map(|_| Self::in_bytes(first.filled()))
    }

    fn in_bytes(bytes: &[u8]) -> Self {
        if bytes.starts_with(PROXY_V1) || bytes == PROXY_V2 {
            Self::ProxyProtocol
        } else if bytes.first().is_some_and(u8::is_ascii_uppercase) {
            Self::PlainHttp
        } else if bytes.starts_with(TLS_HANDSHAKE) {
            Self::ServerTls
        } else {
            Self::Other
        }
    }

    pub(super) async fn refuse_proxy_protocol(stream: Watched, peer: Peer) {
        limited!(
            Line::ProxyProtocol,
            target: "fanfare::http",
            Level::WARN,
            client = %peer.address,
            over_tls = peer.over_tls,
            "a connection begins with the PROXY protocol, which is not supported: switch it off in the proxy \
             (send-proxy of HAProxy, proxy_protocol of nginx, proxy protocol of a hosted balancer)"
        );
        stream.place().until_needed(farewell::hang_up(stream.tcp(), NO_PROXY_PROTOCOL.to_vec())).await;
    }

    pub(super) async fn refuse_plain_http(stream: Watched, peer: Peer) {
        limited!(
            Line::WrongPort,
            target: "fanfare::tls",
            Level::INFO,
            client = %peer.address,
            "a client does not speak TLS on the port that does: it has to begin with https:// or wss://, or go to \
             listen.addr"
        );
        stream.place().until_needed(farewell::hang_up(stream.tcp(), NOT_TLS.to_vec())).await;
    }

    pub(super) async fn refuse_tls(stream: Watched, peer: Peer) {
        limited!(
            Line::WrongPort,
            target: "fanfare::tls",
            Level::INFO,
            client = %peer.address,
            "a client speaks TLS on a port that does not: it has to begin with http:// or ws:// (forceTLS: false, \
             PUSHER_SCHEME=http), or go to tls.addr or to a proxy that does TLS"
        );
        stream.place().until_needed(farewell::hang_up(stream.tcp(), NO_TLS.to_vec())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_proxy_protocol_are_known_by_their_first_bytes() {
        let of = Beginning::in_bytes;
        assert_eq!(of(b"PROXY TCP4 1"), Beginning::ProxyProtocol);
        assert_eq!(of(b"\r\n\r\n\0\r\nQUIT\n"), Beginning::ProxyProtocol);
        for other in [&b"POST /apps/3"[..], b"PROPFIND / H", b"PRO", b"PROXYING / H"] {
            assert_eq!(of(other), Beginning::PlainHttp, "{other:?}");
        }
        for other in [&b"\r\n\r\n\0\r\nQUIT"[..], b"\r\n\r\nGET / HT", b"\x16", b"\x15\x03", b""] {
            assert_eq!(of(other), Beginning::Other, "{other:?}");
        }
    }

    #[test]
    fn a_handshake_of_any_version_of_tls_is_known_by_its_first_bytes() {
        for minor in 0..=4 {
            assert_eq!(Beginning::in_bytes(&[22, 3, minor, 2, 0]), Beginning::ServerTls);
        }
    }

    #[test]
    fn the_sentences_are_as_long_as_they_say() {
        for whole in [NOT_TLS, NO_TLS, NO_PROXY_PROTOCOL] {
            let (head, body) = std::str::from_utf8(whole).unwrap().split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        }
    }
}
