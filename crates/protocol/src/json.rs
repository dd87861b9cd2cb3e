//! Reading JSON strictly: an object where an object is meant, a string where a string is.
//!
//! Borrows wherever the text allows; says only whether it was right, the caller knows the error.

use std::borrow::Cow;

use serde::Deserialize;

/// Reads an object, and nothing else: a struct would also be read from an array of its members.
#[must_use]
pub fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    if json.trim_start().starts_with('{') { serde_json::from_str(json).ok() } else { None }
}

/// The text of a JSON string, borrowed where it has no escapes.
#[must_use]
pub fn string(json: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str(json).ok().map(|Text(text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: u8,
    }

    #[test]
    fn only_an_object_is_read_as_one() {
        assert_eq!(object(" {\"x\":1} "), Some(Point { x: 1 }));
        for json in ["[1]", "", "null", "{", "{}", "\u{a0}{\"x\":1}"] {
            assert_eq!(object::<Point>(json), None, "{json}");
        }
    }

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        assert!(matches!(string("\"plain\""), Some(Cow::Borrowed("plain"))));
        assert_eq!(string("\"caf\\u00e9\"").as_deref(), Some("café"));
        assert_eq!(string("7"), None);
    }
}
