//! What has happened, as whoever sees it tells the taps: borrowed, so that telling what nobody wants costs nothing.

use std::fmt;
use std::net::IpAddr;

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use super::kind::LiveKind;

/// Something that has happened in an app.
#[derive(Clone, Copy, Debug)]
pub struct LiveFact<'a> {
    /// What it is.
    pub kind: LiveKind,
    /// The channel.
    pub channel: Option<&'a str>,
    /// The event's name.
    pub event: Option<&'a str>,
    /// The connection.
    pub socket: Option<SocketId>,
    /// The user.
    pub user: Option<&'a str>,
    /// Bytes of the event's data, or of what was sent.
    pub bytes: Option<usize>,
    /// Connections that took the event on the node.
    pub receivers: Option<usize>,
    /// Who did it.
    pub by: Option<LiveBy<'a>>,
    /// The close code, error code or status.
    pub code: Option<u16>,
    /// Why, as a sentence or a few words.
    pub why: Option<&'a str>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The connection's transport.
    pub transport: Option<&'static str>,
    /// How long it has taken or lasted, in milliseconds.
    pub milliseconds: Option<u64>,
    /// The address that was asked or told.
    pub url: Option<&'a str>,
    /// What was refused, in one word.
    pub refusal: Option<&'static str>,
    /// The event's message, whose data those may see who have leave.
    pub frame: Option<&'a Frame>,
}

/// Who has done something (CON-082).
#[derive(Clone, Copy, Debug)]
pub enum LiveBy<'a> {
    /// A back end, with this key.
    Key(&'a str),
    /// An operator.
    Console,
    /// An application, through its Redis.
    Feed,
    /// A client, over its connection.
    Socket,
}

impl fmt::Display for LiveBy<'_> {
    /// Of a key the first four characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key:{}", key.chars().take(4).collect::<String>()),
            Self::Console => f.write_str("console"),
            Self::Feed => f.write_str("feed"),
            Self::Socket => f.write_str("socket"),
        }
    }
}

impl LiveFact<'_> {
    /// A fact of which nothing else is known.
    #[must_use]
    pub const fn of(kind: LiveKind) -> Self {
        Self {
            kind,
            channel: None,
            event: None,
            socket: None,
            user: None,
            bytes: None,
            receivers: None,
            by: None,
            code: None,
            why: None,
            address: None,
            transport: None,
            milliseconds: None,
            url: None,
            refusal: None,
            frame: None,
        }
    }
}
