//! First bytes that cannot be answered as their sender expects, and the sentence that explains the fault:
//! the PROXY protocol of those who are not to speak it, plain HTTP on a TLS port, TLS on a plain port, and HTTP/2 without TLS.

use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tracing::Level;

use super::proxy_header;
use super::stream::Watched;
use crate::clients::ws::farewell;
use crate::http::Peer;
use crate::log::limited::{Line, limited};

/// The start of HTTP/2.
pub(super) const HTTP_2: &[u8] = b"PRI * HTTP/2";

/// The start of the first TLS record, in every version.
const TLS_HANDSHAKE: &[u8] = &[22, 3];

/// The answer to a browser or a back end that speaks plain HTTP on a TLS port.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 58\r\nConnection: close\r\n\r\nThis port speaks TLS: begin with https:// or with wss://.\n";

/// The answer to a client that speaks TLS on a plain port; such a client reports "wrong version number" or the
/// like, and shows this text only on a close look.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 64\r\nConnection: close\r\n\r\nThis port does not speak TLS: begin with http:// or with ws://.\n";

/// The answer to a client that speaks HTTP/2 at once on a plain port: settings, none of them changed, and GOAWAY with
/// the reason `HTTP_1_1_REQUIRED` and a text.
const NO_HTTP_2: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x54\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d\
    This port speaks HTTP/1.1 alone: HTTP/2 needs TLS, and begins with https://.";

/// The answer to a balancer that sends the PROXY protocol, and is not to.
const NO_PROXY_PROTOCOL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 141\r\nConnection: close\r\n\r\n\
    This port does not speak the PROXY protocol with this address: set listen.proxy_protocol and listen.trusted_proxies, or switch it off there.\n";

/// The protocol that the first bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A header of the PROXY protocol, in either version.
    ProxyProtocol,
    /// An HTTP method.
    PlainHttp,
    /// HTTP/2 without TLS.
    Http2,
    /// A TLS handshake record: type 22, version 3.
    Tls,
    /// Anything else.
    Other,
}

impl Beginning {
    /// Waits for bytes, or the end, and peeks at the bytes.
    ///
    /// Readiness of the socket is not enough: a ready socket often has no bytes.
    pub(super) fn poll(tcp: &TcpStream, cx: &mut Context<'_>) -> Poll<Self> {
        let mut first = [0; proxy_header::V2.len()];
        let mut first = ReadBuf::new(&mut first);
        // The next read reports a broken connection.
        tcp.poll_peek(cx, &mut first).map(|_| Self::in_bytes(first.filled()))
    }

    fn in_bytes(bytes: &[u8]) -> Self {
        if bytes.starts_with(proxy_header::V1) || bytes == proxy_header::V2 {
            Self::ProxyProtocol
        } else if bytes == HTTP_2 {
            Self::Http2
        } else if bytes.first().is_some_and(u8::is_ascii_uppercase) {
            Self::PlainHttp
        } else if bytes.starts_with(TLS_HANDSHAKE) {
            Self::Tls
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
            "a connection begins with the PROXY protocol, which is not read from this address: set \
             listen.proxy_protocol, and name the proxy in listen.trusted_proxies; or switch it off in the proxy \
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

    pub(super) async fn refuse_http_2(stream: Watched, peer: Peer) {
        limited!(
            Line::WrongPort,
            target: "fanfare::http",
            Level::INFO,
            client = %peer.address,
            "a client speaks HTTP/2 without TLS: it has to begin with https://, or to speak HTTP/1.1 (a proxy: \
             proxy_http_version 1.1, or no h2c)"
        );
        stream.place().until_needed(farewell::hang_up(stream.tcp(), NO_HTTP_2.to_vec())).await;
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
            assert_eq!(Beginning::in_bytes(&[22, 3, minor, 2, 0]), Beginning::Tls);
        }
    }

    #[test]
    fn http_2_without_tls_is_known_by_its_first_bytes_and_told_so_in_its_own_frames() {
        assert_eq!(Beginning::in_bytes(b"PRI * HTTP/2"), Beginning::Http2);
        assert_eq!(Beginning::in_bytes(b"PRI * HTTP/1"), Beginning::PlainHttp);
        let (settings, goaway) = NO_HTTP_2.split_at(9);
        assert_eq!(settings, [0, 0, 0, 4, 0, 0, 0, 0, 0]);
        assert_eq!((usize::from(goaway[2]), goaway[3]), (goaway.len() - 9, 7));
    }

    #[test]
    fn the_sentences_are_as_long_as_they_say() {
        for whole in [NOT_TLS, NO_TLS, NO_PROXY_PROTOCOL] {
            let (head, body) = std::str::from_utf8(whole).unwrap().split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        }
    }
}
