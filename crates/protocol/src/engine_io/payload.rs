//! Payloads: several packets in the body of one poll's answer, or of one POST (SIO-012 … SIO-016).
//!
//! Version 3 writes the length of each packet before it, in UTF-16 units. Version 4 parts packets by byte 0x1e.

use std::io::Write as _;

use super::{EngineVersion, NotAPacket, Packet};
use crate::frame::Frame;
use crate::utf16::{split_at_units, units};

/// What parts packets in version 4. JSON has no such byte within it.
const SEPARATOR: u8 = 0x1e;

/// Digits of a length that no body reaches.
const MOST_DIGITS: usize = 10;

/// Why a body is not obeyed any further; the session ends (SIO-014, SIO-019).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadFault {
    /// A length is wrong, or a packet is none.
    #[error("not a payload of Engine.IO")]
    Malformed,
    /// A packet is too long; answered 413.
    #[error("a packet is longer than {limit} bytes")]
    TooLong {
        /// The longest packet, in bytes.
        limit: usize,
    },
}

impl From<NotAPacket> for PayloadFault {
    fn from(NotAPacket: NotAPacket) -> Self {
        Self::Malformed
    }
}

/// The packets of a POST's body, in order; ends behind the first fault.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    version: EngineVersion,
    /// `None` at the end.
    rest: Option<&'a str>,
    most_bytes: usize,
}

/// Reads a body; each packet, with its first character, is at most `most_bytes` long. The bound of the whole body is the
/// caller's.
#[must_use]
pub const fn packets(version: EngineVersion, body: &str, most_bytes: usize) -> Packets<'_> {
    Packets { version, rest: Some(body), most_bytes }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, PayloadFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let parted = match self.version {
            EngineVersion::Three => self.measured(rest),
            EngineVersion::Four => Ok(parted(rest)),
        };
        Some(parted.and_then(|(packet, rest)| {
            if packet.len() > self.most_bytes {
                return Err(PayloadFault::TooLong { limit: self.most_bytes });
            }
            let packet = Packet::parse(packet)?;
            self.rest = rest;
            Ok(packet)
        }))
    }
}

impl Packets<'_> {
    /// The first packet of a version 3 payload, and the rest if there is one.
    fn measured<'a>(&self, text: &'a str) -> Result<(&'a str, Option<&'a str>), PayloadFault> {
        let (length, rest) = text.split_once(':').ok_or(PayloadFault::Malformed)?;
        let is_number =
            (1..=MOST_DIGITS).contains(&length.len()) && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse().ok().filter(|_| is_number).ok_or(PayloadFault::Malformed)?;
        if length > self.most_bytes {
            // A text has at least as many bytes as units.
            return Err(PayloadFault::TooLong { limit: self.most_bytes });
        }
        let (packet, rest) = split_at_units(rest, length).ok_or(PayloadFault::Malformed)?;
        Ok((packet, Some(rest).filter(|rest| !rest.is_empty())))
    }
}

/// The first packet of a version 4 payload, and the rest if there is one.
fn parted(text: &str) -> (&str, Option<&str>) {
    match text.split_once(char::from(SEPARATOR)) {
        Some((packet, rest)) => (packet, Some(rest)),
        None => (text, None),
    }
}

/// The body of a poll's answer, made of frames as an outbox holds them (SIO-102).
#[derive(Clone, Debug)]
pub struct PollAnswer {
    version: EngineVersion,
    body: Vec<u8>,
}

impl PollAnswer {
    /// An answer without a packet.
    #[must_use]
    pub const fn new(version: EngineVersion) -> Self {
        Self { version, body: Vec::new() }
    }

    /// Adds the packet of a text frame; other frames are for WebSockets alone, and are passed over.
    pub fn push(&mut self, frame: &Frame) {
        if !frame.is_text() {
            return;
        }
        let packet = frame.payload();
        match self.version {
            // Writing to a Vec cannot fail.
            EngineVersion::Three => drop(write!(self.body, "{}:", units(packet))),
            EngineVersion::Four if self.body.is_empty() => {}
            EngineVersion::Four => self.body.push(SEPARATOR),
        }
        self.body.extend_from_slice(packet);
    }

    /// Bytes of the body so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether the answer has no packet: the poll has to wait.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The whole body.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 10_000;

