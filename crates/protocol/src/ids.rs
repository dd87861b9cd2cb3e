//! The identifiers of the protocol, as types of their own.
//!
//! Owns the spelling of each identifier and its parsing; other code never compares bare strings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One connection, unique in the cluster and never reused (WS-031).
///
/// Printed as two decimal numbers joined by a dot, the form that every server SDK checks (LIM-006).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(u64);

impl SocketId {
    /// Makes an id from 64 random bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The 64 bits that the id was made from.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 32, self.0 & u64::from(u32::MAX))
    }
}

/// The text is not a socket id that this server could have given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a socket id")]
pub struct NotASocketId;

impl FromStr for SocketId {
    type Err = NotASocketId;

    /// Parses the printed form; only the canonical spelling is an id.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (high, low) = text.split_once('.').ok_or(NotASocketId)?;
        Ok(Self(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }
}

/// One of the two numbers: digits only, no leading zero, below 2^32.
fn half(text: &str) -> Result<u32, NotASocketId> {
    let canonical = text == "0" || !text.starts_with('0');
    if canonical && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| NotASocketId)
    } else {
        Err(NotASocketId)
    }
}

/// Whether a text has the shape of any server's socket id, `digits.digits` (LIM-006).
#[must_use]
pub fn has_socket_id_shape(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(high, low)| digits(high) && digits(low))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// An app's id, the `APP_ID` of `/apps/APP_ID/…`.
    AppId
}
text_id! {
    /// An app's public key, the `KEY` of `/app/KEY`; never holds a colon (LIM-009).
    AppKey
}
text_id! {
    /// The user of a presence member; always a string on the wire (WS-116).
    UserId
}

/// Whether a text may be an app id: 1 to 64 of `A-Z a-z 0-9 _ -`.
///
/// LIM-009 wants digits alone, because Python's SDK refuses anything else; apps of other servers have names and UUIDs.
#[must_use]
pub fn is_app_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// Whether a text may be a key or a secret: 1 to 128 of `A-Z a-z 0-9 _ -` (LIM-009).
#[must_use]
pub fn is_key_or_secret(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(is_name_byte)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lim_006_socket_ids_print_as_two_numbers_and_read_back() {
        let id = SocketId::from_bits(0x0000_0007_0000_002a);
        assert_eq!(id.to_string(), "7.42");
        assert_eq!("7.42".parse(), Ok(id));
        let widest = SocketId::from_bits(u64::MAX);
        assert_eq!(widest.to_string().parse(), Ok(widest));
    }

    #[test]
    fn only_the_canonical_spelling_is_a_socket_id() {
        for text in ["", ".", "1", "1.", ".1", "01.2", "1.02", "+1.2", "1.2.3", "4294967296.1", "a.b", " 1.2"]
        {
            assert_eq!(text.parse::<SocketId>(), Err(NotASocketId), "{text:?}");
        }
    }

    #[test]
    fn any_digits_dot_digits_has_the_shape_of_a_socket_id() {
        assert!(has_socket_id_shape("8910.66062685"));
        assert!(has_socket_id_shape("01.9007199254740993"));
        assert!(!has_socket_id_shape("undefined"));
        assert!(!has_socket_id_shape("1.2.3"));
    }

    #[test]
    fn lim_009_app_ids_are_digits_or_names_and_keys_hold_no_colon() {
        for id in ["3", "my-app-id", "9f1c2b7e-8a54-4c0e-9d5c-0a1b2c3d4e5f", "App_1", &"x".repeat(64)] {
            assert!(is_app_id(id), "{id}");
        }
        for id in ["", "app 1", "app/1", "app:1", "app.1", "äpp", &"x".repeat(65)] {
            assert!(!is_app_id(id), "{id}");
        }
        assert!(
            is_key_or_secret("278d425bdf160c739803") && !is_key_or_secret("a:b") && !is_key_or_secret("")
        );
    }
}
