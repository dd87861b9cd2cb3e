//! Other nodes, through Redis: events, who is on which channel, and which node tells back ends (CL-001 … CL-120).
//!
//! Owns what nodes agree on, and every way of falling out of touch and back. Never knows a hub, a connection or HTTP:
//! `Local` is what the bus brings to its node.

mod board;
mod bus;
pub mod command;
mod counters;
mod link;
mod local;
mod lost;
pub mod machine;
pub mod message;
mod node_questions;
mod observe;
pub mod partition;
mod reaching;
pub mod scripts;
mod settings;
mod shared;
mod workers;

pub use self::board::LinkState;
pub use self::bus::{
    Bus, BusAway, BusTask, ChannelCounts, ClusterQuestion, ClusterReply, KeyStanding, KnownNode, NodesSaid,
    TooManyChanges, UsageReport, UsageTotal,
};
pub use self::counters::{BusCount, BusCounters, LATENCY_BOUNDS};
pub use self::link::{LinkReport, NodeReport};
pub use self::local::{
    AskedMissed, FoundMissed, HeardEvent, HeardKept, HeardMissed, HeardReach, HeardTap, HeardTapPart,
    HookBatch, HookEvent, HooksDone, Local, MissedNews, NodeReply, NodeSubject,
};
pub use self::lost::LostNode;
pub use self::node_questions::MOST_ASKED;
pub use self::observe::{NotObserved, Observed, RedisAway, observe};
pub use self::settings::{NodeAbout, Settings};
