//! A Redis as other crates need it: its address, connections to it, and a subscription that reconnects for ever.
//!
//! Owns Sentinels, Clusters, TLS and the log-in. Knows no meaning of a message, logs nothing, and shows no password.

mod address;
mod connection;
mod error;
mod happening;
mod names;
mod prefix;
mod questions;
mod resp;
mod servers;
mod subscriber;
mod subscription;
mod topics;

pub use address::{Host, LogIn, NotAnAddress, RedisAddress, Topology};
pub use connection::{Connector, RedisStream};
pub use error::RedisError;
pub use happening::{Happening, TopicListener, WantedPrefixes, WantedTopics};
pub use prefix::{Prefixes, pattern};
pub use questions::{Questions, Reply};
pub use servers::{master_of, masters_in, owner_of};
pub use subscriber::Subscriber;
pub use topics::{TopicKind, TopicSubscriber};
