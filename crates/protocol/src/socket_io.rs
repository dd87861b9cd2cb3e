//! Socket.IO as clients of Laravel Echo speak it: their packets, and frames for them (SIO-040 … SIO-064).
//!
//! A packet of Socket.IO is the content of an Engine.IO message. Both versions of Engine.IO carry the same events.

mod event;
mod incoming;
mod outgoing;
#[cfg(test)]
mod recorded_tests;

pub use self::event::event;
pub use self::incoming::{NotSocketIo, SocketIoMessage, SocketIoSubscribe};
pub use self::outgoing::{
    CHANNEL_FULL, connected, disconnect, invalid_namespace, presence_joining, presence_leaving,
    presence_subscribed, refused, subscription_error,
};
