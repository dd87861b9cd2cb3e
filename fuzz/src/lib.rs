//! Checks of `fanfare-protocol` that must hold for every input, each a function of bytes.
//!
//! Owns the checks and their oracles; never knows the source of the bytes: a fuzzer, or the
//! test that replays the corpora. A check that fails panics.
#![forbid(unsafe_code)]

mod client_message;
mod frame_bytes;
mod frames;
mod identity;
mod members;
mod query;
mod request_signature;
mod signature;
mod stream;

pub use client_message::client_message;
pub use frame_bytes::frame_bytes;
pub use frames::frames;
pub use identity::identity;
pub use query::query;
pub use request_signature::request_signature;

/// One check: returns if the promise holds for these bytes, and panics if not.
pub type Check = fn(&[u8]);

/// Every check by its name, which its target, its corpus and its dictionary share.
pub const CHECKS: [(&str, Check); 6] = [
    ("client_message", client_message),
    ("frame_bytes", frame_bytes),
    ("frames", frames),
    ("identity", identity),
    ("query", query),
    ("request_signature", request_signature),
];
