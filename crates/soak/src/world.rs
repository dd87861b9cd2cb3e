//! What the parts of a run share: nodes, clients, the ledger of events, what a back end was told, and violations.
//!
//! One thread owns all of it; nobody holds a borrow while waiting.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::durable::Durable;
use crate::ledger::{AFTER, Ledger};
use crate::operator::Operator;
use crate::samples::Samples;
use crate::told::BackEndKnows;
use crate::usage::Usage;
use crate::view::{Position, View};

pub(crate) type Shared = Rc<RefCell<World>>;

/// Most violations that are kept: the first says most.
const MOST_VIOLATIONS: usize = 20;

/// How long after a back end's call its user's connections may be closed.
const TERMINATED: Duration = Duration::from_secs(5);

/// How long a node that goes may cost connections.
const GOING: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Clients come, go, join and leave; back ends publish.
    Acting,
    /// Everybody stays where they are; lost connections are made anew.
    Resting,
    /// Everybody leaves for good.
    Leaving,
}

/// A node, as clients and back ends see it.
pub(crate) struct Place {
    /// Where clients connect, perhaps to a liar in front of the node.
    pub(crate) clients: SocketAddr,
    pub(crate) back_ends: SocketAddr,
    pub(crate) operators: SocketAddr,
    /// The process that runs, or ran last.
    pub(crate) process: Option<u32>,
    /// Whether the node is up, as far as a client can know.
    pub(crate) is_open: bool,
    /// How the node goes, and until when that excuses lost connections.
    pub(crate) going: Option<(Going, Instant)>,
}

/// Why a node goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// Killed: connections are lost without a word.
    Killed,
    /// Asked to shut down: every client is closed with 4200.
    Asked,
}

/// A client: the same user on one connection after the other.
pub(crate) struct Seat {
    pub(crate) user: String,
    pub(crate) node: usize,
    /// The open connection.
    pub(crate) view: Option<View>,
    /// The number of the connection, also of its stream of client events.
    pub(crate) connection: u32,
    pub(crate) socket: String,
    /// Where the channels of the last connection were when it ended, for the next one to resume.
    pub(crate) positions: BTreeMap<String, Position>,
}

/// Figures for the report.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: u64,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
    pub(crate) deliveries: u64,
    pub(crate) client_events: u64,
    pub(crate) terminations: u64,
    pub(crate) checks: u64,
    /// Channels that were resumed, and those of which a node said that something may be missing.
    pub(crate) resumed: u64,
    pub(crate) incomplete: u64,
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Place>,
    pub(crate) seats: Vec<Seat>,
    pub(crate) pace: Pace,
    pub(crate) ledger: Ledger,
    pub(crate) told: BackEndKnows,
    pub(crate) durable: Durable,
    pub(crate) operator: Operator,
    pub(crate) usage: Usage,
    pub(crate) samples: Samples,
    /// Requests of back ends that have no answer yet.
    pub(crate) publishing: usize,
    pub(crate) tally: Tally,
    /// When the fault began that is made, or was a moment ago.
    pub(crate) fault_since: Option<Instant>,
    /// When the machine stood still last, and for how long in all.
    pub(crate) stood_still: (Option<Instant>, Duration),
    /// Users whose connections a back end has closed, and when last.
    pub(crate) terminated: BTreeMap<String, Instant>,
    pub(crate) violations: Vec<String>,
    start: Instant,
}

impl World {
    pub(crate) fn new(nodes: Vec<Place>, clients: usize) -> Self {
        // More clients than users: many users have several tabs, on whatever node.
        let users = (clients * 2 / 5).max(1);
        let seat = |number: usize| Seat {
            user: format!("u{}", number % users),
            node: 0,
            view: None,
            connection: 0,
            socket: String::new(),
            positions: BTreeMap::new(),
        };
        Self {
            nodes,
            seats: (0..clients).map(seat).collect(),
            pace: Pace::Acting,
            ledger: Ledger::default(),
            told: BackEndKnows::default(),
            durable: Durable::default(),
            operator: Operator::default(),
            usage: Usage::default(),
            samples: Samples::default(),
            publishing: 0,
            tally: Tally::default(),
            fault_since: None,
            stood_still: (None, Duration::ZERO),
            terminated: BTreeMap::new(),
            violations: Vec::new(),
            start: Instant::now(),
        }
    }

