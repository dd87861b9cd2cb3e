//! Subscriptions of connections to channels, and putting frames into outboxes.
//!
//! Synchronous: no runtime, no clock, no socket. The order of locks is: one shard, or the users; then the app's
//! settings, for one read; then outboxes, the lists of channels with changes, the queues of parked events, of
//! transitions and of changes for the cluster, and the table of tokens, which are leaves. Nothing waits under any of these
//! locks.

mod app_hub;
mod bell;
mod budget;
mod cache;
mod change_queue;
mod channel;
mod conn;
mod dialect;
mod hubs;
mod outbox;
mod resume;
mod sampling;
mod sharing;
mod subscriptions;
mod sync;
mod transitions;
mod transport;
mod users;
mod waking_queue;

pub use app_hub::{AppHub, Cached, ChannelsPlace, FedEvent, SHARDS, Slot, SomeUsers};
pub use budget::Budget;
pub use change_queue::TakenChanges;
pub use channel::{EventReach, Footing, MissedElsewhere, Occupancy, OrderedEvent, SubscribeError};
pub use conn::{Conn, Visitor};
pub use dialect::Dialect;
pub use hubs::Hubs;
pub use outbox::{Outbox, Taken};
pub use resume::ResumeBounds;
#[cfg(shuttle)]
pub use resume::ResumeMistake;
pub use sampling::{MomentTaker, SampleWindow};
pub use sharing::{QuestionElsewhere, Topics};
pub use subscriptions::Subscriptions;
pub use transitions::TakenTransitions;
pub use transport::Transport;
pub use users::{OnlineHere, SignedIn};

#[cfg(test)]
fn test_app(id: &str) -> std::sync::Arc<fanfare_protocol::app::App> {
    std::sync::Arc::new(fanfare_protocol::app::App::new(id.into(), Vec::new()))
}

#[cfg(test)]
fn test_conn(bits: u64) -> std::sync::Arc<Conn> {
    std::sync::Arc::new(Conn::new(fanfare_protocol::ids::SocketId::from_bits(bits), Budget::of_each(1 << 20)))
}
