//! What a client and the server say to each other about resuming: the token of a connection, and how much a client has
//! got (RES-002, RES-003, RES-007).
//!
//! Reads and writes texts alone. A malformed part is no error: the resume of that channel is incomplete (RES-006).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::value::RawValue;

/// Characters of a token.
const LENGTH: usize = 22;

/// Bits of a token that are random also where there are several nodes.
const RANDOM: u32 = 96;

/// The digits of a token, six bits each.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name of one connection for its client alone: 128 random bits, 22 characters of `A-Za-z0-9_-` (RES-007). Where there
/// are several nodes, the first 32 bits are those of the node that gave the token out (RES-014).
///
/// `Debug` does not show the token: whoever knows a token can end the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResumeToken(u128);

impl ResumeToken {
    /// Makes a token from 128 random bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The same token, given out by this one of several nodes.
    #[must_use]
    pub const fn of_node(self, node: u64) -> Self {
        Self((tag_of(node) as u128) << RANDOM | self.0 & (u128::MAX >> (128 - RANDOM)))
    }

    /// The first bits of the id of the node that gave the token out, if there are several nodes.
    #[must_use]
    pub const fn tag(self) -> u32 {
        (self.0 >> RANDOM) as u32
    }

    /// The 128 bits that the token was made from.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

/// The bits of a node's id that its tokens begin with.
#[must_use]
pub const fn tag_of(node: u64) -> u32 {
    (node >> 32) as u32
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LENGTH];
        for (place, digit) in text.iter_mut().enumerate() {
            // The last character has the last two bits alone.
            let six = match 122_u32.checked_sub(6 * place as u32) {
                Some(shift) => self.0 >> shift,
                None => self.0 << 4,
            };
            *digit = DIGITS[(six & 63) as usize];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(***)")
    }
}

/// The text is not a token that a server could have given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token")]
pub struct NotAToken;

impl FromStr for ResumeToken {
    type Err = NotAToken;

    /// Parses the printed form; only the canonical spelling is a token.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, last) = text.as_bytes().split_at_checked(LENGTH - 1).ok_or(NotAToken)?;
        let value = |digit: &u8| DIGITS.iter().position(|known| known == digit).ok_or(NotAToken);
        let bits = digits.iter().try_fold(0, |bits, digit| Ok(bits << 6 | value(digit)? as u128))?;
        match last {
            [last] if value(last)? % 16 == 0 => Ok(Self(bits << 2 | (value(last)? / 16) as u128)),
            _ => Err(NotAToken),
        }
    }
}

/// How much a client has got on one channel (RES-003).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The connection in which the channel was acknowledged.
    pub token: ResumeToken,
    /// Messages of the channel since that acknowledgement (RES-010).
    pub count: u64,
}

/// The `data` of `fanfare:resume`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumeRequest<'a> {
    /// The client came too late for the offer, and asks for it (RES-021).
    pub is_late: bool,
    /// The channels that the client wants to resume, unchecked, each once; none for a malformed position.
    pub positions: Vec<(Cow<'a, str>, Option<Position>)>,
}

impl<'a> ResumeRequest<'a> {
    /// Reads `{}`, `{"late":true}` or `{"CHANNEL":["TOKEN",COUNT],…}`; anything else says no more than `{}`.
    pub(crate) fn parse(data: Option<&'a RawValue>) -> Self {
        let members: BTreeMap<Cow<'a, str>, &'a RawValue> =
            data.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
        let mut request = Self::default();
        for (name, value) in members {
            if name == "late" && !value.get().starts_with('[') {
                request.is_late = value.get() == "true";
                continue;
            }
            let position = serde_json::from_str::<(Cow<'_, str>, u64)>(value.get()).ok();
            let position =
                position.and_then(|(token, count)| Some(Position { token: token.parse().ok()?, count }));
            request.positions.push((name, position));
        }
        request
    }

    /// The same request, owning its texts.
    pub(crate) fn into_owned(self) -> ResumeRequest<'static> {
        let positions = self.positions.into_iter();
        let positions = positions.map(|(name, position)| (Cow::Owned(name.into_owned()), position)).collect();
        ResumeRequest { is_late: self.is_late, positions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientMessage;

    const WIDEST: ResumeToken = ResumeToken::from_bits(u128::MAX);

    fn read(data: &str) -> ResumeRequest<'static> {
        let text = format!(r#"{{"event":"fanfare:resume","data":{data}}}"#);
        match ClientMessage::parse(&text) {
            Ok(ClientMessage::Resume(request)) => request.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn res_007_a_token_is_22_characters_and_reads_back() {
        for bits in [0, 1, u128::MAX, u128::MAX - 1, 0x0123_4567_89ab_cdef_0011_2233_4455_6677] {
            let text = ResumeToken::from_bits(bits).to_string();
            assert_eq!(text.len(), 22, "{text}");
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{text}");
            assert_eq!(text.parse(), Ok(ResumeToken::from_bits(bits)));
        }
        assert_eq!(WIDEST.to_string(), "_____________________w");
        for text in ["", "A", &"A".repeat(21), &"A".repeat(23), &"=".repeat(22), "_____________________x"] {
            assert_eq!(text.parse::<ResumeToken>(), Err(NotAToken), "{text}");
        }
        assert_eq!(format!("{WIDEST:?}"), "ResumeToken(***)");
    }

    #[test]
    fn res_014_a_token_names_its_node_and_keeps_its_random_bits() {
        let node = 0x89ab_cdef_0123_4567;
        let token = ResumeToken::from_bits(0x1111_2222_3333_4444_5555_6666_7777_8888).of_node(node);
        assert_eq!((token.tag(), tag_of(node)), (0x89ab_cdef, 0x89ab_cdef));
        assert_eq!(token.bits(), 0x89ab_cdef_3333_4444_5555_6666_7777_8888);
    }

    #[test]
    fn res_003_a_position_is_a_token_and_a_count() {
        let at = |count| Some(Position { token: WIDEST, count });
        let request = read(
            r#"{"private-orders.7":["_____________________w",412],"late":["_____________________w",0]}"#,
        );
        assert!(!request.is_late);
        assert_eq!(request.positions, [("late".into(), at(0)), ("private-orders.7".into(), at(412))]);
        assert_eq!(read("{}"), ResumeRequest::default());
        assert_eq!(read(r#"{"late":true}"#), ResumeRequest { is_late: true, positions: Vec::new() });
    }

    #[test]
    fn res_006_a_malformed_position_is_no_error() {
        for position in [
            "7",
            "null",
            "[]",
            r#"["x",1]"#,
            r#"["_____________________w",-1]"#,
            r#"["_____________________w",1.5]"#,
            r#"["_____________________w"]"#,
            r#"["_____________________w",1,2]"#,
            r#"{"token":1}"#,
        ] {
            assert_eq!(read(&format!(r#"{{"a":{position}}}"#)).positions, [("a".into(), None)], "{position}");
        }
        for data in ["null", "7", "[]", r#""x""#, r#"{"\ud83d":1}"#] {
            assert_eq!(read(data), ResumeRequest::default(), "{data}");
        }
        let without = ClientMessage::parse(r#"{"event":"fanfare:resume"}"#);
        assert_eq!(without, Ok(ClientMessage::Resume(ResumeRequest::default())));
    }
}