    /// A node that is up.
    pub(crate) fn open_node(&self, chance: &mut Chance) -> Option<usize> {
        let open: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_open).collect();
        chance.pick(&open).copied()
    }

    /// Whether answers may be late or refused.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.disturbed_since().is_some()
    }

    /// Since when, at the latest, answers may be late or refused.
    fn disturbed_since(&self) -> Option<Instant> {
        let (then, time) = self.stood_still;
        let stood_still = then.filter(|then| then.elapsed() < AFTER).map(|then| then - time);
        [self.fault_since, stood_still].into_iter().flatten().min()
    }

    /// Whether a back end's call may be why a user's connection is closed now. A node that was stopped or cut off obeys
    /// when it goes on, so in the time of a fault a call of that time is reason enough, however long ago.
    pub(crate) fn may_be_terminated(&self, user: &str) -> bool {
        let earliest = self.disturbed_since().unwrap_or_else(Instant::now) - TERMINATED;
        self.terminated.get(user).is_some_and(|then| *then > earliest)
    }

    /// Notes what must never happen.
    pub(crate) fn violation(&mut self, what: String) {
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(format!("at {:.1} s: {what}", self.start.elapsed().as_secs_f64()));
        }
    }

    /// A client, in words.
    pub(crate) fn name_of(&self, seat: usize) -> String {
        let Seat { user, node, .. } = &self.seats[seat];
        format!("client {seat} (user {user}, node {node})")
    }

    /// How a node goes, if that may cost connections now.
    pub(crate) fn going(&self, node: usize) -> Option<Going> {
        self.nodes[node].going.filter(|(_, until)| Instant::now() < *until).map(|(going, _)| going)
    }

    /// Whether no node has gone for a while, so that each can say what its connections missed.
    pub(crate) fn nodes_last(&self) -> bool {
        self.nodes.iter().all(|node| node.going.is_none_or(|(_, until)| until.elapsed() > GOING))
    }

    /// The node is about to be killed or shut down: clients stay away, and may lose their connections.
    pub(crate) fn goes(&mut self, node: usize, going: Going) {
        self.nodes[node].is_open = false;
        self.nodes[node].going = Some((going, Instant::now() + GOING));
        if going == Going::Killed {
            self.usage.killed(node);
        }
    }

    /// Whether apps are in a database, so that there is an operator.
    pub(crate) fn has_database(&self) -> bool {
        !self.operator.token.is_empty()
    }

    /// How many connections clients hold.
    pub(crate) fn open_connections(&self) -> usize {
        self.seats.iter().filter(|seat| seat.view.is_some()).count()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The channels that clients join.
pub(crate) fn channels() -> Vec<String> {
    let numbered =
        |name: &'static str, count: usize| (0..count).map(move |number| format!("{name}-{number}"));
    let mut all: Vec<String> = numbered("presence-room", 6).collect();
    all.extend(numbered("news", 30));
    all.extend(numbered("private-desk", 6));
    all.extend(CACHED.map(str::to_owned));
    all
}

/// Channels that keep their last event; each has one publisher at a time.
pub(crate) const CACHED: [&str; 2] = ["cache-weather", "private-cache-scores"];

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_secs(1);

    /// A world in which the user `u0` was to be closed so long ago.
    fn terminated(ago: Duration) -> World {
        let mut world = World::new(Vec::new(), 1);
        world.terminated.insert("u0".to_owned(), Instant::now() - ago);
        world
    }

    #[test]
    fn a_users_connection_is_closed_soon_after_the_call_or_never() {
        assert!(terminated(TERMINATED - MOMENT).may_be_terminated("u0"));
        assert!(!terminated(TERMINATED + MOMENT).may_be_terminated("u0"));
        assert!(!terminated(MOMENT).may_be_terminated("u1"));
    }

    #[test]
    fn a_node_that_was_stopped_obeys_late_what_was_said_since_shortly_before() {
        let fault = Duration::from_secs(25);
        let during = |ago| {
            let mut world = terminated(ago);
            world.fault_since = Some(Instant::now() - fault);
            world.may_be_terminated("u0")
        };
        assert!(during(fault - MOMENT));
        assert!(during(fault + TERMINATED - MOMENT));
        assert!(!during(fault + TERMINATED + MOMENT));
    }
}
