//! What runs on this node: the apps' hubs, sessions of clients, publishing, usage, webhooks, and the tasks for them.
//!
//! Knows no socket and no HTTP: `server` puts these around a [`Node`]. `publish` is the only entry for events.

pub mod about;
pub mod addresses;
pub mod asking;
pub mod backlog;
pub mod census;
pub mod chores;
pub mod clock;
pub mod deliveries;
pub mod drain;
pub mod history;
pub mod idempotency;
pub mod inquiry;
pub mod listing;
pub mod live_apps;
pub mod memory;
pub mod metrics;
pub mod numbers;
pub mod publish;
pub mod rate;
pub mod refusals;
pub mod relay;
pub mod session;
pub mod taps;
pub mod tasks;
pub mod tenants;
pub mod trace;
pub mod usage;

mod event_ids;
mod node;
mod outgoing;
mod telling;
mod unlogged;

pub use event_ids::EventIds;
pub use node::{Node, NodeBounds, Seat, Seats};
pub use relay::ClusterState;
