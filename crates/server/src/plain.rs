//! Texts of others on their way to a terminal: without what moves the cursor or turns the direction of a line.
//!
//! Names of channels, users and events are chosen by strangers, and answers may be of any server. Never changes what is
//! stored, or printed as JSON for programs.

use serde_json::Value;

/// The text with a space in place of each control character and each direction mark.
#[must_use]
pub fn plain(text: &str) -> String {
    text.replace(steers, " ")
}

/// A value of an answer as a text for people: lists with commas, nothing for null.
#[must_use]
pub fn plain_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Array(values) => values.iter().map(plain_value).collect::<Vec<_>>().join(", "),
        other => plain(&other.to_string()),
    }
}

/// Whether a character moves the cursor, or turns the direction of the line.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn con_014_control_characters_and_direction_marks_steer_no_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}d"), "a [2Jb c d");
        for mark in
            ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}']
        {
            assert_eq!(plain(&format!("a{mark}b")), "a b", "{mark:?}");
        }
        assert_eq!(plain("שלום é 👩‍👩‍👧"), "שלום é 👩‍👩‍👧", "letters and joined emoji stay");
    }

    #[test]
    fn con_014_values_are_plain_in_depth() {
        assert_eq!(plain_value(&json!(["a\u{202e}", 7, null])), "a , 7, ");
        assert_eq!(plain_value(&json!({"a\u{202e}": "b"})), r#"{"a ":"b"}"#);
        assert_eq!(plain_value(&Value::Null), "");
    }
}
