//! The data of an event: a JSON object with the due time and the event's number, read back without parsing.

use std::io::Write as _;

const MARK: &[u8; 4] = b"LG~~";
const STAMP: usize = MARK.len() + 16 + 8;

/// The due time of an event, in nanoseconds of the generator's clock, and the event's number.
pub(crate) type Stamp = (u64, u32);

/// Builds the data of events, of one size.
pub(crate) struct Payload {
    /// The text after the stamp, with quotes escaped for a JSON string.
    rest: Vec<u8>,
}

impl Payload {
    /// Data of `bytes` bytes, 40 at least: a field about every 32 bytes gives as many quotes to escape as
    /// real events have.
    pub(crate) fn new(bytes: usize) -> Self {
        let mut left = bytes.saturating_sub(br#"{"t":""}"#.len() + STAMP);
        let mut rest = br#"\""#.to_vec();
        while left > 9 {
            let value = if left < 48 { left - 9 } else { 23 };
            rest.extend_from_slice(br#",\"f00\":\""#);
            rest.resize(rest.len() + value, b'x');
            rest.extend_from_slice(br#"\""#);
            left -= value + 9;
        }
        rest.push(b'}');
        Self { rest }
    }

    /// Appends the data, escaped for a JSON string.
    pub(crate) fn put(&self, out: &mut Vec<u8>, (due, number): Stamp) {
        out.extend_from_slice(br#"{\"t\":\""#);
        out.extend_from_slice(MARK);
        // Writing to a vector cannot fail.
        let _ = write!(out, "{due:016x}{number:08x}");
        out.extend_from_slice(&self.rest);
    }
}

/// Finds stamps; remembers the position of the last, because the next has the same position.
#[derive(Default)]
pub(crate) struct Finder {
    at: usize,
}

impl Finder {
    /// The stamp in a message, if any.
    pub(crate) fn find(&mut self, message: &[u8]) -> Option<Stamp> {
        let is_there = |at: usize| message.get(at..at + MARK.len()) == Some(MARK.as_slice());
        if !is_there(self.at) {
            self.at = message.windows(MARK.len()).position(|window| window == MARK)?;
        }
        let from = self.at + MARK.len();
        let due = number(message.get(from..from + 16)?)?;
        let which = number(message.get(from + 16..from + 24)?)?;
        Some((due, u32::try_from(which).ok()?))
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |sum: u64, digit| Some(sum << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_its_size_is_json_and_gives_its_stamp_back() {
        for bytes in [0, 40, 64, 128, 1000, 4000] {
            let mut text = b"\"".to_vec();
            Payload::new(bytes).put(&mut text, (u64::MAX - 1, 77));
            text.push(b'"');
            assert_eq!(Finder::default().find(&text), Some((u64::MAX - 1, 77)));
            let data: String = serde_json::from_slice(&text).unwrap();
            serde_json::from_str::<serde_json::Value>(&data).unwrap();
            assert!(data.len().abs_diff(bytes.max(40)) < 10, "{bytes}: {}", data.len());
        }
    }

    #[test]
    fn what_has_no_stamp_has_none() {
        let mut finder = Finder::default();
        assert_eq!(finder.find(br#"{"event":"pusher:pong"}"#), None);
        assert_eq!(finder.find(b"LG~~0123"), None);
    }
}
