//! CORS: pages of every origin may read every answer (SIO-070, SIO-071).
//!
//! Safe because no answer to a page of a foreign origin holds anything that its visitor's cookie opens (SIO-063). Which
//! origins may connect is decided at the handshake.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::http::answer::{self, Answer};
use crate::http::preflight::allow_asked_headers;

/// Adds what lets the page of a request read its answer.
pub(super) fn put(answer: &mut Answer, origin: Option<HeaderValue>) {
    let headers = answer.headers_mut();
    match origin {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        None => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    headers.insert(VARY, HeaderValue::from_static("Origin"));
}

/// The origin of a request's page.
pub(super) fn origin_of(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ORIGIN).cloned()
}

/// The answer to a preflight (SIO-006).
pub(super) fn preflight(asked: &HeaderMap) -> Answer {
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    allow_asked_headers(asked, headers);
    answer
}
