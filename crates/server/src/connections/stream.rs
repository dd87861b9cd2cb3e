//! A TCP connection that records its progress, and holds its slot among the HTTP connections.
//!
//! Sits below TLS as well, so that progress means bytes accepted by the system.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::places::Place;

/// A TCP connection with its slot.
#[derive(Debug)]
pub struct Watched {
    tcp: TcpStream,
    place: Place,
}

impl Watched {
    pub(super) fn new(tcp: TcpStream, place: Place) -> Self {
        Self { tcp, place }
    }

    /// The connection, and the slot, which is not needed after HTTP.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Place) {
        (self.tcp, self.place)
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Fails if the connection is cut off: unsent bytes would stay in the system for minutes.
    fn check(&self) -> io::Result<()> {
        if !self.place.activity().is_cut_off() {
            return Ok(());
        }
        // A socket that refuses is closed all the same.
        let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        let activity = self.place.activity();
        match written {
            Poll::Ready(Ok(bytes)) => activity.took(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => activity.took_nothing(),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.place.activity().set_heard(true);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP buffers nothing here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// The transport of HTTP: a [`Watched`] connection, with or without TLS.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The connection underneath.
    fn watched(&self) -> &Watched;
}

impl Transport for Watched {
    fn watched(&self) -> &Watched {
        self
    }
}

impl Transport for TlsStream<Watched> {
    fn watched(&self) -> &Watched {
        self.get_ref().0
    }
}

/// A stream with bytes that were read early.
#[derive(Debug)]
pub struct Rewound<S> {
    early: Bytes,
    stream: S,
    /// Whether the peer's end is kept until it matters.
    keeps_end: bool,
}

impl<S> Rewound<S> {
    pub(super) fn new(early: Bytes, stream: S) -> Self {
        Self { early, stream, keeps_end: false }
    }

    /// The same, where the peer's end is read only when it matters: the requests under way are answered before.
    pub(super) fn keeping_end(early: Bytes, stream: S) -> Self {
        Self { early, stream, keeps_end: true }
    }

    /// The stream, and the rest of the early bytes.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.early)
    }
}

impl<S: Transport> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            let before = buffer.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
            let activity = self.stream.watched().place().activity();
            activity.set_listens(read.is_pending());
            let is_end = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
            if is_end && self.keeps_end && !activity.may_see_end() {
                // The connection has HTTP look again when that matters.
                return Poll::Pending;
            }
            return read;
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..length]);
        self.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
