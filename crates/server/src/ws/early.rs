//! From hyper's upgraded connection to the bare socket.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The socket, and what the client had sent behind its request already.
///
/// The bytes are copied: hyper's own buffer would keep 8 KiB alive for the connection's life.
#[must_use]
pub fn into_stream(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf.to_vec()))
}
