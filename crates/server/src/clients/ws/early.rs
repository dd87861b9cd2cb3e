//! From hyper's upgraded connection to the bare socket.

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::farewell::hang_up;
use crate::connections::{Place, Rewound, Watched};
use crate::tls::TlsSocket;

/// The transport of a WebSocket.
pub enum BareSocket {
    /// Readable by everybody on the way.
    Plain(TcpStream),
    /// Encrypted.
    Tls(TlsSocket),
}

impl BareSocket {
    /// As [`hang_up`], whatever the socket.
    pub async fn hang_up(&self, words: Vec<u8>) {
        match self {
            Self::Plain(tcp) => hang_up(tcp, words).await,
            Self::Tls(tls) => hang_up(tls, words).await,
        }
    }
}

/// The socket, the bytes that the client sent behind its request already, and the slot among the HTTP connections,
/// which a WebSocket does not need.
///
/// The bytes are copied: hyper's own buffer would keep 8 KiB alive for the connection's life.
#[must_use]
pub fn into_socket(upgraded: Upgraded) -> Option<(BareSocket, Vec<u8>, Place)> {
    let upgraded = match upgraded.downcast::<TokioIo<Rewound<Watched>>>() {
        Ok(parts) => {
            let (stream, early) = taken_apart(parts);
            let (tcp, place) = stream.into_parts();
            return Some((BareSocket::Plain(tcp), early, place));
        }
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<Rewound<TlsStream<Watched>>>>().ok()?;
    let (stream, early) = taken_apart(parts);
    let (stream, session) = stream.into_inner();
    let (tcp, place) = stream.into_parts();
    Some((BareSocket::Tls(TlsSocket::new(tcp, session)), early, place))
}

fn taken_apart<S>(Parts { io, read_buf, .. }: Parts<TokioIo<Rewound<S>>>) -> (S, Vec<u8>) {
    let (stream, unread): (S, Bytes) = io.into_inner().into_parts();
    (stream, [read_buf, unread].concat())
}
