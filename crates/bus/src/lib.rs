//! Other nodes, through Redis: events, who is on which channel, and which node tells back ends (CL-001 … CL-120).
//!
//! Owns what nodes agree on, and every way of falling out of touch and back. Never knows a hub, a connection or HTTP:
//! `Local` is what the bus brings to its node.

pub mod command;
mod local;
pub mod machine;
pub mod message;
pub mod partition;
pub mod scripts;
mod settings;

pub use self::local::{HeardEvent, HeardKept, HookBatch, HookEvent, HooksDone, Local};
pub use self::settings::{NodeAbout, Settings};
