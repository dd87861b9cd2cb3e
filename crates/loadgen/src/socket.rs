//! A non-blocking socket: bytes that the kernel refuses are queued.

use std::io::{self, ErrorKind, Read as _, Write as _};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Readiness of both directions.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// One end of a connection.
pub(crate) struct Socket {
    stream: TcpStream,
    /// Bytes still to be written.
    out: Vec<u8>,
}

/// The result of a read.
#[derive(Debug)]
pub(crate) enum Came {
    /// The number of bytes, and whether there may be more. After the peer has closed, the rest must be read
    /// at once, because no further readiness event follows.
    Bytes(usize, bool),
    /// Nothing for now.
    Nothing,
    /// The peer has closed, or the connection is broken.
    End,
}

impl Socket {
    /// Takes a stream, registered under `token`.
    pub(crate) fn new(mut stream: TcpStream, registry: &Registry, token: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, Token(token), BOTH)?;
        Ok(Self { stream, out: Vec::new() })
    }

    /// Sends with one system call, as much as the kernel takes; queues the rest. The next [`Socket::read`]
    /// reports a broken connection.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let mut sent = 0;
        if self.out.is_empty() {
            sent = self.stream.write(bytes).unwrap_or(0);
        }
        if sent < bytes.len() {
            self.out.extend_from_slice(&bytes[sent..]);
        }
    }

    /// Sends queued bytes; to be called when the socket is writable.
    pub(crate) fn flush(&mut self) {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(sent) if sent == self.out.len() => self.out = Vec::new(),
                Ok(sent) => drop(self.out.drain(..sent)),
                Err(_) => break,
            }
        }
    }

    /// Reads once.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Came {
        match self.stream.read(buffer) {
            Ok(0) => Came::End,
            Ok(count) => Came::Bytes(count, count == buffer.len()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                Came::Nothing
            }
            Err(_) => Came::End,
        }
    }
}
