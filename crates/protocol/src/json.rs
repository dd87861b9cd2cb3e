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

/// The text of a JSON value that is to become a string: a string's own text, else the value without the
/// white space between its parts; the rest is kept byte for byte (WS-164, API-018). Takes valid JSON only.
#[must_use]
pub fn as_text(json: &str) -> Option<Cow<'_, str>> {
    if json.starts_with('"') { string(json) } else { Some(compact(json)) }
}

fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains([' ', '\t', '\n', '\r']) {
        return Cow::Borrowed(json);
    }
    let (mut within_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|&character| {
        let is_kept = within_string || !matches!(character, ' ' | '\t' | '\n' | '\r');
        if within_string && escaped {
            escaped = false;
        } else if within_string && character == '\\' {
            escaped = true;
        } else if character == '"' {
            within_string = !within_string;
        }
        is_kept
    });
    Cow::Owned(kept.collect())
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

    #[test]
    fn ws_164_a_value_becomes_its_text_with_every_byte_that_counts() {
        let cases = [
            (r#""plain""#, "plain"),
            (r#""a \" b""#, "a \" b"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (
                "{ \"z\" : 1.0,\n\t\"a\": [ 1e400 , 12345678901234567890123 ] }",
                r#"{"z":1.0,"a":[1e400,12345678901234567890123]}"#,
            ),
            (r#"{ "a b" : "c \\" , "d" : " \" e " }"#, r#"{"a b":"c \\","d":" \" e "}"#),
            (" null ", "null"),
        ];
        for (json, text) in cases {
            assert_eq!(as_text(json).as_deref(), Some(text), "{json}");
        }
    }
}
