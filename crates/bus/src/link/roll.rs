//! The list of nodes, in the first partition: every second a node says how it is, and hears who is there (CL-067, CL-068).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redis::{Cmd, Value, cmd};
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::partition::Layout;
use crate::shared::Shared;

/// Between two roll calls, in milliseconds.
const BETWEEN: u64 = 1000;

/// How long the list stays when nobody calls the roll any more, in milliseconds.
const LIVES: u64 = 60_000;

/// What a node says of itself, as JSON in the hash `nodes`. Fields of other releases are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The name for people.
    pub name: String,
    /// The version of the server.
    pub version: String,
    /// When the server started, in seconds since 1970.
    pub started: u64,
    /// Connections of clients.
    pub connections: usize,
    /// The node's links.
    pub links: Vec<LinkReport>,
}

/// What a node says of one of its links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    /// The Redis, without user and password.
    pub redis: String,
    /// Whether the link is up.
    pub up: bool,
    /// The last round trip, in microseconds.
    pub round_trip: Option<u64>,
}

/// Calls the roll, over the link of the first partition.
pub(super) struct Roll {
    next: u64,
    /// Nodes that were listed without a lease at the last call.
    gone: BTreeSet<String>,
}

impl Roll {
    pub fn new() -> Self {
        Self { next: 0, gone: BTreeSet::new() }
    }

    /// When the next call is due.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The commands of a call, if it is due.
    pub fn commands(&mut self, now: u64, shared: &Shared) -> Option<Vec<Cmd>> {
        if now < self.next {
            return None;
        }
        self.next = now + BETWEEN;
        let layout = &*shared.layout;
        let (nodes, live) = (layout.key(0, "nodes"), layout.key(0, "live"));
        let mut say = cmd("HSET");
        say.arg(&nodes).arg(&*shared.key).arg(report(shared));
        let mut who = cmd("ZRANGE");
        who.arg(live).arg(0).arg(-1);
        let mut listed = cmd("HKEYS");
        listed.arg(&nodes);
        let mut lives = cmd("PEXPIRE");
        lives.arg(nodes).arg(LIVES);
        Some(vec![say, who, listed, lives])
    }

    /// Hears who is there; answers with a command that removes nodes that have been gone since the last call.
    pub fn hear(&mut self, now: u64, values: &[Value], shared: &Shared) -> Option<Cmd> {
        let [_, live, listed, _] = values else { return None };
        let (live, listed) = (names(live)?, names(listed)?);
        let is_first = live.first().is_some_and(|first| *first == *shared.key);
        shared.rank.set(now, is_first, shared.lease);
        shared.living.store(live.len(), Ordering::Relaxed);
        let gone: BTreeSet<String> = listed.difference(&live).cloned().collect();
        let both: Vec<&String> = gone.intersection(&self.gone).collect();
        let remove = (is_first && !both.is_empty()).then(|| {
            let mut remove = cmd("HDEL");
            remove.arg(shared.layout.key(0, "nodes")).arg(both);
            remove
        });
        self.gone = gone;
        remove
    }

    /// The command by which a node that ends leaves the list.
    pub fn goodbye(layout: &Layout, key: &str) -> Cmd {
        let mut command = cmd("HDEL");
        command.arg(layout.key(0, "nodes")).arg(key);
        command
    }
}

/// What this node says of itself.
fn report(shared: &Shared) -> String {
    let link = |board: &Arc<Board>| {
        let state = board.state();
        let round_trip = state.round_trip.map(|time| time.as_micros() as u64);
        LinkReport { redis: state.redis, up: state.is_up, round_trip }
    };
    let report = NodeReport {
        name: shared.node.name.clone(),
        version: shared.node.version.clone(),
        started: shared.node.started,
        connections: shared.connections.load(Ordering::Relaxed),
        links: shared.boards.iter().map(link).collect(),
    };
    // Texts and numbers alone are JSON always.
    serde_json::to_string(&report).unwrap_or_default()
}

fn names(value: &Value) -> Option<BTreeSet<String>> {
    let Value::Array(values) = value else { return None };
    let name = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    Some(values.iter().filter_map(name).collect())
}
