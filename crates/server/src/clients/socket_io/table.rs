//! The sessions that requests find by their `sid`, and what their requests have under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_hub::Conn;
use fanfare_protocol::engine_io::{EngineVersion, Packet};
use fanfare_protocol::ids::SocketId;

use crate::clients::http_session::away::Away;
use crate::clients::http_session::inbox::{Inbox, OVERHEAD};
use crate::clients::http_session::sessions::{SessionEntry, Sessions};
use crate::clients::ws::BareSocket;
use crate::connections::Place;

/// All sessions of the node that began by polling.
pub type SocketIoTable = Sessions<Sid, SocketIoSession>;

/// A session in the table, removed on drop.
pub(super) type SocketIoEntry = SessionEntry<Sid, SocketIoSession>;

/// The name of a session (SIO-090, SIO-091).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sid {
    /// Of version 3: the socket's id.
    Shared(SocketId),
    /// Of version 4: 128 random bits, told to the client alone.
    Secret(u128),
}

impl Sid {
    /// A new session's.
    pub(super) fn new(version: EngineVersion, socket: SocketId) -> Self {
        let bits = || u128::from(getrandom::u64().expect("the operating system has random numbers"));
        match version {
            EngineVersion::Three => Self::Shared(socket),
            EngineVersion::Four => Self::Secret(bits() << 64 | bits()),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(socket) = text.parse() {
            return Some(Self::Shared(socket));
        }
        let is_hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(text, 16).ok().filter(|_| is_hex).map(Self::Secret)
    }
}

impl std::fmt::Display for Sid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shared(socket) => socket.fmt(f),
            Self::Secret(bits) => write!(f, "{bits:032x}"),
        }
    }
}

/// What a request brings to its session.
pub enum Brought {
    /// A message.
    Message(String),
    /// A ping.
    Ping,
    /// The end.
    Close,
    /// A packet that shows nothing but that the client lives.
    Sign,
    /// A WebSocket that may become the session's transport.
    Socket(Candidate),
}

impl Brought {
    /// What a packet brings.
    pub(super) fn packet(packet: Packet<'_>) -> Self {
        match packet {
            Packet::Message(content) => Self::Message(content.to_owned()),
            Packet::Ping(_) => Self::Ping,
            Packet::Close => Self::Close,
            Packet::Pong(_) | Packet::Upgrade | Packet::Ignored => Self::Sign,
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(content) => content.len() + OVERHEAD,
            _ => OVERHEAD,
        }
    }
}

/// A WebSocket of a session that polls.
pub struct Candidate {
    pub(super) socket: BareSocket,
    /// What the client sent along with the request.
    pub(super) early: Vec<u8>,
    /// The slot among the HTTP connections, until the WebSocket is the session's transport.
    pub(super) place: Place,
}

/// A session as its requests see it.
pub struct SocketIoSession {
    pub(super) version: EngineVersion,
    pub(super) inbox: Inbox<Brought>,
    /// A poll waits.
    pub(super) polls: AtomicBool,
    /// A POST is being read.
    posts: AtomicBool,
    /// A WebSocket is being tried, or is the session's transport.
    pub(super) upgrades: AtomicBool,
    /// The session's transport is a WebSocket.
    pub(super) is_upgraded: AtomicBool,
    /// The session has ended, and its client is to be told by a poll not to come back (SIO-034).
    pub(super) is_dismissed: AtomicBool,
}

/// A POST that is being read.
pub(super) struct Posting<'a>(&'a SocketIoSession);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.posts.store(false, Ordering::Release);
    }
}

impl SocketIoSession {
    pub(super) fn new(version: EngineVersion, conn: Arc<Conn>, most_bytes: usize, away: Away) -> Self {
        let [polls, posts, upgrades, is_upgraded, is_dismissed] = [(); 5].map(|()| AtomicBool::new(false));
        let inbox = Inbox::new(conn, most_bytes, away);
        Self { version, inbox, polls, posts, upgrades, is_upgraded, is_dismissed }
    }

    /// Begins a POST; `None` while another is being read (SIO-017).
    pub(super) fn begin_post(&self) -> Option<Posting<'_>> {
        (!self.posts.swap(true, Ordering::AcqRel)).then_some(Posting(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sio_090_and_sio_091_a_sid_has_one_spelling() {
        let socket = SocketId::from_bits(7);
        assert_eq!(Sid::new(EngineVersion::Three, socket).to_string(), "0.7");
        let secret = Sid::new(EngineVersion::Four, socket);
        assert_eq!(Sid::parse(&secret.to_string()), Some(secret));
        assert_eq!(Sid::parse("0.7"), Some(Sid::Shared(socket)));
        assert_eq!(
            Sid::parse(&"0f".repeat(16)),
            Some(Sid::Secret(0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f))
        );
        for other in
            ["", "7", "00.7", "+1.2", &"F".repeat(32), &"0".repeat(31), &format!("+{}", "0".repeat(31))]
        {
            assert_eq!(Sid::parse(other), None, "{other}");
        }
    }
}
