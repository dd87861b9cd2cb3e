//! CORS of the API: for pages of the origin in the setting `socketio.api_origin`.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap, HeaderValue, VARY,
};

use crate::http::preflight::allow_asked_headers;
use crate::http::{Answer, answer};

/// The answer to a preflight; `None` without an origin in the settings.
pub(super) fn preflight(origin: &str, headers: &HeaderMap) -> Option<Answer> {
    if origin.is_empty() {
        return None;
    }
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    let own = answer.headers_mut();
    own.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    allow_asked_headers(headers, own);
    put_headers(origin, own);
    Some(answer)
}

/// Lets pages of the origin read an answer.
pub(super) fn put_headers(origin: &str, headers: &mut HeaderMap) {
    // Every legal origin is a legal header.
    if let (false, Ok(value)) = (origin.is_empty(), HeaderValue::from_str(origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
    }
}
