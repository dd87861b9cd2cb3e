//! A connected socket that never waits: what the kernel does not take is kept until it does.

use std::io::{self, ErrorKind, Read as _, Write as _};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Both directions, told of when they change.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// One end of a connection.
pub(crate) struct Socket {
    stream: TcpStream,
    /// What is still to be written.
    out: Vec<u8>,
}

/// What came of reading.
#[derive(Debug)]
pub(crate) enum Came {
    /// So many bytes; whether there may be more. Where the other end has closed, what follows is to be read as well: no
    /// further event comes of it.
    Bytes(usize, bool),
    /// Nothing for now.
    Nothing,
    /// The other end has closed, or the connection is broken.
    End,
}

impl Socket {
    /// Takes a stream over, to be told of by `token`.
    pub(crate) fn new(mut stream: TcpStream, registry: &Registry, token: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, Token(token), BOTH)?;
        Ok(Self { stream, out: Vec::new() })
    }

    /// Sends with one system call, as far as the kernel takes it; keeps the rest. A broken connection is seen by the
    /// next [`Socket::read`].
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let mut sent = 0;
        if self.out.is_empty() {
            sent = self.stream.write(bytes).unwrap_or(0);
        }
        if sent < bytes.len() {
            self.out.extend_from_slice(&bytes[sent..]);
        }
    }

    /// Sends what was kept; to be called when the socket has become writable.
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
