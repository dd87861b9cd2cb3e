//! The shapes of the fallback's answers.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::connections::AnswerBody;
use crate::http::answer::Answer;

/// An answer that carries messages: of a type that browsers show while the answer goes on, and with the request to proxies not
/// to hold it back (FALLBACK-014).
pub(super) fn carrying(body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/javascript; charset=UTF-8"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

/// A whole answer of this kind.
pub(super) fn carrying_all(lines: Vec<u8>) -> Answer {
    carrying(AnswerBody::from(Bytes::from(lines)))
}
