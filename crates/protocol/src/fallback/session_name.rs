//! The name of a session, `N/S`, which the client chooses (FALLBACK-010).

use std::fmt;

/// Characters of the second part.
const LETTERS: usize = 8;

/// A session's name: unique for each attempt of a client, and chosen by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionName {
    number: u16,
    letters: [u8; LETTERS],
}

impl SessionName {
    /// Reads the two segments of a path: a number from 0 to 999 without zeros before it, and eight characters of `0-9 a-v`.
    #[must_use]
    pub fn parse(number: &str, letters: &str) -> Option<Self> {
        let is_canonical = number == "0" || !number.starts_with('0');
        let has_digits = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let letters: [u8; LETTERS] = letters.as_bytes().try_into().ok()?;
        let are_legal = letters.iter().all(|letter| matches!(letter, b'0'..=b'9' | b'a'..=b'v'));
        let number = number.parse().ok().filter(|_| is_canonical && has_digits && are_legal)?;
        Some(Self { number, letters })
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, std::str::from_utf8(&self.letters).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallback_010_a_session_has_a_number_and_eight_characters() {
        for (number, letters) in [("0", "abcdefgh"), ("7", "01234567"), ("999", "vvvvvvvv")] {
            let name = SessionName::parse(number, letters).expect(number);
            assert_eq!(name.to_string(), format!("{number}/{letters}"));
        }
        for (number, letters) in [
            ("", "abcdefgh"),
            ("00", "abcdefgh"),
            ("07", "abcdefgh"),
            ("1000", "abcdefgh"),
            ("-1", "abcdefgh"),
            ("+1", "abcdefgh"),
            ("1 ", "abcdefgh"),
            ("x", "abcdefgh"),
            ("7", "abcdefg"),
            ("7", "abcdefghi"),
            ("7", "abcdefgw"),
            ("7", "ABCDEFGH"),
            ("7", "abcdé12"),
            ("7", "abc/efgh"),
        ] {
            assert_eq!(SessionName::parse(number, letters), None, "{number} {letters}");
        }
    }
}
