//! The data of an event: a text, or a JSON string that no text can hold.
//!
//! Browsers cut texts in the middle of a surrogate pair and send the half as an escape (`"cut \ud83d"`). The escape is
//! legal JSON, and every browser reads it; UTF-8 has no such character. Such a string goes out unchanged.
//!
//! Pusher's clients get any data as a text. Socket.IO's get a value: the value that the text holds if the text is JSON
//! (SIO-055). Only a text that is a value itself stays one although it is JSON; where clients of Socket.IO may be, it is
//! written behind a space, which JSON allows.

use std::borrow::Cow;

use crate::json;
use crate::json::push_string;

/// The data of an event as forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    form: Form<'a>,
    /// The text is a text for clients of Socket.IO even if the text is JSON.
    stays_text: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form<'a> {
    Text(Cow<'a, str>),
    /// The JSON string with its quotes; and the length of its text in bytes, with three for half a pair.
    Literal(Cow<'a, str>, usize),
}

impl<'a> Data<'a> {
    /// The data of a JSON value: a string's own text, else the value without the white space between its parts; all
    /// other bytes stay (WS-164, API-018). Takes valid JSON only.
    #[must_use]
    pub fn of_json(json: &'a str) -> Option<Self> {
        if let Some(text) = json::as_text(json) {
            return Some(Self::of_text(text));
        }
        let whole = json::with_whole_characters(json);
        let text = json::string(&whole)?;
        Some(Self { form: Form::Literal(Cow::Borrowed(json), text.len()), stays_text: false })
    }

    /// As [`Data::of_json`], for a value that is the data itself, not a text with the data in it: clients of Socket.IO
    /// get a string as a string, whatever the string holds (SIO-055).
    #[must_use]
    pub fn of_value(json: &'a str) -> Option<Self> {
        let data = Self::of_json(json)?;
        Some(Self { stays_text: json.starts_with('"'), ..data })
    }

    const fn of_text(text: Cow<'a, str>) -> Self {
        Self { form: Form::Text(text), stays_text: false }
    }

    /// The length in bytes, as the limits count.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Text(text) => text.len(),
            Form::Literal(_, length) => *length,
        }
    }

    /// Whether the data is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, if a text can hold the data.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.form {
            Form::Text(text) => Some(text),
            Form::Literal(..) => None,
        }
    }

    /// The same data, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Data<'static> {
        let form = match self.form {
            Form::Text(text) => Form::Text(Cow::Owned(text.into_owned())),
            Form::Literal(json, length) => Form::Literal(Cow::Owned(json.into_owned()), length),
        };
        Data { form, stays_text: self.stays_text }
    }

    /// Appends the data as [`Data::push`] does, behind a space if clients of Socket.IO are to get a text that is JSON.
    pub(crate) fn push_marked(&self, out: &mut Vec<u8>) {
        if self.stays_text && self.text().is_some_and(json::is_json) {
            out.push(b' ');
        }
        self.push(out);
    }

    /// Appends the data as a JSON string, quotes included.
    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        match &self.form {
            Form::Text(text) => push_string(out, text),
            Form::Literal(json, _) => out.extend_from_slice(json.as_bytes()),
        }
    }

    /// Appends the data as a JSON string of whole characters: PHP rejects a body with half a character.
    pub(crate) fn push_whole(&self, out: &mut Vec<u8>) {
        match &self.form {
            Form::Text(text) => push_string(out, text),
            Form::Literal(json, _) => out.extend_from_slice(json::with_whole_characters(json).as_bytes()),
        }
    }
}

impl<'a> From<&'a str> for Data<'a> {
    fn from(text: &'a str) -> Self {
        Self::of_text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Data<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(&**text)
    }
}

impl<'a> From<&'a Cow<'_, str>> for Data<'a> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        Self::from(&**text)
    }
}

impl From<String> for Data<'_> {
    fn from(text: String) -> Self {
        Self::of_text(Cow::Owned(text))
    }
}

impl<'a> From<&'a Data<'_>> for Data<'a> {
    fn from(data: &'a Data<'_>) -> Self {
        let form = match &data.form {
            Form::Text(text) => Form::Text(Cow::Borrowed(text)),
            Form::Literal(json, length) => Form::Literal(Cow::Borrowed(json), *length),
        };
        Self { form, stays_text: data.stays_text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(data: &Data<'_>) -> String {
        let mut out = Vec::new();
        data.push(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn ws_164_a_text_cut_within_a_character_goes_out_as_it_came() {
        for (json, length) in
            [(r#""cut \ud83d""#, 7), (r#""\udE00 caf\u00e9 \"""#, 11), (r#""\ud83d\ud83d\ude00\\ud83d""#, 13)]
        {
            let data = Data::of_json(json).expect("a JSON string");
            assert_eq!((written(&data), data.len()), (json.to_owned(), length), "{json}");
            assert_eq!(Data::from(&data.clone().into_owned()), data);
        }
    }

    #[test]
    fn sio_055_a_text_that_is_a_value_itself_is_marked_if_it_could_be_taken_for_json() {
        let marked = |data: &Data<'_>| {
            let mut out = Vec::new();
            data.push_marked(&mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        let of_value = |json| Data::of_value(json).expect("JSON");
        for (json, out) in [(r#""5""#, r#" "5""#), (r#""{\"a\":1}""#, r#" "{\"a\":1}""#)] {
            assert_eq!(marked(&of_value(json)), out, "{json}");
            assert_eq!(marked(&of_value(json).into_owned()), out, "{json}");
            assert_eq!(written(&of_value(json)), json, "without clients of Socket.IO");
        }
        for (json, out) in [("5", r#""5""#), (r#"{"a":1}"#, r#""{\"a\":1}""#), (r#""five""#, r#""five""#)] {
            assert_eq!(marked(&of_value(json)), out, "{json}");
            assert_eq!(marked(&Data::of_json(json).expect("JSON")), out, "{json}");
        }
        assert_eq!(marked(&Data::of_json(r#""5""#).expect("JSON")), r#""5""#);
    }

    #[test]
    fn ws_164_any_other_text_is_written_without_escapes_that_it_does_not_need() {
        for (json, out) in [
            (r#""\ud83d\ude00 \u00e9 \/""#, r#""😀 é /""#),
            (r#"{ "a": "\ud83d" }"#, r#""{\"a\":\"\\ud83d\"}""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
        ] {
            assert_eq!(written(&Data::of_json(json).expect("JSON")), out, "{json}");
        }
        let mut whole = Vec::new();
        Data::of_json(r#""cut \ud83d\n""#).expect("JSON").push_whole(&mut whole);
        assert_eq!(whole, br#""cut \ufffd\n""#);
        assert!(Data::of_json(r#""""#).is_some_and(|data| data.is_empty()));
    }
}
