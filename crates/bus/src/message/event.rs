//! Messages of one node to the others: mark, version, kind, flags, node, number, exception, name, and the text.
//!
//! Numbers are big-endian.

use bytes::Buf as _;
use fanfare_protocol::ids::SocketId;

/// The version of every message (CL-072).
const VERSION: u8 = 1;

/// The first byte.
pub(super) const MARK: u8 = 0xFA;

/// Flag of a kept event that nobody is to be told of (CL-068).
pub const FLAG_QUIET: u8 = 1;

/// Mark, version, kind, flags, node, number, exception, length of the name.
const HEAD: usize = 4 + 8 + 4 + 8 + 2;

/// Where the number stands.
const NUMBER: std::ops::Range<usize> = 12..16;

/// Why a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The version is another release's.
    #[error("messages of version {0} are not known")]
    Version(u8),
    /// The kind is another release's.
    #[error("messages of kind {0} are not known")]
    Kind(u8),
    /// The bytes are no message.
    #[error("what is no message came through a topic")]
    Malformed,
}

/// A message of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventMessage<'a> {
    /// What kind of message.
    pub kind: EventKind,
    /// `FLAG_QUIET`, or 0; unknown flags are ignored.
    pub flags: u8,
    /// The node that sent the message.
    pub node: u64,
    /// The message's number among those of its node in its topic; gaps are counted.
    pub number: u32,
    /// The connection that does not get the event (CL-004).
    pub except: Option<SocketId>,
    /// The channel; of kinds without a channel the app.
    pub channel: &'a str,
    /// What goes to clients; for `CloseUser` the user.
    pub text: &'a [u8],
}

/// The kinds of messages of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An event of a channel.
    Event,
    /// An event of a cache channel.
    Kept {
        /// How long the event is kept.
        milliseconds: u64,
    },
    /// The connections of a user are to be closed (CL-052).
    CloseUser,
    /// An app's settings have changed (CL-060).
    AppChanged,
    /// Whom an event of the channel reaches on each node (CON-042); the text is the number of the question.
    AskReach,
    /// The answer to such a question, for the node that has asked.
    Reach,
    /// What a client has missed on the channel, of the node that the text names (RES-014).
    AskMissed,
    /// The answer to such a question.
    Missed,
    /// A client has come to another node with a token of the node that the text names (RES-009).
    CameBack,
    /// What each node knows of an app from its own memory (CON-054).
    AskNodes,
    /// The answer to such a question, for the node that has asked.
    NodeAnswer,
    /// A tap of the node, with its lease (CON-037).
    Tap,
    /// What a node has seen for a tap of the node that hears it.
    TapPart,
}

impl EventKind {
    const fn code(self) -> u8 {
        match self {
            Self::Event => 1,
            Self::Kept { .. } => 2,
            Self::CloseUser => 3,
            Self::AppChanged => 4,
            Self::AskReach => 5,
            Self::Reach => 6,
            Self::AskMissed => 7,
            Self::Missed => 8,
            Self::CameBack => 9,
            Self::AskNodes => 10,
            Self::NodeAnswer => 11,
            Self::Tap => 12,
            Self::TapPart => 13,
        }
    }
}

