//! Clients that allocate nothing after they are connected, so that only the server's memory is counted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use crate::server::{ID, KEY, SECRET};

/// The deadline of every wait.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A WebSocket that has received `connection_established`.
pub fn connect(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("the server accepts");
    socket.set_nodelay(true).expect("a socket need not wait for more to send");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes a time limit");
    upgrade(&mut socket);
    socket
}

/// Makes a connection a WebSocket that has received `connection_established`.
pub fn upgrade(socket: &mut (impl Read + Write)) {
    handshake(socket);
    assert!(frame(socket) > 0, "connection_established");
}

/// The same, without the first frame.
pub fn handshake(socket: &mut (impl Read + Write)) {
    write!(
        socket,
        "GET /app/{KEY}?protocol=7 HTTP/1.1\r\nHost: fanfare\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .expect("the server reads");
    let mut byte = [0];
    let mut line_ends = 0;
    while line_ends < 4 {
        socket.read_exact(&mut byte).expect("an answer to the handshake");
        line_ends = if matches!(byte, [b'\r' | b'\n']) { line_ends + 1 } else { 0 };
    }
}

/// The socket id in `connection_established`.
pub fn socket_id(established: &[u8]) -> &str {
    let text = std::str::from_utf8(established).expect("a text");
    let id = text.split("socket_id\\\":\\\"").nth(1).and_then(|rest| rest.split('\\').next());
    id.expect("an id")
}

/// Subscribes to a public channel and waits for the acknowledgement.
pub fn subscribe(socket: &mut (impl Read + Write), channel: &str) {
    send(socket, &format!("{{\"event\":\"pusher:subscribe\",\"data\":{{\"channel\":\"{channel}\"}}}}"));
    assert!(frame(socket) > 0, "the acknowledgement");
}

/// Sends a text.
pub fn send(socket: &mut impl Write, text: &str) {
    let mut bytes = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(text.len()).expect("a text of some length").to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    socket.write_all(&bytes).expect("the server reads");
}

/// Reads and discards a frame; returns the length of its payload.
pub fn frame(socket: &mut impl Read) -> usize {
    frame_in(socket, &mut [0; 16 * 1024]).len()
}

/// Reads the payload of a frame, which fits.
pub fn frame_in<'a>(socket: &mut impl Read, payload: &'a mut [u8]) -> &'a [u8] {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("a frame");
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            socket.read_exact(&mut length).expect("a length");
            usize::from(u16::from_be_bytes(length))
        }
        length => usize::from(length),
    };
    socket.read_exact(&mut payload[..length]).expect("a payload");
    &payload[..length]
}

/// A request as bytes, signed (AUTH-001 … AUTH-004). The path may have parameters, whose names come behind `auth_version`.
pub fn signed(method: &str, path: &str, body: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
    let mut query = format!("auth_key={KEY}&auth_timestamp={now}&auth_version=1.0");
    if !body.is_empty() {
        query.push_str(&format!("&body_md5={}", hex::encode(Md5::digest(body))));
    }
    if !parameters.is_empty() {
        query.push_str(&format!("&{parameters}"));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(format!("{method}\n/apps/{ID}/{path}\n{query}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!(
        "{method} /apps/{ID}/{path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: fanfare\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends a request over a kept-alive connection; returns the length of the answer, which fits in `answer`.
pub fn ask(api: &mut TcpStream, question: &[u8], answer: &mut [u8]) -> usize {
    api.write_all(question).expect("the server reads");
    let length = api.read(answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..length]));
    length
}
