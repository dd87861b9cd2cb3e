//! From hyper's upgraded connection to the bare socket.

use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::tls::TlsSocket;

/// What a WebSocket runs on.
pub enum Bare {
    /// Everybody underway can read it.
    Plain(TcpStream),
    /// Nobody can.
    Tls(TlsSocket),
}

/// The socket, and what the client had sent behind its request already.
///
/// The bytes are copied: hyper's own buffer would keep 8 KiB alive for the connection's life.
#[must_use]
pub fn into_socket(upgraded: Upgraded) -> Option<(Bare, Vec<u8>)> {
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(Parts { io, read_buf, .. }) => return Some((Bare::Plain(io.into_inner()), read_buf.to_vec())),
        Err(upgraded) => upgraded,
    };
    let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>().ok()?;
    Some((Bare::Tls(TlsSocket::new(io.into_inner())), read_buf.to_vec()))
}
