//! Any text as a payload of Engine.IO: the packets are those of an independent reading, and come back when written.
//!
//! Owns an independent reader of payloads, in UTF-16; knows nothing of what a message holds.

use fanfare_protocol::engine_io::{EngineVersion, Packet, PayloadFault, PollAnswer, packets};
use fanfare_protocol::frame::Frame;

const VERSIONS: [EngineVersion; 2] = [EngineVersion::Three, EngineVersion::Four];

/// Reads the bytes behind the first as a payload of both versions; the first byte is the bound of a packet.
pub fn engine_io(data: &[u8]) {
    let Some((most, body)) = data.split_first() else { return };
    let (most, body) = (usize::from(*most), String::from_utf8_lossy(body));
    for version in VERSIONS {
        let read: Vec<_> = packets(version, &body, most).collect();
        let (texts, is_sound) = meaning(version, &body, most);
        let expected: Vec<_> = texts.iter().map(|text| packet(text)).collect();
        let sound: Vec<_> = read.iter().filter_map(|packet| packet.as_ref().ok().copied()).collect();
        assert_eq!(sound, expected, "{version:?} {body}");
        assert_eq!(read.iter().all(Result::is_ok), is_sound, "{version:?} {body}");
        assert_eq!(read.len(), sound.len() + usize::from(!is_sound), "nothing behind a fault: {body}");
        for packet in read {
            if let Err(PayloadFault::TooLong { limit }) = packet {
                assert_eq!(limit, most);
            }
        }
        comes_back(&texts);
    }
}

/// Panics unless an answer with these packets is read as these packets.
fn comes_back(texts: &[String]) {
    for version in VERSIONS {
        if version == EngineVersion::Four && texts.iter().any(|text| text.contains('\u{1e}')) {
            continue;
        }
        let mut answer = PollAnswer::new(version);
        for text in texts {
            answer.push(&Frame::text(text.len(), |out| out.extend_from_slice(text.as_bytes())));
            answer.push(&Frame::ping());
        }
        assert_eq!(answer.is_empty(), texts.is_empty());
        let body = String::from_utf8(answer.into_body()).expect("an answer is text");
        if texts.is_empty() {
            continue;
        }
        let read: Vec<_> = packets(version, &body, usize::MAX).collect();
        let written: Vec<_> = texts.iter().map(|text| Ok(packet(text))).collect();
        assert_eq!(read, written, "{version:?} {body}");
    }
}

/// The packets before the first fault, and whether there is no fault.
fn meaning(version: EngineVersion, body: &str, most: usize) -> (Vec<String>, bool) {
    let mut texts = Vec::new();
    let mut add = |text: String| {
        let is_sound = text.len() <= most && text.starts_with(['0', '1', '2', '3', '4', '5', '6', 'b']);
        if is_sound {
            texts.push(text);
        }
        is_sound
    };
    let is_sound = match version {
        EngineVersion::Four => body.split('\u{1e}').all(|text| add(text.to_owned())),
        EngineVersion::Three => measured(body, &mut add),
    };
    (texts, is_sound)
}

/// Reads a payload of version 3 unit by unit.
fn measured(body: &str, add: &mut impl FnMut(String) -> bool) -> bool {
    let units: Vec<u16> = body.encode_utf16().collect();
    let mut rest = &units[..];
    loop {
        let Some(colon) = rest.iter().position(|unit| *unit == u16::from(b':')) else { return false };
        let digits = String::from_utf16_lossy(&rest[..colon]);
        if !(1..=10).contains(&digits.len()) || !digits.chars().all(|digit| digit.is_ascii_digit()) {
            return false;
        }
        let length = digits.parse::<u64>().expect("ten digits fit");
        rest = &rest[colon + 1..];
        let Some(packet) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
            return false;
        };
        let Ok(text) = String::from_utf16(packet) else { return false };
        rest = &rest[packet.len()..];
        // A cut within a character.
        if String::from_utf16(rest).is_err() || !add(text) {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
    }
}

fn packet(text: &str) -> Packet<'_> {
    match text.split_at(1) {
        ("1", _) => Packet::Close,
        ("2", data) => Packet::Ping(data),
        ("3", data) => Packet::Pong(data),
        ("4", data) => Packet::Message(data),
        ("5", _) => Packet::Upgrade,
        _ => Packet::Ignored,
    }
}
