//! The back end: kept-alive connections to the HTTP API, one request at a time each. With all connections
//! busy an event waits, and its latency counts from the due time.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mio::Registry;
use mio::event::Event;
use mio::net::TcpStream;

use crate::api::{self, Requests};
use crate::arguments::Target;
use crate::histogram::Histogram;
use crate::payload::Stamp;
use crate::socket::{Came, Socket};
use crate::tally::Tally;

/// Most events waiting for a connection.
const WAITING: usize = 100_000;

struct Publisher {
    socket: Socket,
    came: Vec<u8>,
    /// The time of sending the request that has no answer yet.
    asked: Option<u64>,
}

/// All publishers; the token of the first is `first_token`.
pub(crate) struct Publishers {
    all: Vec<Publisher>,
    idle: Vec<usize>,
    waiting: VecDeque<(String, Stamp)>,
    requests: Requests,
    port: u16,
    first_token: usize,
    buffer: Vec<u8>,
    bytes: Vec<u8>,
    /// Requests that were answered with 200.
    pub answered: u64,
    /// Time from request to answer, since the histogram was last replaced.
    pub latencies: Histogram,
}

impl Publishers {
    pub(crate) fn new(requests: Requests, port: u16, first_token: usize) -> Self {
        Self {
            all: Vec::new(),
            idle: Vec::new(),
            waiting: VecDeque::new(),
            requests,
            port,
            first_token,
            buffer: vec![0; 16 * 1024],
            bytes: Vec::new(),
            answered: 0,
            latencies: Histogram::default(),
        }
    }

    /// From now on, a request publishes so many equal events.
    pub(crate) fn in_batches(&mut self, target: &Target, batch: usize) {
        self.requests.in_batches(target, batch);
    }

    /// Opens `count` connections.
    pub(crate) fn open(&mut self, registry: &Registry, count: usize) -> io::Result<()> {
        for number in 0..count.max(1) {
            let socket = connect(registry, self.port, self.first_token + number)?;
            self.all.push(Publisher { socket, came: Vec::new(), asked: None });
            self.idle.push(number);
        }
        Ok(())
    }

    /// Whether a connection is free.
    pub(crate) fn is_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Whether any request has no answer yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.idle.len() < self.all.len()
    }

    /// Publishes to a channel, or queues the event until a connection is free.
    pub(crate) fn publish(&mut self, channel: &str, stamp: Stamp, tally: &mut Tally, now: u64) {
        if let Some(number) = self.idle.pop() {
            self.ask(number, channel, stamp, now);
        } else if self.waiting.len() < WAITING {
            self.waiting.push_back((channel.to_owned(), stamp));
        } else {
            tally.fault("more was due than the server takes: not published");
        }
    }

    fn ask(&mut self, number: usize, channel: &str, stamp: Stamp, now: u64) {
        self.bytes.clear();
        self.requests.put(&mut self.bytes, channel, stamp);
        let publisher = &mut self.all[number];
        publisher.asked = Some(now);
        publisher.socket.send(&self.bytes);
    }

    /// Processes a readiness event of a connection.
    pub(crate) fn on_event(
        &mut self,
        registry: &Registry,
        event: &Event,
        tally: &mut Tally,
        now: impl Fn() -> u64,
    ) -> io::Result<()> {
        let number = event.token().0 - self.first_token;
        let publisher = &mut self.all[number];
        if event.is_writable() {
            publisher.socket.flush();
        }
        if !event.is_readable() {
            return Ok(());
        }
        let ended = loop {
            match publisher.socket.read(&mut self.buffer) {
                Came::Bytes(count, is_more) => {
                    publisher.came.extend_from_slice(&self.buffer[..count]);
                    if !is_more && !event.is_read_closed() {
                        break false;
                    }
                }
                Came::Nothing => break false,
                Came::End => break true,
            }
        };
        let answer = api::answer(&publisher.came);
        if let Some(answer) = &answer {
            publisher.came.drain(..answer.length);
        }
        if ended || answer.as_ref().is_some_and(|answer| answer.closes) {
            publisher.socket = connect(registry, self.port, self.first_token + number)?;
            publisher.came.clear();
        }
        let Some(asked) = publisher.asked.filter(|_| ended || answer.is_some()) else { return Ok(()) };
        publisher.asked = None;
        self.close_books(asked, answer.map(|answer| answer.status), tally, now());
        match self.waiting.pop_front() {
            Some((channel, stamp)) => self.ask(number, &channel, stamp, now()),
            None => self.idle.push(number),
        }
        Ok(())
    }

    fn close_books(&mut self, asked: u64, status: Option<u16>, tally: &mut Tally, now: u64) {
        tally.progress = now;
        match status {
            Some(200) => {
                self.answered += 1;
                self.latencies.record(now.saturating_sub(asked));
            }
            Some(status) => tally.fault(&format!("a publish was answered {status}")),
            None => tally.fault("a publish was not answered: the connection was closed"),
        }
    }
}

fn connect(registry: &Registry, port: u16, token: usize) -> io::Result<Socket> {
    Socket::new(TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?, registry, token)
}
