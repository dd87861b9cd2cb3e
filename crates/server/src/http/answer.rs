//! The shapes of an HTTP answer: JSON, or one sentence.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::connections::AnswerBody;

/// An answer, whole or streamed.
pub type Answer = Response<AnswerBody>;

/// A JSON object (API-004).
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "application/json", body.into())
}

/// An answer's JSON, for values made of names and numbers.
pub fn object(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps of strings and numbers are always JSON")
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(AnswerBody::default());
    *answer.status_mut() = status;
    answer
}

/// One sentence, with a newline for terminals (API-005).
pub fn text(status: StatusCode, sentence: &str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", Bytes::from(format!("{sentence}\n")))
}

/// A body of another type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(AnswerBody::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
