//! The socket operations of a connection's loops, encrypted or not.
//!
//! Compiled once for each kind, so that a plain socket pays nothing for TLS. Never waits by itself.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};

use tokio::net::TcpStream;

/// A socket that several loops of one task read from and write to at the same time.
///
/// An operation that cannot be done at once fails with `WouldBlock`; wait by [`Socket::poll_read_ready`]
/// or [`Socket::poll_write_ready`].
pub trait Socket: Send + Sync + 'static {
    /// The TCP connection underneath.
    fn tcp(&self) -> &TcpStream;

    /// Ready when a read may succeed.
    ///
    /// # Errors
    /// The runtime is shutting down.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads available bytes; 0 at the end.
    ///
    /// # Errors
    /// No bytes are available, or the connection is broken.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes as many of the bytes as possible; returns their number.
    ///
    /// # Errors
    /// The socket takes no bytes, or the connection is broken.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// As [`Socket::try_write`], with bytes in several parts.
    ///
    /// # Errors
    /// The socket takes no bytes, or the connection is broken.
    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether the socket holds bytes that were accepted here but not by the system.
    fn holds_back(&self) -> bool;

    /// Gives the system the held bytes.
    ///
    /// # Errors
    /// The system does not take all of them, or the connection is broken.
    fn try_flush(&self) -> io::Result<()>;

    /// Queues the end-of-stream sign, where encryption has one.
    fn conclude(&self);

    /// Ready when a write may succeed.
    ///
    /// # Errors
    /// The runtime is shutting down.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_write_ready(cx)
    }
}

impl Socket for TcpStream {
    #[inline]
    fn tcp(&self) -> &TcpStream {
        self
    }

    #[inline]
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_read_ready(self, cx)
    }

    #[inline]
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Self::try_read(self, buffer)
    }

    #[inline]
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::try_write(self, bytes)
    }

    #[inline]
    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::try_write_vectored(self, parts)
    }

    #[inline]
    fn holds_back(&self) -> bool {
        false
    }

    #[inline]
    fn try_flush(&self) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn conclude(&self) {}
}

/// The result; `None` if the socket was not ready after all.
pub(super) fn unless_blocked<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
