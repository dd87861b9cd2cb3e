//! Laravel's `redis` broadcasts: which app listens to which Redis, and what becomes of a message.
//!
//! One connection for each Redis, however many apps have their broadcasts there. Every node listens for itself and
//! delivers to its own subscribers, so that nothing is ever passed on to other nodes from here.

mod apps;
mod dropped;
mod events;
mod numbers;
mod publishing;
mod queue;

pub use apps::RedisFeeds;
pub use dropped::Dropped;
pub use numbers::{AppNumbers, Connections, Numbers};
