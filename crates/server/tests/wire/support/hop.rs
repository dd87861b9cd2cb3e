//! A proxy in front of the server: a network hop of its own that changes requests, as misconfigured proxies do.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::eventually;

/// A running proxy, which accepts until the test's process ends.
pub struct Hop {
    pub addr: SocketAddr,
}

/// A proxy's changes to each request.
struct Changes {
    /// Bytes in front of everything that the proxy passes on.
    header: &'static [u8],
    /// The change to a head.
    head: Box<dyn Fn(&str) -> String + Send + Sync>,
    loses_bodies: bool,
}

impl Changes {
    fn of_heads(head: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self { header: b"", head: Box::new(head), loses_bodies: false }
    }
}

impl Hop {
    /// A proxy that passes on to `server` the head of each request as changed by `change`.
    pub fn before(server: SocketAddr, change: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::with(server, Changes::of_heads(change))
    }

    /// A balancer that begins each connection to `server` with these bytes.
    pub fn beginning_with(header: &'static [u8], server: SocketAddr) -> Self {
        Self::with(server, Changes { header, ..Changes::of_heads(str::to_owned) })
    }

    fn with(server: SocketAddr, changes: Changes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let changes = Arc::new(changes);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let changes = Arc::clone(&changes);
                thread::spawn(move || pass_on(stream, server, &changes));
            }
        });
        Self { addr }
    }

    /// A proxy that passes on heads unchanged, and announces an empty body.
    pub fn losing_bodies(server: SocketAddr) -> Self {
        let emptied = |head: &str| {
            let lines = head.split_inclusive("\r\n");
            lines.filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")).collect()
        };
        Self::with(server, Changes { loses_bodies: true, ..Changes::of_heads(emptied) })
    }

    /// A proxy that replaces a text in the first line of each request.
    pub fn replacing(server: SocketAddr, what: &'static str, by: &'static str) -> Self {
        Self::before(server, move |head| {
            let (line, rest) = head.split_once("\r\n").expect("a head has lines");
            format!("{}\r\n{rest}", line.replace(what, by))
        })
    }

    /// A proxy that drops the part after the `?`.
    pub fn losing_queries(server: SocketAddr) -> Self {
        Self::before(server, |head| {
            let (start, rest) = head.split_once('?').expect("every request here has a query");
            let (_, rest) = rest.split_once(' ').expect("a version follows");
            format!("{start} {rest}")
        })
    }

    /// The URL for clients behind the proxy.
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }
}

/// Passes on one request, and all later bytes in both directions.
fn pass_on(mut client: TcpStream, server: SocketAddr, changes: &Changes) {
    let mut read = Vec::new();
    let mut some = [0; 4096];
    let end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match client.read(&mut some) {
            Ok(0) | Err(_) => return,
            Ok(count) => read.extend_from_slice(&some[..count]),
        }
    };
    let mut head = (changes.head)(std::str::from_utf8(&read[..end]).expect("heads are text here"));
    let is_upgrade = head.contains("Upgrade: websocket");
    if !is_upgrade {
        // So that the next request is the first of a connection, too.
        let at = head.find("\r\n").expect("a head has lines") + 2;
        head.insert_str(at, "Connection: close\r\n");
    }
    let mut server = eventually("the server takes connections", || TcpStream::connect(server).ok());
    let body = if changes.loses_bodies { &[][..] } else { &read[end..] };
    if server.write_all(&[changes.header, head.as_bytes(), body].concat()).is_err() {
        return;
    }
    if is_upgrade || !changes.loses_bodies {
        let (mut up, mut from_client) =
            (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
        thread::spawn(move || {
            // If either side breaks off, so does the other.
            let _ = copy(&mut from_client, &mut up);
            let _ = up.shutdown(Shutdown::Write);
        });
    }
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
