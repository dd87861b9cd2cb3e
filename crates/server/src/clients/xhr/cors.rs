//! CORS for the fallback: pages of all origins may send these requests and read the answers (FALLBACK-013).
//!
//! No cookie is read or set, so that an origin gains nothing by another's browser.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap,
    HeaderValue,
};

use crate::http::answer::{self, Answer};

/// The answer to a preflight, without a look-up: every request of a page comes with one, because the address of each is new.
pub(super) fn preflight() -> Answer {
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    answer
}

/// Adds the header that lets pages read an answer.
pub(super) fn put_headers(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}
