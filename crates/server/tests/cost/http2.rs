//! The heap cost of a connection of HTTP/2, and of a request on it.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::version::TLS13;
use stats_alloc::Region;

use crate::client::signed;
use crate::server::Running;
use crate::tls::{connected, start};
use crate::{ALLOCATOR, my_turn, settled};

const CROWD: usize = 100;

/// Requests under way of each connection.
const REQUESTS: u32 = 10;

/// Most bytes of heap of a connection of HTTP/2 without a request.
const BYTES_PER_IDLE: i64 = 52_000;

/// Most bytes of heap of a request whose body does not come.
const BYTES_PER_REQUEST: i64 = 10_000;

/// Most bytes of heap of a connection that takes all that it may.
const BYTES_AT_MOST: i64 = 2_400_000;

/// A frame as bytes.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The frame of a request's headers, without compression; the shorter a text, the simpler its length.
fn headers(flags: u8, stream: u32, method: &str, path: &str, cookie: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in
        [(":method", method), (":scheme", "https"), (":authority", "h"), (":path", path), ("cookie", cookie)]
    {
        block.extend([0, u8::try_from(name.len()).expect("a short name")]);
        block.extend_from_slice(name.as_bytes());
        match u8::try_from(value.len()) {
            Ok(length) if length < 127 => block.push(length),
            _ => {
                let rest = value.len() - 127;
                block.extend([127, (rest % 128) as u8 | 128, (rest / 128) as u8]);
            }
        }
        block.extend_from_slice(value.as_bytes());
    }
    frame(1, flags, stream, &block)
}

/// What each of some connections has under way.
#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    /// Requests whose body does not come to its end.
    requests: u32,
    /// Bytes of a header of each request.
    header: usize,
    /// Bytes of each request's body that come.
    body: usize,
}

const IDLE: Load = Load { connections: CROWD, requests: 0, header: 1, body: 0 };

/// Connections that have been answered once, and have this under way; the clients' TLS state is dropped.
fn come(server: &Running, config: &Arc<ClientConfig>, load: Load) -> Vec<TcpStream> {
    let question = String::from_utf8(signed("POST", "events", &"x".repeat(5000))).expect("a request is text");
    let target = question.split(' ').nth(1).expect("a request has a target");
    let mut crowd = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let mut stream = connected(server, config);
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat());
        stream.write_all(&bytes).expect("the server reads");
        wait_for_window(&mut stream);
        bytes.clear();
        for n in 0..load.requests {
            bytes.extend(headers(4, 1 + 2 * n, "POST", target, &"c".repeat(load.header)));
            bytes.extend(frame(0, 0, 1 + 2 * n, &b"x".repeat(load.body)));
        }
        bytes.extend(headers(5, 1001, "GET", "/up", "c"));
        stream.write_all(&bytes).expect("the server reads");
        let mut heard = Vec::new();
        while !heard.ends_with(br#"{"health":"OK"}"#) {
            let mut some = [0; 4096];
            let length = stream.read(&mut some).expect("an answer");
            assert!(length > 0, "the server hangs up");
            heard.extend_from_slice(&some[..length]);
        }
        crowd.push(stream.sock);
    }
    crowd
}

/// Reads until the server has opened the connection's window: a client may send 64 KiB of bodies before.
fn wait_for_window(stream: &mut impl Read) {
    const WINDOW_UPDATE: u8 = 8;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("the server's first frames");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).expect("a whole frame");
        if head[3] == WINDOW_UPDATE {
            return;
        }
    }
}

/// A server, and a client that offers HTTP/2.
fn started() -> (Running, Arc<ClientConfig>) {
    let (server, config) = start(&TLS13);
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols = vec![b"h2".to_vec()];
    (server, Arc::new(config))
}

#[test]
fn a_connection_of_http_2_and_a_request_on_it_take_a_bounded_heap() {
    let _turn = my_turn();
    let (server, config) = started();
    // One-time memory for the first crowd of this size is not measured.
    drop(come(&server, &config, IDLE));
    server.wait_for_no_http();
    let region = Region::new(ALLOCATOR);
    let crowd = come(&server, &config, IDLE);
    let each = settled(&region, CROWD, BYTES_PER_IDLE);
    println!("{each} bytes of heap an idle connection of HTTP/2");
    assert!(each <= BYTES_PER_IDLE, "at most {BYTES_PER_IDLE}; look at connections::http2");
    drop(crowd);
    server.wait_for_no_http();
    let region = Region::new(ALLOCATOR);
    let crowd = come(&server, &config, Load { requests: REQUESTS, ..IDLE });
    let most = each + BYTES_PER_REQUEST * i64::from(REQUESTS);
    let all = settled(&region, CROWD, most);
    println!("{} bytes of heap a request under way", (all - each) / i64::from(REQUESTS));
    assert!(all <= most, "{all} bytes with {REQUESTS} requests, {each} without");
    drop(crowd);
}

#[test]
fn a_connection_of_http_2_that_takes_all_it_may_takes_a_bounded_heap() {
    let _turn = my_turn();
    let (server, config) = started();
    let load = Load { connections: 5, requests: 127, header: 1700, body: 1000 };
    drop(come(&server, &config, load));
    server.wait_for_no_http();
    let region = Region::new(ALLOCATOR);
    let crowd = come(&server, &config, load);
    let each = settled(&region, load.connections, BYTES_AT_MOST);
    println!("{each} bytes of heap a connection of HTTP/2 that takes all it may");
    assert!(each <= BYTES_AT_MOST, "at most {BYTES_AT_MOST}; look at the bounds in connections::http2");
    drop(crowd);
}
