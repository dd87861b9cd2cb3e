//! Strict reading of JSON: an object where an object is meant, a string where a string is; and writing a string.
//!
//! Borrows wherever the text allows. Reading returns `None` for a fault; the caller knows the error.

mod object;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

pub use object::object;

/// The text of a JSON string, borrowed for a string without escapes.
#[must_use]
pub fn string(json: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str(json).ok().map(|Text(text)| text)
}

/// Whether the text is JSON; takes no stack, however deeply the JSON is nested.
#[must_use]
pub fn is_json(text: &str) -> bool {
    // Most texts that are none show it at once.
    let may_be = text.trim_start().starts_with(|first| "{[\"-0123456789tfn".contains(first));
    may_be && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The JSON with U+FFFD for each escape that is half a surrogate pair, which no text can hold. The result for
/// invalid JSON is unspecified.
#[must_use]
pub fn with_whole_characters(json: &str) -> Cow<'_, str> {
    let mut whole = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                whole.push_str(before);
                whole.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            // Any other escape: the character behind the backslash is skipped.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        whole.push_str(&rest[..at + length]);
        rest = &rest[at + length..];
    }
    whole.push_str(rest);
    if whole == json { Cow::Borrowed(json) } else { Cow::Owned(whole) }
}

/// The number of a leading escape like `\u00e9`.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// The text of a JSON value that is to become a string: a string's own text, else the value without the
/// white space between its parts; all other bytes stay (WS-164, API-018). Takes valid JSON only.
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

/// Appends a text as a JSON string, quotes included.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is always JSON, and a Vec takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        assert!(matches!(string("\"plain\""), Some(Cow::Borrowed("plain"))));
        assert_eq!(string("\"caf\\u00e9\"").as_deref(), Some("café"));
        assert_eq!(string("7"), None);
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_nothing_else() {
        for (json, whole) in [
            (r#"["\ud83d","\uDE00x"]"#, r#"["\ufffd","\ufffdx"]"#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\u0041 \\ud83d \\\ud83d \"""#, r#""\ufffd\u0041 \\ud83d \\\ufffd \"""#),
            (r#""\ud83"#, r#""\ud83"#),
            ("\\", "\\"),
            ("\\é\\ud83dé", "\\é\\ufffdé"),
        ] {
            assert_eq!(with_whole_characters(json), whole, "{json}");
        }
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
