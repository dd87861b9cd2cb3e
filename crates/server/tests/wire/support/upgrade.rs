//! The opening handshake of a WebSocket, header by header.

use std::fmt::Write;
use std::net::SocketAddr;

use super::http::{Head, Http};
use super::socket::Socket;

/// The key of RFC 6455's example, and the only right answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An upgrade request that has not been sent.
pub struct Upgrade {
    target: String,
    host: String,
    headers: String,
    behind: Vec<u8>,
}

impl Upgrade {
    /// `target` is the path with its query.
    pub fn to(target: &str) -> Self {
        Self { target: target.into(), host: "localhost".into(), headers: String::new(), behind: Vec::new() }
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.headers, "{name}: {value}\r\n").expect("a String takes any text");
        self
    }

    /// Bytes that leave in the same TCP segment as the request.
    pub fn followed_by(mut self, bytes: &[u8]) -> Self {
        self.behind = bytes.to_vec();
        self
    }

    /// Sends the request; the server must switch protocols.
    #[track_caller]
    pub fn open(self, addr: SocketAddr) -> (Head, Socket) {
        self.open_over(Http::connect(addr))
    }

    /// As [`Self::open`], over an open connection.
    #[track_caller]
    pub fn open_over(self, mut http: Http) -> (Head, Socket) {
        http.write(&self.bytes());
        let head = http.head();
        assert_eq!(head.status, 101, "{head:?}");
        assert_eq!(head.header("sec-websocket-accept"), Some(ACCEPT));
        (head, Socket::new(http))
    }

    /// The request, and the bytes after the request.
    pub fn bytes(self) -> Vec<u8> {
        let Self { target, host, mut headers, behind } = self;
        if !headers.contains("Connection:") {
            headers.push_str("Connection: Upgrade\r\n");
        }
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n{headers}\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        [head.as_bytes(), &behind].concat()
    }
}
