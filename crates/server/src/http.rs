//! What all requests over HTTP share: answers, errors, bodies, and what their headers say of the client.
//!
//! Knows no route.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod forwarded;
pub(crate) mod given;
pub(crate) mod host;
pub(crate) mod preflight;
pub(crate) mod received;
pub(crate) mod script;
pub(crate) mod unbroken;

use hyper::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};

pub use answer::Answer;
pub use error::ApiError;
pub use received::Peer;

/// Tells browsers not to guess the type of an answer: sentences repeat input.
pub(crate) fn forbid_sniffing(answer: &mut Answer) {
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
