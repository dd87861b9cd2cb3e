//! Laravel's `redis` broadcasts: the content of each message, and which prefixes a Redis has.
//!
//! Owns the reading of messages; `fanfare_redis` subscribes. Decides nothing about apps and channels, and logs nothing.

mod message;
mod packed;
mod watch;

pub use message::{Broadcast, NotABroadcast};
pub use packed::Packed;
pub use watch::{Seen, watch};
