//! Laravel's `redis` broadcasts: which app subscribes to which Redis, and the way of a message to subscribers.
//!
//! One connection for each Redis, whatever the number of its apps. Every node subscribes for itself and
//! delivers to its own subscribers, so that no node forwards messages to other nodes.

mod apps;
mod dropped;
mod events;
mod numbers;
mod publishing;
mod queue;

pub use apps::RedisFeeds;
pub use dropped::Dropped;
pub use numbers::{AppNumbers, Numbers};