    fn read(version: EngineVersion, body: &str) -> Vec<Result<Packet<'_>, PayloadFault>> {
        packets(version, body, MOST).collect()
    }

    fn written(version: EngineVersion, texts: &[&str]) -> String {
        let mut answer = PollAnswer::new(version);
        for text in texts {
            answer.push(&Frame::text(text.len(), |out| out.extend_from_slice(text.as_bytes())));
        }
        assert_eq!(answer.is_empty(), texts.is_empty());
        String::from_utf8(answer.into_body()).expect("UTF-8")
    }

    #[test]
    fn sio_012_version_3_counts_utf_16_units() {
        let texts = ["42[\"e\",\"news\",{\"text\":\"é😀\"}]", "42[\"e\",\"news\",{\"n\":2}]"];
        let body = "29:42[\"e\",\"news\",{\"text\":\"é😀\"}]22:42[\"e\",\"news\",{\"n\":2}]";
        assert_eq!(written(EngineVersion::Three, &texts), body);
        let back = texts.map(|text| Ok(Packet::Message(&text[1..])));
        assert_eq!(read(EngineVersion::Three, body), back);
    }

    #[test]
    fn sio_012_version_4_parts_packets_by_a_byte() {
        let texts = ["42[\"e\",\"news\",{\"text\":\"é😀\"}]", "2", "6"];
        let body = "42[\"e\",\"news\",{\"text\":\"é😀\"}]\u{1e}2\u{1e}6";
        assert_eq!(written(EngineVersion::Four, &texts), body);
        let back = [Ok(Packet::Message(&texts[0][1..])), Ok(Packet::Ping("")), Ok(Packet::Ignored)];
        assert_eq!(read(EngineVersion::Four, body), back);
    }

    #[test]
    fn sio_014_what_is_malformed_ends_the_payload() {
        for (body, sound) in [
            ("", 0),
            ("2", 0),
            (":2", 0),
            ("x:2", 0),
            ("-1:2", 0),
            ("+1:2", 0),
            ("1e1:2", 0),
            ("2:2", 0),
            ("0:", 0),
            ("1:2x", 1),
            ("1:2 1:2", 1),
            ("1:21:9", 1),
            ("2:4😀", 0),
            ("99999999999999999999:2", 0),
            ("00000000001:2", 0),
        ] {
            let read = read(EngineVersion::Three, body);
            assert_eq!(read.len(), sound + 1, "{body:?}");
            assert_eq!(read.last(), Some(&Err(PayloadFault::Malformed)), "{body:?}");
        }
        for (body, sound) in [("", 0), ("\u{1e}", 0), ("2\u{1e}", 1), ("2\u{1e}\u{1e}2", 1), ("é", 0)] {
            let read = read(EngineVersion::Four, body);
            assert_eq!(read.len(), sound + 1, "{body:?}");
            assert_eq!(read.last(), Some(&Err(PayloadFault::Malformed)), "{body:?}");
        }
    }

    #[test]
    fn sio_019_a_packet_is_bounded_in_bytes() {
        let too_long = Err(PayloadFault::TooLong { limit: 8 });
        let read = |version, body| packets(version, body, 8).collect::<Vec<_>>();
        assert_eq!(
            read(EngineVersion::Three, "1:28:412345679:412345678"),
            [Ok(Packet::Ping("")), Ok(Packet::Message("1234567")), too_long]
        );
        assert_eq!(read(EngineVersion::Three, "5:4éééé"), [too_long], "nine bytes in five units");
        assert_eq!(read(EngineVersion::Three, "999999:4"), [too_long]);
        assert_eq!(read(EngineVersion::Four, "2\u{1e}412345678\u{1e}2"), [Ok(Packet::Ping("")), too_long]);
    }

    #[test]
    fn sio_102_frames_of_other_kinds_are_passed_over() {
        let mut answer = PollAnswer::new(EngineVersion::Three);
        answer.push(&Frame::ping());
        answer.push(&Frame::close(Some(4100), "x"));
        assert!(answer.is_empty());
    }

    proptest! {
        #[test]
        fn sio_012_what_is_written_is_read(
            texts in proptest::collection::vec("[0-6b][^\u{1e}]{0,20}", 1..6),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let packets: Vec<_> = texts.iter().map(|text| Ok(Packet::parse(text)?)).collect();
            for version in [EngineVersion::Three, EngineVersion::Four] {
                let body = written(version, &texts);
                prop_assert_eq!(read(version, &body), packets.clone());
            }
        }

        #[test]
        fn sio_019_any_body_is_read_without_a_packet_over_the_bound(body: String, most in 0_usize..40) {
            for version in [EngineVersion::Three, EngineVersion::Four] {
                for packet in packets(version, &body, most) {
                    if let Ok(Packet::Message(text) | Packet::Ping(text) | Packet::Pong(text)) = packet {
                        prop_assert!(text.len() < most);
                    }
                }
            }
        }
    }
}
