//! What the bytes of the Pusher Channels protocol mean.
//!
//! Values and total functions only: names, ids, messages, frames, signatures, error codes.
//! Nothing here knows a socket, a clock, a lock or a runtime, and nothing panics on any input.

pub mod app;
pub mod auth;
pub mod channel;
pub mod client;
pub mod close;
pub mod cluster;
pub mod data;
pub mod engine_io;
pub mod error;
pub mod event_id;
pub mod event_name;
pub mod fallback;
pub mod frame;
pub mod idempotency;
pub mod ids;
pub mod json;
pub mod presence;
pub mod resume;
pub mod server;
pub mod socket_io;
pub mod user;
pub mod utc;
pub mod utf16;
pub mod version;
pub mod webhook;
pub mod ws;
