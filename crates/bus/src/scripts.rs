//! The scripts that nodes agree by, and the form of what is asked of Redis and answered.
//!
//! Pure functions between `BusCommand`, the bytes of Redis's commands, and `BusAnswer`: the link and the tests on a real
//! Redis send the same bytes. The head of each file in `lua/` says what the script takes and answers. Never a socket.

mod answered;
mod asked;
mod delta;
mod names;

use std::time::Duration;

use bytes::Bytes;

use crate::command::{BusCommand, NodeName};
use crate::partition::Layout;

pub use self::answered::answer;
pub use self::asked::{arguments_of, keep, keys_of, plain};
pub use self::delta::{Delta, DeltaKind, NotADelta};
pub(crate) use self::names::row;

/// The scripts, by the name of their file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Script {
    /// `hello.lua`
    Hello,
    /// `beat.lua`
    Beat,
    /// `apply.lua`
    Apply,
    /// `bye.lua`
    Bye,
    /// `take.lua`
    Take,
    /// `told.lua`
    Told,
    /// `keep.lua`
    Keep,
    /// `sent.lua`
    Sent,
}

impl Script {
    /// All scripts, to be loaded.
    pub const ALL: [Self; 8] =
        [Self::Hello, Self::Beat, Self::Apply, Self::Bye, Self::Take, Self::Told, Self::Keep, Self::Sent];

    /// The script's text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Hello => include_str!("lua/hello.lua"),
            Self::Beat => include_str!("lua/beat.lua"),
            Self::Apply => include_str!("lua/apply.lua"),
            Self::Bye => include_str!("lua/bye.lua"),
            Self::Take => include_str!("lua/take.lua"),
            Self::Told => include_str!("lua/told.lua"),
            Self::Keep => include_str!("lua/keep.lua"),
            Self::Sent => include_str!("lua/sent.lua"),
        }
    }

    /// The script of a command; `None` for a command of Redis's own, see [`plain`].
    #[must_use]
    pub const fn of(command: &BusCommand) -> Option<Self> {
        Some(match command {
            BusCommand::Hello { .. } => Self::Hello,
            BusCommand::Beat { .. } => Self::Beat,
            BusCommand::Apply { .. } => Self::Apply,
            BusCommand::Bye { .. } => Self::Bye,
            BusCommand::Take { .. } => Self::Take,
            BusCommand::Told { .. } => Self::Told,
            BusCommand::Keep { .. } => Self::Keep,
            BusCommand::Taken { .. } => Self::Sent,
            _ => return None,
        })
    }
}

/// What every command of a link needs beside the command.
#[derive(Clone, Debug)]
pub struct Speaker<'a> {
    /// Where everything lies.
    pub layout: &'a Layout,
    /// This node.
    pub node: &'a NodeName,
    /// A Redis Cluster: topics are sharded (`SPUBLISH`).
    pub is_sharded: bool,
    /// The id of the master's data for tests; empty for Redis's own, its run id and replication id.
    pub data: &'a str,
    /// An id for a new epoch, different each time.
    pub fresh: &'a str,
    /// How long a lease lasts.
    pub lease: Duration,
    /// How long an epoch is young (N8).
    pub settling: Duration,
    /// How long a going waits for a return (HOOK-021).
    pub delay: Duration,
    /// The webhooks of so much time are one group (HOOK-024), from 1 ms to 1 s.
    pub window: Duration,
    /// Bytes of webhooks that wait in a partition; without room, no coming is told.
    pub hook_bytes: usize,
    /// The time in milliseconds for tests; 0 for Redis's own clock.
    pub now: u64,
}

/// An answer of Redis, as far as commands of the bus are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisValue {
    /// Nothing: a missing key, or `false` of a script.
    Nothing,
    /// A number.
    Number(i64),
    /// A text, also a status such as `OK`.
    Text(Bytes),
    /// A list.
    List(Vec<RedisValue>),
    /// An error, with its first word such as `OOM`.
    Error(String),
}
