//! The yardstick: about the least work for a server on one thread that speaks the protocol. Each frame is
//! built once and sent to every subscriber with a plain `send()`. Checks no signature, and has no limits and
//! no timeouts; understands only the requests of `loadgen`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Registry, Token};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{end_of_head, header};
use crate::frame::{self, CLOSE, PING, PONG, TEXT};
use crate::socket::{Came, Socket};

const LISTENER: Token = Token(usize::MAX);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// A publish, whose name and data are forwarded without parsing.
#[derive(Deserialize)]
struct Publish<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
    channels: Vec<&'a str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Command<'a> {
    event: &'a str,
    #[serde(borrow)]
    data: Subscription<'a>,
}

#[derive(Deserialize)]
struct Subscription<'a> {
    channel: &'a str,
}

struct Peer {
    socket: Socket,
    is_websocket: bool,
    /// The channel, and the position in its list.
    place: Option<(usize, usize)>,
    tail: Vec<u8>,
}

#[derive(Default)]
struct Server {
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    channels: HashMap<String, usize>,
    subscribers: Vec<Vec<usize>>,
    frame: Vec<u8>,
}

/// Serves for ever.
pub(crate) fn run(port: u16) -> io::Result<Infallible> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("rawlimit listens on {}", listener.local_addr()?);
    let mut server = Server::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    server.welcome(stream, poll.registry())?;
                }
            } else {
                server.on_event(event, &mut buffer);
            }
        }
    }
}

impl Server {
    fn welcome(&mut self, stream: mio::net::TcpStream, registry: &Registry) -> io::Result<()> {
        let number = self.free.pop().unwrap_or(self.peers.len());
        let socket = Socket::new(stream, registry, number)?;
        let peer = Some(Peer { socket, is_websocket: false, place: None, tail: Vec::new() });
        match self.peers.get_mut(number) {
            Some(empty) => *empty = peer,
            None => self.peers.push(peer),
        }
        Ok(())
    }

    fn on_event(&mut self, event: &Event, buffer: &mut [u8]) {
        let number = event.token().0;
        let Some(peer) = &mut self.peers[number] else { return };
        if event.is_writable() {
            peer.socket.flush();
        }
        while event.is_readable()
            && let Some(peer) = &mut self.peers[number]
        {
            match peer.socket.read(buffer) {
                Came::Bytes(count, is_more) => {
                    let mut bytes = std::mem::take(&mut peer.tail);
                    bytes.extend_from_slice(&buffer[..count]);
                    let used = if peer.is_websocket {
                        self.read_frames(number, &mut bytes)
                    } else {
                        self.read_requests(number, &bytes)
                    };
                    match used {
                        Some(used) => self.keep(number, bytes, used),
                        None => self.end(number),
                    }
                    if !is_more && !event.is_read_closed() {
                        break;
                    }
                }
                Came::Nothing => break,
                Came::End => self.end(number),
            }
        }
    }

    fn keep(&mut self, number: usize, mut bytes: Vec<u8>, used: usize) {
        if used < bytes.len()
            && let Some(peer) = &mut self.peers[number]
        {
            bytes.drain(..used);
            peer.tail = bytes;
        }
    }

    /// The number of bytes in complete requests; `None` at the end.
    fn read_requests(&mut self, number: usize, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(length) = end_of_head(&bytes[at..]) {
            let head = &bytes[at..at + length];
            if header(head, "sec-websocket-key").is_some() {
                self.greet(number)?;
                return Some(at + length);
            }
            let body = header(head, "content-length")?.parse::<usize>().ok()?;
            let end = at + length + body;
            if end > bytes.len() {
                break;
            }
            self.peers[number].as_mut()?.socket.send(OK);
            self.publish(&bytes[at + length..end])?;
            at = end;
        }
        Some(at)
    }

    fn greet(&mut self, number: usize) -> Option<()> {
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            frame::ACCEPT
        )
        .into_bytes();
        let hello = format!(
            r#"{{"event":"pusher:connection_established","data":"{{\"socket_id\":\"1.{number}\",\"activity_timeout\":120}}"}}"#
        );
        frame::put(&mut answer, TEXT, hello.as_bytes());
        let peer = self.peers[number].as_mut()?;
        peer.is_websocket = true;
        peer.socket.send(&answer);
        Some(())
    }

    fn publish(&mut self, body: &[u8]) -> Option<()> {
        let publish: Publish<'_> = serde_json::from_slice(body).ok()?;
        for channel in publish.channels {
            let Some(channel_number) = self.channels.get(channel) else { continue };
            let text = format!(
                r#"{{"event":{},"channel":"{channel}","data":{}}}"#,
                publish.name.get(),
                publish.data.get()
            );
            self.frame.clear();
            frame::put(&mut self.frame, TEXT, text.as_bytes());
            for subscriber in &self.subscribers[*channel_number] {
                if let Some(peer) = &mut self.peers[*subscriber] {
                    peer.socket.send(&self.frame);
                }
            }
        }
        Some(())
    }

    fn read_frames(&mut self, number: usize, bytes: &mut [u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(frame) = frame::next(bytes, at) {
            let payload = &mut bytes[frame.payload.clone()];
            frame::apply_mask(payload, frame.mask?);
            at = frame.payload.end;
            match frame.opcode {
                TEXT => self.subscribe(number, payload)?,
                PING => self.answer(number, PONG, payload)?,
                CLOSE => {
                    self.answer(number, CLOSE, payload)?;
                    return None;
                }
                _ => {}
            }
        }
        Some(at)
    }

    fn subscribe(&mut self, number: usize, message: &[u8]) -> Option<()> {
        let command: Command<'_> = serde_json::from_slice(message).ok()?;
        if command.event != "pusher:subscribe" {
            return Some(());
        }
        let channel = command.data.channel;
        let next = self.channels.len();
        let at = *self.channels.entry(channel.to_owned()).or_insert(next);
        self.subscribers.resize_with(self.channels.len(), Vec::new);
        self.peers[number].as_mut()?.place = Some((at, self.subscribers[at].len()));
        self.subscribers[at].push(number);
        let text = format!(
            r#"{{"event":"pusher_internal:subscription_succeeded","channel":"{channel}","data":"{{}}"}}"#
        );
        self.answer(number, TEXT, text.as_bytes())
    }

    fn answer(&mut self, number: usize, opcode: u8, payload: &[u8]) -> Option<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 10);
        frame::put(&mut bytes, opcode, payload);
        self.peers[number].as_mut()?.socket.send(&bytes);
        Some(())
    }

    fn end(&mut self, number: usize) {
        let Some(peer) = self.peers[number].take() else { return };
        self.free.push(number);
        let Some((channel, place)) = peer.place else { return };
        self.subscribers[channel].swap_remove(place);
        if let Some(moved) = self.subscribers[channel].get(place)
            && let Some(peer) = &mut self.peers[*moved]
        {
            peer.place = Some((channel, place));
        }
    }
}
