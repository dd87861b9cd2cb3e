//! What runs on this node: the apps' hubs, sessions of clients, publishing, usage, webhooks, and the tasks for them.
//!
//! Knows no socket and no HTTP: `server` puts these around a [`Node`]. `publish` is the only entry for events.

pub mod census;
pub mod chores;
pub mod clock;
pub mod drain;
pub mod live_apps;
pub mod metrics;
pub mod publish;
pub mod rate;
pub mod relay;
pub mod session;
pub mod tasks;
pub mod tenants;
pub mod usage;

mod memory;
mod node;
mod outgoing;
mod telling;

pub use node::{Node, NodeBounds, Seat, Seats};
pub use relay::ClusterState;
