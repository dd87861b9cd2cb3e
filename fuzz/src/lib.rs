//! Checks of `fanfare-protocol` that must hold for every input, each a function of bytes.
//!
//! Owns the checks and their oracles; never knows the source of the bytes: a fuzzer, or the
//! test that replays the corpora. A check that fails panics.
#![forbid(unsafe_code)]

mod client_message;
mod engine_io;
mod fallback;
mod frame_bytes;
mod frames;
mod identity;
mod members;
mod query;
mod request_signature;
mod signature;
mod socket_io;
mod stream;
mod translation;

pub use client_message::client_message;
pub use engine_io::engine_io;
pub use fallback::fallback;
pub use frame_bytes::frame_bytes;
pub use frames::frames;
pub use identity::identity;
pub use query::query;
pub use request_signature::request_signature;
pub use socket_io::socket_io;
pub use translation::translation;

/// One check: returns if the promise holds for these bytes, and panics if not.
pub type Check = fn(&[u8]);

/// Every check by its name, which its target, its corpus and its dictionary share.
pub const CHECKS: [(&str, Check); 10] = [
    ("client_message", client_message),
    ("engine_io", engine_io),
    ("fallback", fallback),
    ("frame_bytes", frame_bytes),
    ("frames", frames),
    ("identity", identity),
    ("query", query),
    ("request_signature", request_signature),
    ("socket_io", socket_io),
    ("translation", translation),
];
