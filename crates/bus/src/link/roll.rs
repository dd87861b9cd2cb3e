//! The list of nodes, in the first partition: every second a node says how it is, and hears who is there (CL-067, CL-068).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value, cmd};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::board::Board;
use crate::lost::LostNode;
use crate::partition::Layout;
use crate::shared::Shared;

/// Between two roll calls, in milliseconds.
const BETWEEN: u64 = 1000;

/// How long the list stays when nobody calls the roll any more, in milliseconds.
const LIVES: u64 = 60_000;

/// Nodes whose names are known, at most; the others are logged by their ids.
const MOST_NAMES: usize = 256;

/// Dead nodes that are logged at one call, each with a line of its own; as many as die in one rack.
const MOST_LINES: usize = 16;

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
    /// Links that were up when this node said so last.
    up: usize,
    /// Nodes that were listed without a lease at the last call.
    gone: BTreeSet<String>,
    /// Those of them whose death is logged.
    said: BTreeSet<String>,
    /// What listed nodes call themselves, by id; `None` for one that is asked for its name at the next call.
    names: BTreeMap<String, Option<String>>,
    /// Nodes that the last call has asked for their names.
    asked: Vec<String>,
    /// Rows of dead nodes that this one had taken away when the last death was logged.
    rows: u64,
}

impl Roll {
    pub fn new() -> Self {
        let (gone, said, names) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { next: 0, up: 0, gone, said, names, asked: Vec::new(), rows: 0 }
    }

    /// When the next call is due: at once if a link has come or gone.
    pub fn next(&self, shared: &Shared) -> u64 {
        if links_up(shared) == self.up { self.next } else { 0 }
    }

    /// The commands of a call, if it is due.
    pub fn commands(&mut self, now: u64, shared: &Shared) -> Option<Vec<Cmd>> {
        if now < self.next(shared) {
            return None;
        }
        (self.next, self.up) = (now + BETWEEN, links_up(shared));
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
        let unknown = self.names.iter().filter(|(_, name)| name.is_none());
        self.asked = unknown.map(|(id, _)| id.clone()).collect();
        let mut commands = vec![say, who, listed, lives];
        if !self.asked.is_empty() {
            let mut names = cmd("HMGET");
            names.arg(layout.key(0, "nodes")).arg(&self.asked);
            commands.push(names);
        }
        Some(commands)
    }

    /// Hears who is there; answers with a command that removes nodes that have been gone since the last call.
    pub fn hear(&mut self, now: u64, values: &[Value], shared: &Shared) -> Option<Cmd> {
        let [_, live, listed, _, reports @ ..] = values else { return None };
        let (live, listed) = (names(live)?, names(listed)?);
        self.learn(reports);
        let is_first = live.first().is_some_and(|first| *first == *shared.key);
        shared.rank.set(now, is_first, shared.lease);
        shared.living.store(live.len(), Ordering::Relaxed);
        shared.set_living(live.iter());
        // Another node may have removed from the list who was gone before.
        let has_died = |id: &&String| !self.said.contains(*id) && **id != *shared.key;
        let dead: Vec<String> = self.gone.difference(&live).filter(has_died).cloned().collect();
        self.say_dead(&dead, shared);
        self.said.extend(dead);
        self.said.retain(|id| listed.contains(id) && !live.contains(id));
        let gone: BTreeSet<String> = listed.difference(&live).cloned().collect();
        let both: Vec<&String> = gone.intersection(&self.gone).collect();
        self.names.retain(|id, _| listed.contains(id));
        for id in &listed {
            if self.names.len() < MOST_NAMES && !self.names.contains_key(id) {
                self.names.insert(id.clone(), None);
            }
        }
        let remove = (is_first && !both.is_empty()).then(|| {
            let mut remove = cmd("HDEL");
            remove.arg(shared.layout.key(0, "nodes")).arg(both);
            remove
        });
        self.gone = gone;
        remove
    }

    /// Reads what nodes call themselves, in the order in which they were asked.
    fn learn(&mut self, reports: &[Value]) {
        let asked = std::mem::take(&mut self.asked);
        let [Value::Array(reports)] = reports else { return };
        for (id, report) in asked.into_iter().zip(reports) {
            let name = match report {
                Value::BulkString(json) => {
                    serde_json::from_slice::<NodeReport>(json).ok().map(|says| says.name)
                }
                _ => None,
            };
            // Nobody is asked twice: a node without a name is called by its id.
            self.names.insert(id.clone(), Some(name.unwrap_or(id)));
        }
    }

    /// Logs and remembers nodes that have died, each once.
    fn say_dead(&mut self, dead: &[String], shared: &Shared) {
        if dead.is_empty() {
            return;
        }
        let rows: u64 = shared.boards.iter().map(|board| board.numbers().rows_reaped).sum();
        let rows_taken_away_here = rows - std::mem::replace(&mut self.rows, rows);
        let not_logged = dead.len().saturating_sub(MOST_LINES);
        for id in dead {
            let name = self.names.get(id).and_then(Option::clone).unwrap_or_else(|| id.clone());
            // As long as its lease, and until the call before this one.
            let silent = shared.lease + Duration::from_millis(BETWEEN);
            shared.lost.note(Instant::now(), LostNode { id: id.clone(), name, silent });
        }
        for id in dead.iter().take(MOST_LINES) {
            let node = self.names.get(id).and_then(Option::as_deref).unwrap_or(id);
            tracing::warn!(
                target: "fanfare::bus", node, id, rows_taken_away_here, not_logged,
                "a node has died: the others take its users away"
            );
        }
    }

    /// The command by which a node that ends leaves the list.
    pub fn goodbye(layout: &Layout, key: &str) -> Cmd {
        let mut command = cmd("HDEL");
        command.arg(layout.key(0, "nodes")).arg(key);
        command
    }
}

fn links_up(shared: &Shared) -> usize {
    shared.boards.iter().filter(|board| board.is_up()).count()
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
