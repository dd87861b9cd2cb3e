//! Protocol versions: the supported ones, and their differences (WS-011 … WS-014).

use crate::close::CloseReason;

/// A supported version of the wire protocol: 4 to 7 (WS-013).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u8);

impl Version {
    /// The version of a client that names none (WS-012).
    pub const NEWEST: Self = Self(7);

    /// Reads the query parameter `protocol`.
    ///
    /// # Errors
    /// 4007 for anything but 4, 5, 6 or 7; 4008 for a missing version that is `required` (WS-012).
    pub fn parse(parameter: Option<&str>, required: bool) -> Result<Self, CloseReason> {
        match parameter {
            None if required => Err(CloseReason::VersionMissing),
            None => Ok(Self::NEWEST),
            Some(text) => match text.parse() {
                Ok(number @ 4..=7) => Ok(Self(number)),
                _ => Err(CloseReason::VersionUnsupported),
            },
        }
    }

    /// The number that clients send.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether a close is announced by a `pusher:error` event, besides the close code (WS-053).
    #[must_use]
    pub const fn hears_of_close_by_event(self) -> bool {
        self.0 < 6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_013_versions_4_to_7_are_spoken() {
        for (text, by_event) in [("4", true), ("5", true), ("6", false), ("7", false)] {
            let version = Version::parse(Some(text), false).expect(text);
            assert_eq!(version.hears_of_close_by_event(), by_event, "WS-053 for {text}");
        }
    }

    #[test]
    fn ws_011_and_ws_012_other_versions_are_refused() {
        for text in ["0", "1", "2", "3", "8", "-1", "7.0", "", "seven", "99999999999999999999"] {
            let refused = Version::parse(Some(text), false);
            assert_eq!(refused.map_err(|why| why.code()), Err(Some(4007)), "{text:?}");
        }
    }

    #[test]
    fn ws_012_a_missing_version_is_7_or_4008_by_setting() {
        assert_eq!(Version::parse(None, false), Ok(Version::NEWEST));
        assert_eq!(Version::parse(None, true).map_err(|why| why.code()), Err(Some(4008)));
    }
}
