//! A proxy in front of the server: a network hop of its own that changes what passes, as misconfigured ones do.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::eventually;

/// A running proxy; it accepts until the test's process ends.
pub struct Hop {
    pub addr: SocketAddr,
}

impl Hop {
    /// A proxy that passes on to `server` what `change` makes of the head of each request.
    pub fn before(server: SocketAddr, change: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let change = Arc::new(change);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let change = Arc::clone(&change);
                thread::spawn(move || pass_on(stream, server, &*change));
            }
        });
        Self { addr }
    }

    /// A proxy that replaces a text in the first line of each request.
    pub fn replacing(server: SocketAddr, what: &'static str, by: &'static str) -> Self {
        Self::before(server, move |head| {
            let (line, rest) = head.split_once("\r\n").expect("a head has lines");
            format!("{}\r\n{rest}", line.replace(what, by))
        })
    }

    /// A proxy that loses what stands behind the `?`.
    pub fn losing_queries(server: SocketAddr) -> Self {
        Self::before(server, |head| {
            let (start, rest) = head.split_once('?').expect("every request here has a query");
            let (_, rest) = rest.split_once(' ').expect("a version follows");
            format!("{start} {rest}")
        })
    }

    /// As whoever is behind it is told to reach it.
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }
}

/// Passes on one request, and all that comes behind it in both directions.
fn pass_on(mut client: TcpStream, server: SocketAddr, change: &dyn Fn(&str) -> String) {
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
    let mut head = change(std::str::from_utf8(&read[..end]).expect("heads are text here"));
    if !head.contains("Upgrade: websocket") {
        // So that the next request comes here as the first of a connection, too.
        let at = head.find("\r\n").expect("a head has lines") + 2;
        head.insert_str(at, "Connection: close\r\n");
    }
    let mut server = eventually("the server takes connections", || TcpStream::connect(server).ok());
    if server.write_all(head.as_bytes()).and_then(|()| server.write_all(&read[end..])).is_err() {
        return;
    }
    let (mut up, mut from_client) =
        (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
    thread::spawn(move || {
        // Whichever side breaks off, the other hears of it.
        let _ = copy(&mut from_client, &mut up);
        let _ = up.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
