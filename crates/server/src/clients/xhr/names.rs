//! The sessions of the fallback by name, and what their clients send.

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::fallback::SessionName;
use percent_encoding::percent_decode_str;

use crate::clients::http_session::inbox::Inbox;
use crate::clients::http_session::sessions::Sessions;

/// A session: an app's key, and the name that the client chose. Requests with another key do not reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct XhrName {
    key: Box<str>,
    name: SessionName,
}

/// What a client has sent.
#[derive(Debug)]
pub(crate) enum Sent {
    /// A message.
    Text(Box<str>),
    /// Nothing: the client wants a sign of life (FALLBACK-019).
    Heartbeat,
    /// What no session goes on after; what came before is handled first.
    TooMuch(CloseReason),
}

/// All sessions of the fallback on this node.
pub(crate) type XhrSessions = Sessions<XhrName, Inbox<Sent>>;

/// The parts of a path that name a session, as received.
#[derive(Clone, Copy)]
pub(crate) struct XhrPath<'a> {
    pub key: &'a str,
    pub number: &'a str,
    pub letters: &'a str,
}

impl XhrPath<'_> {
    /// The name, if it is one.
    pub fn name(&self) -> Option<XhrName> {
        let name = SessionName::parse(self.number, self.letters)?;
        Some(XhrName { key: percent_decode_str(self.key).decode_utf8_lossy().into(), name })
    }
}
