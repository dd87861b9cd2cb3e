//! A refusal as who refuses makes it known. Never holds a secret, a signature or what an event carries.

use std::fmt::Display;
use std::net::IpAddr;

use fanfare_protocol::ids::SocketId;

/// Where a refusal was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A request of the HTTP API.
    Http,
    /// A client that wanted to connect.
    Handshake,
    /// A client's message, answered with `pusher:error`.
    Message,
    /// A client that was not authorized, by its application or in time.
    Authorization,
    /// A connection that was closed because its client did not read fast enough.
    SlowReader,
    /// A connection that the server closed for another fault of its client.
    Closed,
    /// Messages over a quota.
    Quota,
    /// A message of a Redis that was not published.
    Redis,
    /// Events that a webhook will never deliver.
    Webhook,
}

impl RefusalKind {
    /// The kind of this word; `None` for a word of a later release.
    #[must_use]
    pub fn named(label: &str) -> Option<Self> {
        let all = [
            Self::Http,
            Self::Handshake,
            Self::Message,
            Self::Authorization,
            Self::SlowReader,
            Self::Closed,
            Self::Quota,
            Self::Redis,
            Self::Webhook,
        ];
        all.into_iter().find(|kind| kind.label() == label)
    }

    /// The kind in one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Handshake => "handshake",
            Self::Message => "message",
            Self::Authorization => "authorization",
            Self::SlowReader => "slow_reader",
            Self::Closed => "closed",
            Self::Quota => "quota",
            Self::Redis => "redis",
            Self::Webhook => "webhook",
        }
    }
}

/// A refusal, as who refuses makes it known.
#[derive(Clone, Copy)]
pub struct NotedRefusal<'a> {
    /// Where the refusal was made.
    pub kind: RefusalKind,
    /// The status of HTTP, the close code, or the code of the error event.
    pub code: Option<u16>,
    /// The cause in one word, of the table of such causes.
    pub cause: &'static str,
    /// The sentence that was answered, without a signature and without a secret.
    pub text: &'a dyn Display,
    /// The client's connection.
    pub socket: Option<SocketId>,
    /// The channel, as received.
    pub channel: Option<&'a str>,
    /// The address of the client or back end.
    pub address: Option<IpAddr>,
    /// The string that should have been signed, without what an event carries.
    pub signed: Option<&'a str>,
    /// How many are refused at once.
    pub count: u64,
}

impl<'a> NotedRefusal<'a> {
    /// One refusal of which nothing else is known.
    #[must_use]
    pub const fn new(
        kind: RefusalKind,
        code: Option<u16>,
        cause: &'static str,
        text: &'a dyn Display,
    ) -> Self {
        Self { kind, code, cause, text, socket: None, channel: None, address: None, signed: None, count: 1 }
    }
}
