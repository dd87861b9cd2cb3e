//! The subscribers: connecting, subscribing, reading deliveries without parsing them, closing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mio::Registry;
use mio::event::Event;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Type};

use crate::api::end_of_head;
use crate::arguments::Target;
use crate::frame::{self, CLOSE, PING, PONG, TEXT};
use crate::payload::Finder;
use crate::socket::{Came, Socket};
use crate::tally::Tally;

/// Most bytes of one read.
const READ: usize = 64 * 1024;

/// Number of client addresses, used in turn: each has about 28,000 ports, and closed connections keep their
/// ports for a while.
const SOURCES: u8 = 32;

/// Kernel buffer of a client that stops reading, in bytes, approximate.
const SLOW_BUFFER: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Closed,
    Upgrading,
    Greeting,
    Subscribing,
    Ready,
    Leaving,
}

struct Client {
    socket: Option<Socket>,
    step: Step,
    /// Stops reading once subscribed.
    is_slow: bool,
    channel: usize,
    /// The beginning of an incomplete frame, or of an answer.
    tail: Vec<u8>,
}

/// All clients; a client's index is its token as well.
pub(crate) struct Clients {
    all: Vec<Client>,
    channels: Vec<String>,
    /// For each channel, the number of subscribers that read.
    readers: Vec<u32>,
    port: u16,
    handshake: String,
    next_source: u8,
    buffer: Vec<u8>,
    finder: Finder,
    /// Clients that became subscribers since this list was last emptied.
    pub subscribed: Vec<usize>,
    /// Clients whose close was answered since this list was last emptied.
    pub left: Vec<usize>,
    /// Clients between connecting and being subscribed.
    pub arriving: usize,
}

impl Clients {
    /// Creates `count` closed clients, spread over the channels; the first `slow` will not read.
    pub(crate) fn new(target: &Target, count: usize, channels: usize, slow: usize) -> Self {
        let channels: Vec<String> = (0..channels.max(1)).map(|number| format!("load-{number}")).collect();
        let client = |number: usize| Client {
            socket: None,
            step: Step::Closed,
            is_slow: number < slow,
            channel: number % channels.len(),
            tail: Vec::new(),
        };
        let handshake = format!(
            "GET /app/{}?protocol=7&client=loadgen&version=1.0 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n\r\n",
            target.key,
            target.port,
            frame::KEY
        );
        Self {
            all: (0..count).map(client).collect(),
            readers: vec![0; channels.len()],
            channels,
            port: target.port,
            handshake,
            next_source: 0,
            buffer: vec![0; READ],
            finder: Finder::default(),
            subscribed: Vec::new(),
            left: Vec::new(),
            arriving: 0,
        }
    }

    /// A channel's name, and the number of its subscribers that read.
    pub(crate) fn channel(&self, number: usize) -> (&str, u32) {
        (&self.channels[number], self.readers[number])
    }

    /// The number of channels.
    pub(crate) fn channels(&self) -> usize {
        self.channels.len()
    }

    /// The number of clients.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Begins to connect a client that is closed.
    pub(crate) fn open(&mut self, registry: &Registry, number: usize) -> io::Result<()> {
        let client = &mut self.all[number];
        self.next_source = (self.next_source + 1) % SOURCES;
        let source = Ipv4Addr::new(127, 0, 0, 2 + self.next_source);
        let stream = connect(source, self.port, client.is_slow)?;
        let mut socket = Socket::new(stream, registry, number)?;
        socket.send(self.handshake.as_bytes());
        client.socket = Some(socket);
        client.step = Step::Upgrading;
        self.arriving += 1;
        Ok(())
    }

    /// Sends a close frame; the client is in `left` once the server has closed.
    pub(crate) fn leave(&mut self, number: usize) {
        let client = &mut self.all[number];
        if client.step == Step::Ready && !client.is_slow {
            self.readers[client.channel] -= 1;
        }
        client.step = Step::Leaving;
        self.send(number, CLOSE, &1000_u16.to_be_bytes());
    }

