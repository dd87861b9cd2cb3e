//! Tells apps' back ends what happens on their channels (HOOK-001 … HOOK-026).
//!
//! Owns what is told and what is not: delays and cancels, keeps comings and goings alternating, signs, retries,
//! gives up. Every URL has a queue and a task of its own, so that none waits for another. Knows no hub and no
//! connection: transitions are brought to it, and whoever brings them never waits.

mod app_hooks;
mod misses;
mod news;
mod outlet;
mod queue;
mod request;
mod settings;
mod tracker;
mod turns;
mod webhooks;

pub use self::news::News;
pub use self::settings::{Settings, Spawn, Tally};
pub use self::webhooks::Webhooks;
