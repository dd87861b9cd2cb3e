//! What nodes send each other through a topic, byte by byte (layout 1). Deltas are the scripts' own: see `scripts`.
//!
//! Owns writing and reading; reading never panics, whatever the bytes. Knows no connection, and decides nothing.

mod event;
mod missed;
mod node;
mod reach;
mod tap;

use bytes::Bytes;
use fanfare_protocol::frame::Frame;

pub use self::event::{EventKind, EventMessage, FLAG_QUIET, Unreadable, set_number};
pub(crate) use self::missed::{CameBackNote, MissedQuestion, read_answer, write_answer};
pub(crate) use self::node::{NodeAnswerText, NodeQuestionText};
pub(crate) use self::reach::ReachAnswer;
pub(crate) use self::tap::{read_part, read_tap, write_part, write_tap};

/// The longest message that is sent, in bytes.
pub const LONGEST: usize = 1024 * 1024;

/// The hexadecimal digits of a version in front of a kept event.
pub(crate) const VERSION_DIGITS: usize = 14;

/// A message that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Something of one node.
    Event(EventMessage<'a>),
    /// An event of a cache channel, under its version.
    Kept {
        /// The event's place among the kept events of its topic.
        version: u64,
        /// The event.
        event: EventMessage<'a>,
    },
}

impl<'a> Message<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are no message of this version, or of a kind that is not known.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        match bytes.first() {
            Some(&event::MARK) => {
                let event = EventMessage::read(bytes)?;
                match event.kind {
                    EventKind::Kept { .. } => Err(Unreadable::Malformed),
                    _ => Ok(Self::Event(event)),
                }
            }
            Some(b'0'..=b'9' | b'a'..=b'f') => {
                let (version, event) = kept(bytes)?;
                Ok(Self::Kept { version, event })
            }
            _ => Err(Unreadable::Malformed),
        }
    }
}

/// Reads a kept event with its version, as `keep.lua` publishes and stores both.
///
/// # Errors
/// The bytes are no kept event of this version.
pub fn kept(bytes: &[u8]) -> Result<(u64, EventMessage<'_>), Unreadable> {
    let (digits, event) = bytes.split_at_checked(VERSION_DIGITS).ok_or(Unreadable::Malformed)?;
    let is_digits = digits.iter().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_digits);
    let version = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let event = EventMessage::read(event)?;
    match (version, event.kind) {
        (Some(version), EventKind::Kept { .. }) => Ok((version, event)),
        _ => Err(Unreadable::Malformed),
    }
}

/// The frame for clients of a kept event, without the version in front; `None` if the bytes are no kept event.
#[must_use]
pub fn frame_of(bytes: &Bytes) -> Option<Frame> {
    let event = EventMessage::read(bytes).ok()?;
    matches!(event.kind, EventKind::Kept { .. }).then(|| frame(event.text))
}

/// The frame for clients of a text.
pub(crate) fn frame(text: &[u8]) -> Frame {
    Frame::text(text.len(), |frame| frame.extend_from_slice(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(kind: EventKind) -> EventMessage<'static> {
        EventMessage { kind, flags: 0, node: 7, number: 3, except: None, channel: "private-a", text: b"{}" }
    }

    #[test]
    fn a_kept_event_has_its_version_in_front() {
        let event = sample(EventKind::Kept { milliseconds: 60_000 });
        let mut bytes = b"0000000000001f".to_vec();
        bytes.extend(event.write());
        assert_eq!(Message::read(&bytes), Ok(Message::Kept { version: 31, event }));
        assert_eq!(kept(&bytes), Ok((31, event)));
        assert_eq!(Message::read(&event.write()), Err(Unreadable::Malformed), "without a version");
        let mut plain = b"0000000000001f".to_vec();
        plain.extend(sample(EventKind::Event).write());
        assert_eq!(Message::read(&plain), Err(Unreadable::Malformed), "an event that is not kept");
        assert_eq!(kept(b"00000000000+1f"), Err(Unreadable::Malformed));
    }

    #[test]
    fn other_versions_and_kinds_are_told_from_garbage() {
        let mut bytes = sample(EventKind::Event).write();
        bytes[1] = 2;
        assert_eq!(Message::read(&bytes), Err(Unreadable::Version(2)));
        bytes[1] = 1;
        bytes[2] = 77;
        assert_eq!(Message::read(&bytes), Err(Unreadable::Kind(77)));
        for garbage in [&b""[..], b"hello", b"\xfa", b"\xfa\x01\x01", b"\x90", b"\xc0"] {
            assert_eq!(Message::read(garbage), Err(Unreadable::Malformed));
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::read(&bytes);
            for first in [event::MARK, b'0'] {
                let mut begun = vec![first, 1];
                begun.extend(&bytes);
                let _ = Message::read(&begun);
            }
            let mut begun = b"0000000000001f\xfa\x01".to_vec();
            begun.extend(&bytes);
            let _ = kept(&begun);
        }
    }
}
