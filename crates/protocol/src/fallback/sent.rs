//! The body of `xhr_send`: a JSON array of strings, each one message of the client (FALLBACK-012, FALLBACK-027).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// Why a body is refused; no message of it is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XhrSendFault {
    /// The body is no JSON array of strings.
    #[error("not a JSON array of strings")]
    Malformed,
    /// A message is too long; answered 413.
    #[error("a message is longer than {limit} bytes")]
    TooLong {
        /// The longest message, in bytes.
        limit: usize,
    },
    /// There are too many messages; answered 413.
    #[error("more than {limit} messages")]
    TooMany {
        /// The most messages.
        limit: usize,
    },
}

/// Reads the messages of a body, in order: at most `most`, each at most `most_bytes` long. Without a message the body is a
/// heartbeat (FALLBACK-019). The bound of the whole body is the caller's.
///
/// # Errors
/// The body is no JSON array of strings, or exceeds a bound.
pub fn sent_texts(body: &[u8], most: usize, most_bytes: usize) -> Result<Vec<Cow<'_, str>>, XhrSendFault> {
    let body = std::str::from_utf8(body).map_err(|_| XhrSendFault::Malformed)?;
    let mut over = None;
    let mut reader = serde_json::Deserializer::from_str(body);
    let texts = Texts { most, most_bytes, over: &mut over }.deserialize(&mut reader);
    match texts {
        Ok(texts) if reader.end().is_ok() => Ok(texts),
        _ => Err(over.unwrap_or(XhrSendFault::Malformed)),
    }
}

struct Texts<'a> {
    most: usize,
    most_bytes: usize,
    /// The bound that is exceeded, which an error of serde cannot tell.
    over: &'a mut Option<XhrSendFault>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = Vec<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(Text(text)) = array.next_element()? {
            if text.len() > self.most_bytes {
                *self.over = Some(XhrSendFault::TooLong { limit: self.most_bytes });
            } else if texts.len() == self.most {
                *self.over = Some(XhrSendFault::TooMany { limit: self.most });
            }
            if self.over.is_some() {
                return Err(A::Error::custom("over a bound"));
            }
            texts.push(text);
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Cow<'_, str>>, XhrSendFault> {
        sent_texts(body.as_bytes(), 4, 80)
    }

    #[test]
    fn fallback_012_each_string_is_a_message() {
        let body = r#"["{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\",\"channel\":\"c\"}}"]"#;
        assert_eq!(
            read(body).expect("messages"),
            [r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"c"}}"#]
        );
        assert_eq!(read("[ \"a\" , \"\\u00e9\" ]\n").expect("messages"), ["a", "é"]);
        assert_eq!(read("[]"), Ok(Vec::new()));
    }

    #[test]
    fn fallback_012_anything_else_is_malformed() {
        for body in [
            "",
            "[",
            "{}",
            "null",
            "\"a\"",
            "[1]",
            "[null]",
            "[[\"a\"]]",
            "[\"a\",]",
            "[\"a\"]x",
            "[\"\\ud83d\"]",
            "[\"a\"",
            "[\"\u{1}\"]",
        ] {
            assert_eq!(read(body), Err(XhrSendFault::Malformed), "{body}");
        }
        assert_eq!(sent_texts(b"[\"\xff\"]", 4, 80), Err(XhrSendFault::Malformed));
        assert_eq!(read(&"[".repeat(100_000)), Err(XhrSendFault::Malformed));
    }

    #[test]
    fn fallback_027_messages_are_bounded_in_length_and_number() {
        let long = format!("[\"a\",\"{}\"]", "x".repeat(81));
        assert_eq!(read(&long), Err(XhrSendFault::TooLong { limit: 80 }));
        let escaped = format!("[\"{}\"]", "\\\"".repeat(80));
        assert!(read(&escaped).is_ok(), "the text counts, not its escapes");
        assert!(read("[\"\",\"\",\"\",\"\"]").is_ok());
        assert_eq!(read("[\"\",\"\",\"\",\"\",\"\"]"), Err(XhrSendFault::TooMany { limit: 4 }));
    }
}
