//! A TLS connection for the loops of a WebSocket: records in, records out, never waiting.
//!
//! Keeps at most one record that was accepted from the caller and not yet by the system.

use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use rustls::ServerConnection;
use tokio::net::TcpStream;

use crate::clients::ws::socket::Socket;

/// Most bytes of one record, and of one write.
const RECORD: usize = 16 * 1024;

/// An established TLS connection.
pub struct TlsSocket {
    stream: TcpStream,
    /// Locked for one step of encrypting or decrypting, by the connection's own task alone. Boxed, because a task
    /// has room for its socket twice, and the kilobyte should be there once.
    records: Box<Mutex<Records>>,
}

struct Records {
    session: ServerConnection,
    /// Number of decrypted bytes that have not been read.
    unread: usize,
}

impl TlsSocket {
    /// Continues the connection after the handshake, or after HTTP.
    #[must_use]
    pub fn new(stream: TcpStream, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(RECORD));
        // The next read reports the error again.
        let unread = session.process_new_packets().map_or(0, |state| state.plaintext_bytes_to_read());
        Self { stream, records: Box::new(Mutex::new(Records { session, unread })) }
    }

    fn write(&self, take: impl FnOnce(&mut rustls::Writer<'_>) -> io::Result<usize>) -> io::Result<usize> {
        let mut records = self.records.lock();
        records.push(&self.stream)?;
        let taken = take(&mut records.session.writer())?;
        match records.push(&self.stream) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }
}

impl Records {
    /// Writes all encrypted bytes to the system.
    fn push(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(&mut TryTcp(stream))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Reads from the system, and decrypts whole records.
    fn pull(&mut self, stream: &TcpStream) -> io::Result<()> {
        self.session.read_tls(&mut TryTcp(stream))?;
        let state = self.session.process_new_packets();
        // An alert that names the fault, or the answer to a change of keys. If the system takes neither now, the
        // answer is written before all later bytes, as required.
        let _ = self.push(stream);
        let state = state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.unread = state.plaintext_bytes_to_read();
        Ok(())
    }
}

impl Socket for TlsSocket {
    fn tcp(&self) -> &TcpStream {
        &self.stream
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.records.lock().unread > 0 {
            return Poll::Ready(Ok(()));
        }
        self.stream.poll_read_ready(cx)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut records = self.records.lock();
        if records.unread == 0 {
            records.pull(&self.stream)?;
        }
        let read = records.session.reader().read(buffer)?;
        records.unread -= read;
        Ok(read)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.write(|writer| writer.write(bytes))
    }

    /// All parts become one record, up to its size.
    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(|writer| writer.write_vectored(parts))
    }

    fn holds_back(&self) -> bool {
        self.records.lock().session.wants_write()
    }

    fn try_flush(&self) -> io::Result<()> {
        self.records.lock().push(&self.stream)
    }

    fn conclude(&self) {
        self.records.lock().session.send_close_notify();
    }
}

/// The TCP connection, for a library that uses the traits of `std::io`.
struct TryTcp<'a>(&'a TcpStream);

impl Read for TryTcp<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for TryTcp<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