    /// Processes a readiness event of a client's socket.
    pub(crate) fn on_event(
        &mut self,
        number: usize,
        event: &Event,
        tally: &mut Tally,
        now: impl Fn() -> u64,
    ) {
        let client = &mut self.all[number];
        let Some(socket) = &mut client.socket else { return };
        if event.is_writable() {
            socket.flush();
        }
        if !event.is_readable() || (client.is_slow && client.step == Step::Ready) {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(socket) = &mut self.all[number].socket {
            match socket.read(&mut buffer) {
                Came::Bytes(count, is_more) => {
                    self.take(number, &buffer[..count], tally, now());
                    if !is_more && !event.is_read_closed() {
                        break;
                    }
                }
                Came::Nothing => break,
                Came::End => self.end(number, tally),
            }
        }
        self.buffer = buffer;
    }

    /// Takes the bytes of a read: from the shared buffer if no tail is kept, which is the usual case.
    fn take(&mut self, number: usize, bytes: &[u8], tally: &mut Tally, now: u64) {
        let mut tail = std::mem::take(&mut self.all[number].tail);
        if tail.is_empty() {
            let used = self.parse(number, bytes, tally, now);
            tail.extend_from_slice(&bytes[used..]);
        } else {
            tail.extend_from_slice(bytes);
            let used = self.parse(number, &tail, tally, now);
            tail.drain(..used);
        }
        if self.all[number].socket.is_some() {
            self.all[number].tail = tail;
        }
    }

    /// Returns the number of bytes in complete frames.
    fn parse(&mut self, number: usize, bytes: &[u8], tally: &mut Tally, now: u64) -> usize {
        let mut at = 0;
        if self.all[number].step == Step::Upgrading {
            let Some(head) = end_of_head(bytes) else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                tally.fault("a handshake was refused");
            }
            self.all[number].step = Step::Greeting;
            at = head;
        }
        while let Some(frame) = frame::next(bytes, at) {
            let payload = &bytes[frame.payload.clone()];
            at = frame.payload.end;
            match frame.opcode {
                TEXT => match self.finder.find(payload) {
                    Some(stamp) => tally.deliver(stamp, now),
                    None => self.told(number, payload, tally),
                },
                PING => self.send(number, PONG, payload),
                // The end of the connection follows.
                _ => {}
            }
        }
        at
    }

    /// A message that is no delivery.
    fn told(&mut self, number: usize, message: &[u8], tally: &mut Tally) {
        let message = String::from_utf8_lossy(message);
        let client = &mut self.all[number];
        if message.contains("pusher:connection_established") {
            client.step = Step::Subscribing;
            let channel = &self.channels[client.channel];
            let text = format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#);
            self.send(number, TEXT, text.as_bytes());
        } else if message.contains("subscription_succeeded") {
            client.step = Step::Ready;
            self.arriving -= 1;
            self.readers[client.channel] += u32::from(!client.is_slow);
            self.subscribed.push(number);
        } else if message.contains("pusher:error") {
            tally.fault(&message);
        }
    }

    fn send(&mut self, number: usize, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(payload.len() + 16);
        frame::put_masked(&mut bytes, opcode, payload);
        if let Some(socket) = &mut self.all[number].socket {
            socket.send(&bytes);
        }
    }

    /// The server has closed the connection.
    fn end(&mut self, number: usize, tally: &mut Tally) {
        let client = &mut self.all[number];
        match client.step {
            Step::Leaving => self.left.push(number),
            Step::Ready => {
                self.readers[client.channel] -= u32::from(!client.is_slow);
                tally.fault("a subscriber was closed");
            }
            step => {
                self.arriving -= 1;
                tally.fault(&format!("a client was closed while {step:?}"));
            }
        }
        client.step = Step::Closed;
        client.socket = None;
        client.tail.clear();
    }
}

fn connect(source: Ipv4Addr, port: u16, is_slow: bool) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if is_slow {
        socket.set_recv_buffer_size(SLOW_BUFFER)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    match socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()) {
        // On loopback the connection is in progress, or established.
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
            Err(error)
        }
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
