//! What the loops of a connection ask of its socket, whether its bytes are encrypted or not.
//!
//! Compiled once for each kind, so that a plain socket pays nothing for the other. Never waits by itself.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};

use tokio::net::TcpStream;

/// A socket that several loops of one task read from and write to at the same time.
///
/// What cannot be done at once ends with `WouldBlock`, and can be waited for by [`Socket::poll_read_ready`]
/// or [`Socket::poll_write_ready`].
pub trait Socket: Send + Sync + 'static {
    /// The TCP connection underneath.
    fn tcp(&self) -> &TcpStream;

    /// Ready when it is worth trying to read.
    ///
    /// # Errors
    /// The runtime is shutting down.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads what is there; 0 at the end.
    ///
    /// # Errors
    /// Nothing is there, or the connection is broken.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes as many of the bytes as it can; how many.
    ///
    /// # Errors
    /// It can take none, or the connection is broken.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// As [`Socket::try_write`], with bytes that lie apart.
    ///
    /// # Errors
    /// It can take none, or the connection is broken.
    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether it keeps bytes back that it has taken and the system has not.
    fn holds_back(&self) -> bool;

    /// Gives the system what it holds back.
    ///
    /// # Errors
    /// The system does not take all of it, or the connection is broken.
    fn try_flush(&self) -> io::Result<()>;

    /// Takes the sign that nothing will follow, where encryption has one.
    fn conclude(&self);

    /// Ready when it is worth trying to write.
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

/// What was done; nothing, if the socket was not ready after all.
pub(super) fn unless_blocked<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
