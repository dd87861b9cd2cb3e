//! The shapes of an HTTP answer: JSON, or one sentence.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// A whole answer.
pub type Answer = Response<Full<Bytes>>;

/// A JSON object (API-004).
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "application/json", body.into())
}

/// An answer's JSON, for values made of names and numbers.
pub fn object(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps of strings and numbers are always JSON")
}

/// 202 without a body (API-070).
pub fn accepted() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

/// One sentence, with a newline for terminals (API-005).
pub fn text(status: StatusCode, sentence: &str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", Bytes::from(format!("{sentence}\n")))
}

/// A body of another type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
