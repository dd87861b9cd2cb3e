//! Laravel's `redis` broadcasts: from a Redis to the content of each message.
//!
//! Owns the subscription, which reconnects for ever, and the reading of messages. Decides nothing about
//! apps and channels, logs nothing, and shows no password.

mod address;
mod connection;
mod error;
mod happening;
mod message;
mod packed;
mod prefix;
mod resp;
mod servers;
mod subscriber;
mod subscription;
mod watch;

pub use address::{Host, NotAnAddress, RedisAddress};
pub use error::FeedError;
pub use happening::{Happening, WantedPrefixes};
pub use message::{Broadcast, NotABroadcast};
pub use packed::Packed;
pub use prefix::{Prefixes, pattern};
pub use subscriber::Subscriber;
pub use watch::{Seen, watch};
