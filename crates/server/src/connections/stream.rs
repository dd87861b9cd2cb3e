//! A TCP connection that records its progress, and holds its slot among the HTTP connections.
//!
//! Sits below TLS as well, so that progress means bytes accepted by the system.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
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
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
}

impl<S> Rewound<S> {
    pub(super) fn new(early: Bytes, stream: S) -> Self {
        Self { early, stream }
    }

    /// The stream, and the rest of the early bytes.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.early)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
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
