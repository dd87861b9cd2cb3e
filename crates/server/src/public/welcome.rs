//! The page for a person who opens the server's address in a browser.
//!
//! Only for requests that accept a page: every other request for `/` gets the answer of an unknown path. Holds no facts
//! of this server: no version, no app, no setting.

use bytes::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, VARY};
use hyper::{Method, Request, StatusCode};

use crate::http::answer::{self, Answer};

const PAGE: &str = include_str!("welcome.html");

/// Nothing may be loaded, run, framed or sent.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a person's browser requests the server's own address; `path` is as the routes are written.
pub(super) fn is_asked_for<B>(path: &str, prefix: &str, request: &Request<B>) -> bool {
    let is_root = path == "/" || (!prefix.is_empty() && path == prefix);
    let wants_page = |value: &HeaderValue| value.to_str().is_ok_and(|list| list.contains("text/html"));
    is_root
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && request.headers().get_all(ACCEPT).iter().any(wants_page)
}

/// The page.
pub(super) fn page() -> Answer {
    let mut answer =
        answer::with_type(StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    answer
}