impl<'a> EventMessage<'a> {
    /// The message in its bytes. A name of over 65,535 bytes is cut off; no channel and no app has such a name.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let name = self.channel.as_bytes();
        let name = name.get(..usize::from(u16::MAX)).unwrap_or(name);
        let mut bytes = Vec::with_capacity(HEAD + 8 + name.len() + self.text.len());
        bytes.extend([MARK, VERSION, self.kind.code(), self.flags]);
        bytes.extend(self.node.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.except.map_or(0, SocketId::bits).to_be_bytes());
        bytes.extend((name.len() as u16).to_be_bytes());
        bytes.extend_from_slice(name);
        if let EventKind::Kept { milliseconds } = self.kind {
            bytes.extend(milliseconds.to_be_bytes());
        }
        bytes.extend_from_slice(self.text);
        bytes
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut head = bytes.get(..HEAD).ok_or(Unreadable::Malformed)?;
        if head.get_u8() != MARK {
            return Err(Unreadable::Malformed);
        }
        let version = head.get_u8();
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let (kind, flags, node) = (head.get_u8(), head.get_u8(), head.get_u64());
        let (number, except, length) = (head.get_u32(), head.get_u64(), usize::from(head.get_u16()));
        let rest = bytes.get(HEAD..).unwrap_or_default();
        let (channel, mut rest) = rest.split_at_checked(length).ok_or(Unreadable::Malformed)?;
        let channel = std::str::from_utf8(channel).map_err(|_| Unreadable::Malformed)?;
        let kind = match kind {
            1 => EventKind::Event,
            2 if rest.len() >= 8 => EventKind::Kept { milliseconds: rest.get_u64() },
            2 => return Err(Unreadable::Malformed),
            3 => EventKind::CloseUser,
            4 => EventKind::AppChanged,
            5 => EventKind::AskReach,
            6 => EventKind::Reach,
            7 => EventKind::AskMissed,
            8 => EventKind::Missed,
            9 => EventKind::CameBack,
            10 => EventKind::AskNodes,
            11 => EventKind::NodeAnswer,
            12 => EventKind::Tap,
            13 => EventKind::TapPart,
            other => return Err(Unreadable::Kind(other)),
        };
        let except = (except != 0).then(|| SocketId::from_bits(except));
        Ok(Self { kind, flags, node, number, except, channel, text: rest })
    }
}

/// Writes the number into a message of [`EventMessage::write`].
pub fn set_number(message: &mut [u8], number: u32) {
    if let Some(place) = message.get_mut(NUMBER) {
        place.copy_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_written_down_here_and_may_not_change() {
        let message = EventMessage {
            kind: EventKind::Event,
            flags: 0,
            node: 0x0102_0304_0506_0708,
            number: 9,
            except: Some(SocketId::from_bits(0x11)),
            channel: "ab",
            text: b"{}",
        };
        let bytes = [
            &[0xFA, 1, 1, 0][..],
            &[1, 2, 3, 4, 5, 6, 7, 8],
            &[0, 0, 0, 9],
            &[0, 0, 0, 0, 0, 0, 0, 0x11],
            &[0, 2],
            b"ab",
            b"{}",
        ]
        .concat();
        assert_eq!(message.write(), bytes);
        let kept = EventMessage { kind: EventKind::Kept { milliseconds: 5 }, flags: 1, ..message };
        let bytes = kept.write();
        assert_eq!(bytes[2..4], [2, 1]);
        assert_eq!(bytes[26..], [&b"ab"[..], &[0, 0, 0, 0, 0, 0, 0, 5], b"{}"].concat());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in 0..13, flags: u8, node: u64, number: u32, except: u64,
            channel in "[ -~]{0,80}", text in proptest::collection::vec(any::<u8>(), 0..100), milliseconds: u64,
        ) {
            let kinds = [
                EventKind::Event, EventKind::Kept { milliseconds }, EventKind::CloseUser, EventKind::AppChanged,
                EventKind::AskReach, EventKind::Reach, EventKind::AskMissed, EventKind::Missed, EventKind::CameBack,
                EventKind::AskNodes, EventKind::NodeAnswer, EventKind::Tap, EventKind::TapPart,
            ];
            let except = (except != 0).then(|| SocketId::from_bits(except));
            let kind = kinds[kind as usize];
            let message =
                EventMessage { kind, flags, node, number, except, channel: &channel, text: &text };
            let bytes = message.write();
            prop_assert_eq!(EventMessage::read(&bytes), Ok(message));
            // Any shorter message is none, or one with less text.
            for end in 0..HEAD {
                prop_assert_eq!(EventMessage::read(&bytes[..end]), Err(Unreadable::Malformed));
            }
        }
    }
}
