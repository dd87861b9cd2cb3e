//! HTTP/1.1 by hand over one TCP connection: the test decides every byte sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::DEADLINE;
use super::stream::Stream;

/// One TCP connection, and the bytes read too early.
pub struct Http {
    stream: Stream,
    unread: Vec<u8>,
}

/// A status line with its headers.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub head: Head,
    pub body: String,
}

impl Head {
    /// The head of an answer over HTTP/2.
    pub fn new(status: u16, headers: Vec<(String, String)>) -> Self {
        Self { status, headers }
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let status_line = lines.next().expect("split yields at least one part");
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Self {
            status: status.unwrap_or_else(|| panic!("no status line: {status_line:?}")),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect(),
        }
    }

    /// The value of a header, if sent; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Answer {
    /// Success, with exactly this JSON body (API-003, API-004).
    #[track_caller]
    pub fn expect(&self, body: &str) {
        self.expect_json_type();
        assert_eq!(self.body, body);
    }

    /// Success, with this JSON whatever the order of its members.
    #[track_caller]
    pub fn expect_json(&self, body: &serde_json::Value) {
        self.expect_json_type();
        let got: serde_json::Value = serde_json::from_str(&self.body).expect("a success has a JSON body");
        assert_eq!(&got, body);
    }

    #[track_caller]
    fn expect_json_type(&self) {
        assert_eq!(self.head.status, 200, "{self:?}");
        assert_eq!(self.head.header("content-type"), Some("application/json"), "API-004");
    }

    /// A refusal in plain text that says exactly this, a trailing newline aside (API-005).
    #[track_caller]
    pub fn refused_with(&self, status: u16, text: &str) {
        self.refused(status, "");
        assert_eq!(self.body.trim_end(), text);
    }

    /// A refusal in plain text that mentions this (API-005).
    #[track_caller]
    pub fn refused(&self, status: u16, mentions: &str) {
        assert_eq!(self.head.status, status, "{self:?}");
        let kind = self.head.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/plain"), "API-005: errors are plain text, not {kind:?}");
        assert!(self.body.contains(' '), "an error is a sentence, not {:?}", self.body);
        assert!(self.body.contains(mentions), "{:?} does not mention {mentions:?}", self.body);
    }
}

impl Http {
    pub fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).expect("the server accepts connections")
    }

    /// A connection to a server that may have stopped listening.
    pub fn try_connect(addr: SocketAddr) -> Option<Self> {
        Some(Self::over(Stream::Plain(TcpStream::connect(addr).ok()?)))
    }

    /// A connection that comes from another address of this machine.
    pub fn connect_from(from: IpAddr, addr: SocketAddr) -> Self {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(family, SocketType::STREAM, None).expect("the system has sockets");
        bind(&socket, &SocketAddr::new(from, 0)).expect("the address is this machine's");
        connect(&socket, &addr).expect("the server accepts connections");
        Self::over(Stream::Plain(TcpStream::from(socket)))
    }

    /// A connection with a small receive buffer, for peers that do not read.
    pub fn connect_narrow(addr: SocketAddr) -> Self {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(family, SocketType::STREAM, None).expect("the system has sockets");
        set_socket_recv_buffer_size(&socket, 4096).expect("a socket takes a size");
        connect(&socket, &addr).expect("the server accepts connections");
        Self::over(Stream::Plain(TcpStream::from(socket)))
    }

    pub fn over(stream: Stream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        stream.tcp().set_write_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        stream.tcp().set_nodelay(true).expect("a TCP socket takes the option");
        Self { stream, unread: Vec::new() }
    }

    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server is reading");
    }

    /// As [`Self::write`], to a server that may have hung up; returns whether the server accepted the bytes.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The head of the next answer; its body stays unread.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(self.fill(), "the connection ended within a head: {:?}", self.so_far());
        };
        let text = String::from_utf8(self.unread.drain(..end + 4).collect()).expect("heads are ASCII here");
        Head::parse(text.trim_end())
    }

    /// The next answer, body included.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let body = if head.header("transfer-encoding") == Some("chunked") {
            self.chunks()
        } else {
            let length =
                head.header("content-length").map_or(0, |n| n.parse().expect("a length is a number"));
            self.take(length)
        };
        Answer { head, body: String::from_utf8(body).expect("bodies are UTF-8 here") }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut chunk = self.chunk();
            if chunk.is_empty() {
                return body;
            }
            body.append(&mut chunk);
        }
    }

    /// The next chunk of a body that is still being sent; empty at the end of the body.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        while !self.unread.windows(2).any(|two| two == b"\r\n") {
            assert!(self.fill(), "the connection ended within a chunk's head");
        }
        let end = self.unread.iter().position(|&byte| byte == b'\r').expect("just seen");
        let line: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
        let line = String::from_utf8(line).expect("a chunk's head is ASCII");
        let size = usize::from_str_radix(&line, 16).expect("a chunk's head is a hex number");
        let mut chunk = self.take(size + 2);
        chunk.truncate(size);
        chunk
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.fill(), "the connection ended within a body: {:?}", self.so_far());
        }
        self.unread.drain(..length).collect()
    }

    /// A plain GET, and its answer.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        self.answer()
    }

    /// Whether the server neither sends anything nor hangs up for this long.
    pub fn is_left_alone_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a socket takes a timeout");
        let mut byte = [0];
        let quiet = self.unread.is_empty()
            && matches!(self.stream.read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        quiet
    }

    /// Reads a little after this long, and discards the bytes; returns their number.
    #[track_caller]
    pub fn some_after(&mut self, pause: Duration) -> usize {
        std::thread::sleep(pause);
        let mut some = [0; 4096];
        std::mem::take(&mut self.unread).len() + self.stream.read(&mut some).expect("the answer goes on")
    }

    /// Reads until the server hangs up and returns all bytes before; fails at the deadline.
    #[track_caller]
    pub fn until_end(&mut self) -> String {
        while self.fill() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// Reads some more; false when the server has hung up.
    #[track_caller]
    fn fill(&mut self) -> bool {
        let mut some = [0; 4096];
        match self.stream.read(&mut some) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&some[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
                false
            }
            Err(error) => panic!("nothing came within {DEADLINE:?} ({error}); so far: {:?}", self.so_far()),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The connection itself and the bytes read too early, after an upgrade.
    pub fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.unread)
    }
}
