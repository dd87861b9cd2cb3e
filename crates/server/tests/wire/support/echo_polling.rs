//! Clients of Laravel Echo's `socket.io` connector over polling, request by request.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::Value;

use super::echo::{Echo, opened, subscribe};
use super::http::{Answer, Http};
use super::server::TestServer;
use super::socket::Socket;
use super::upgrade::Upgrade;

/// A session that polls.
pub struct Polling {
    addr: SocketAddr,
    version: u8,
    pub sid: String,
    /// The id that an application is told.
    pub id: String,
    /// The connection of POSTs.
    pub posts: Http,
    /// The connection of the polls.
    polls: Http,
    /// Packets that have arrived and are not read yet.
    packets: VecDeque<String>,
}

impl Polling {
    /// A session whose client has connected.
    #[track_caller]
    pub fn connect(server: &TestServer, version: u8) -> Self {
        Self::connect_from(server, version, None)
    }

    /// As [`Self::connect`], of a page of this origin.
    #[track_caller]
    pub fn connect_from(server: &TestServer, version: u8, origin: Option<&str>) -> Self {
        let mut session = Self::opened_from(server, version, origin);
        if version == 4 {
            session.post("40");
            let connected = session.packet();
            let json = connected.strip_prefix("40").unwrap_or_else(|| panic!("SIO-042: {connected}"));
            let json: Value = serde_json::from_str(json).expect("SIO-042: JSON");
            session.id = json["sid"].as_str().expect("an id").to_owned();
            assert_ne!(session.id, session.sid, "SIO-091");
        }
        session
    }

    /// A session that has got its handshake's answer alone.
    #[track_caller]
    pub fn opened(server: &TestServer, version: u8) -> Self {
        Self::opened_from(server, version, None)
    }

    #[track_caller]
    fn opened_from(server: &TestServer, version: u8, origin: Option<&str>) -> Self {
        let mut polls = Http::connect(server.addr);
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let target = format!("/socket.io/?EIO={version}&transport=polling&t=P1");
        polls.write(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{origin}\r\n").as_bytes());
        let answer = polls.answer();
        assert_eq!(answer.head.status, 200, "{answer:?}");
        let mut packets = payload(version, &answer.body);
        let open = opened(&packets.pop_front().expect("an open packet"));
        assert_eq!(open["upgrades"], serde_json::json!(["websocket"]), "SIO-011");
        if version == 3 {
            assert_eq!(packets.pop_front().as_deref(), Some("40"), "SIO-013");
        }
        assert!(packets.is_empty(), "SIO-013");
        let sid = open["sid"].as_str().expect("a sid").to_owned();
        let posts = Http::connect(server.addr);
        Self { addr: server.addr, version, id: sid.clone(), sid, posts, polls, packets }
    }

    /// The session's path with its query.
    pub fn target(&self) -> String {
        format!("/socket.io/?EIO={}&transport=polling&sid={}", self.version, self.sid)
    }

    /// Sends a poll, and does not wait for its answer.
    #[track_caller]
    pub fn begin_poll(&mut self) {
        let target = self.target();
        self.polls.write(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    }

    /// Waits until the session has the poll that was begun; the head of its answer comes then.
    #[track_caller]
    pub fn expect_poll_waits(&mut self) {
        assert_eq!(self.polls.head().status, 200);
    }

    /// The answer to the poll that was begun.
    #[track_caller]
    pub fn poll_answer(&mut self) -> Answer {
        self.polls.answer()
    }

    /// Ends the poll that was begun, as a page that is closed.
    pub fn drop_poll(&mut self) {
        self.polls = Http::connect(self.addr);
    }

    /// The next packet, by as many polls as that takes.
    #[track_caller]
    pub fn packet(&mut self) -> String {
        while self.packets.is_empty() {
            self.begin_poll();
            let answer = self.poll_answer();
            assert_eq!(answer.head.status, 200, "{answer:?}");
            assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=UTF-8"), "SIO-012");
            self.packets = payload(self.version, &answer.body);
        }
        self.packets.pop_front().expect("not empty")
    }

    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.packet(), packet);
    }

    /// Sends a body as it is.
    #[track_caller]
    pub fn post_raw(&mut self, body: &[u8]) -> Answer {
        self.begin_post(body.len());
        self.posts.write(body);
        self.posts.answer()
    }

    /// Sends the head of a POST alone.
    #[track_caller]
    pub fn begin_post(&mut self, length: usize) {
        let target = self.target();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        self.posts.write(head.as_bytes());
    }

    /// Sends a packet, which is taken in.
    #[track_caller]
    pub fn post(&mut self, packet: &str) {
        self.post_all(&[packet]);
    }

    /// Sends packets in one body.
    #[track_caller]
    pub fn post_all(&mut self, packets: &[&str]) {
        let answer = self.post_raw(body_of(self.version, packets).as_bytes());
        assert_eq!((answer.head.status, &*answer.body), (200, "ok"), "SIO-014");
        assert_eq!(answer.head.header("content-type"), Some("text/html"));
    }

    /// Subscribes to a public channel, and waits until that is done.
    #[track_caller]
    pub fn join(&mut self, channel: &str) {
        self.post_all(&[&subscribe(channel, "{}"), "2"]);
        self.expect("3");
    }

    /// Opens a WebSocket for the upgrade.
    #[track_caller]
    pub fn candidate(&self) -> Socket {
        Upgrade::to(&self.websocket_target()).open(self.addr).1
    }

    pub fn websocket_target(&self) -> String {
        format!("/socket.io/?EIO={}&transport=websocket&sid={}", self.version, self.sid)
    }

    /// Asks by a WebSocket whether the session can change to it; the poll that waits is ended.
    #[track_caller]
    pub fn probe(&mut self, socket: &mut Socket) {
        socket.send("2probe");
        socket.expect_text("3probe");
        assert_eq!(payload(self.version, &self.poll_answer().body), ["6"], "SIO-020");
    }

    /// A WebSocket that has been probed: the session changes to it with `5`.
    #[track_caller]
    pub fn probed(&mut self) -> Socket {
        self.begin_poll();
        let mut socket = self.candidate();
        self.probe(&mut socket);
        socket
    }

    /// Changes to a WebSocket as socket.io-client does.
    #[track_caller]
    pub fn upgraded(mut self) -> Echo {
        let mut socket = self.probed();
        socket.send("5");
        Echo { socket, id: self.id }
    }
}

/// The body that carries these packets (SIO-012).
pub fn body_of(version: u8, packets: &[&str]) -> String {
    match version {
        3 => packets.iter().map(|packet| format!("{}:{packet}", packet.encode_utf16().count())).collect(),
        _ => packets.join("\u{1e}"),
    }
}

/// The packets of a body, read as socket.io-client does.
#[track_caller]
pub fn payload(version: u8, body: &str) -> VecDeque<String> {
    if version != 3 {
        return body.split('\u{1e}').map(str::to_owned).collect();
    }
    let mut packets = VecDeque::new();
    let mut rest: Vec<u16> = body.encode_utf16().collect();
    while !rest.is_empty() {
        let colon = rest.iter().position(|&unit| unit == u16::from(b':')).expect("SIO-012: a length");
        let length: usize = String::from_utf16(&rest[..colon]).expect("text").parse().expect("a number");
        packets
            .push_back(String::from_utf16(&rest[colon + 1..colon + 1 + length]).expect("whole characters"));
        rest.drain(..colon + 1 + length);
    }
    packets
}
