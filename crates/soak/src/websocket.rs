//! The client's end of a WebSocket: whole text messages in single frames, as Fanfare sends them.
//!
//! Written for this checker alone: a fault that client and server shared would not be seen.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::signing::KEY;

/// Longest wait for a handshake or a write.
const PATIENCE: Duration = Duration::from_secs(5);

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a server sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Ping(Vec<u8>),
    /// The code, if there is one.
    Close(Option<u16>),
    Other,
}

/// Reads messages; a call that is given up loses nothing.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
}

pub(crate) struct Writer(OwnedWriteHalf);

/// Connects to a node as a client of the app.
pub(crate) async fn connect(node: SocketAddr) -> io::Result<(Reader, Writer)> {
    let late = |_| io::Error::from(ErrorKind::TimedOut);
    timeout(PATIENCE, upgraded(node)).await.map_err(late)?
}

async fn upgraded(node: SocketAddr) -> io::Result<(Reader, Writer)> {
    let mut stream = TcpStream::connect(node).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /app/{KEY}?protocol=7&client=soak&version=1 HTTP/1.1\r\nHost: {node}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let (half, writer) = stream.into_split();
    let mut reader = Reader { half, buffer: Vec::new() };
    loop {
        if let Some(end) = reader.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            if !reader.buffer.starts_with(b"HTTP/1.1 101") {
                return Err(io::Error::other("the upgrade was refused"));
            }
            reader.buffer.drain(..end + 4);
            return Ok((reader, Writer(writer)));
        }
        reader.fill().await?;
    }
}

impl Reader {
    /// The next message; an error when the connection has ended without a close frame.
    pub(crate) async fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some((frame, length)) = frame(&self.buffer) {
                let message = frame.message();
                self.buffer.drain(..length);
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.half.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Writer {
    pub(crate) async fn text(&mut self, text: &str) -> io::Result<()> {
        self.send(TEXT, text.as_bytes()).await
    }

    pub(crate) async fn pong(&mut self, payload: &[u8]) -> io::Result<()> {
        self.send(PONG, payload).await
    }

    /// Says goodbye with code 1000.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.send(CLOSE, &1000_u16.to_be_bytes()).await
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        // The mask protects proxies, and there are none here.
        const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x3e];
        let mut bytes = vec![0x80 | opcode];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short), _) if short < 126 => bytes.push(0x80 | short),
            (_, Ok(middle)) => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&middle.to_be_bytes());
            }
            _ => return Err(ErrorKind::InvalidInput.into()),
        }
        bytes.extend_from_slice(&MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        let late = |_| io::Error::from(ErrorKind::TimedOut);
        timeout(PATIENCE, self.0.write_all(&bytes)).await.map_err(late)?
    }
}

/// A frame of a server: never masked.
pub(crate) struct ServerFrame<'a> {
    opcode: u8,
    payload: &'a [u8],
}

impl ServerFrame<'_> {
    /// The text of a text frame.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.payload).ok().filter(|_| self.opcode == TEXT)
    }

    fn message(&self) -> Message {
        match (self.opcode, self.payload) {
            (TEXT, payload) => Message::Text(String::from_utf8_lossy(payload).into_owned()),
            (PING, payload) => Message::Ping(payload.to_vec()),
            (CLOSE, [high, low, ..]) => Message::Close(Some(u16::from_be_bytes([*high, *low]))),
            (CLOSE, _) => Message::Close(None),
            _ => Message::Other,
        }
    }
}

/// The frame at the beginning of `bytes` and its whole length; `None` until complete.
pub(crate) fn frame(bytes: &[u8]) -> Option<(ServerFrame<'_>, usize)> {
    let head = bytes.get(..2)?;
    let (length, start) = match head[1] & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    let payload = bytes.get(start..end)?;
    Some((ServerFrame { opcode: head[0] & 0x0f, payload }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_frame_is_read_once_complete() {
        let long = "x".repeat(300);
        let mut bytes = vec![0x81, 126, 1, 44];
        bytes.extend(long.bytes());
        for cut in 0..bytes.len() {
            assert!(frame(&bytes[..cut]).is_none());
        }
        bytes.push(0x88);
        let (whole, length) = frame(&bytes).unwrap();
        assert_eq!((whole.message(), length), (Message::Text(long), 304));
        let (end, _) = frame(&[0x88, 2, 0x10, 0x04]).unwrap();
        assert_eq!(end.message(), Message::Close(Some(4100)));
    }
}
