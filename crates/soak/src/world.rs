//! What the parts of a run share: nodes, clients, the ledger of events, what a back end was told, and violations.
//!
//! One thread owns all of it; nobody holds a borrow while waiting.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::told::BackEndKnows;
use crate::view::View;

pub(crate) type Shared = Rc<RefCell<World>>;

/// Most violations that are kept: the first says most.
const MOST_VIOLATIONS: usize = 20;

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
    /// Whether the node is up, as far as a client can know.
    pub(crate) is_open: bool,
    /// Until when the node may close connections: it was killed or asked to shut down.
    pub(crate) may_close: Option<Instant>,
}

/// A client: the same user on one connection after the other.
pub(crate) struct Seat {
    pub(crate) user: String,
    pub(crate) node: usize,
    /// The open connection.
    pub(crate) view: Option<View>,
}

/// Figures for the report.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: u64,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
    pub(crate) deliveries: u64,
    pub(crate) client_events: u64,
    pub(crate) checks: u64,
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Place>,
    pub(crate) seats: Vec<Seat>,
    pub(crate) pace: Pace,
    pub(crate) ledger: Ledger,
    pub(crate) told: BackEndKnows,
    /// Requests of back ends that have no answer yet.
    pub(crate) publishing: usize,
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<String>,
    start: Instant,
}

impl World {
    pub(crate) fn new(nodes: Vec<Place>, clients: usize) -> Self {
        // More clients than users: many users have several tabs, on whatever node.
        let users = (clients * 2 / 5).max(1);
        let seat = |number: usize| Seat { user: format!("u{}", number % users), node: 0, view: None };
        Self {
            nodes,
            seats: (0..clients).map(seat).collect(),
            pace: Pace::Acting,
            ledger: Ledger::default(),
            told: BackEndKnows::default(),
            publishing: 0,
            tally: Tally::default(),
            violations: Vec::new(),
            start: Instant::now(),
        }
    }

    /// A node that is up.
    pub(crate) fn open_node(&self, chance: &mut Chance) -> Option<usize> {
        let open: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_open).collect();
        chance.pick(&open).copied()
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

    /// Whether a node may close a connection now.
    pub(crate) fn may_close(&self, node: usize) -> bool {
        self.nodes[node].may_close.is_some_and(|until| Instant::now() < until)
    }

    /// The node is about to be killed or shut down: clients stay away, and may lose their connections.
    pub(crate) fn closes(&mut self, node: usize) {
        self.nodes[node].is_open = false;
        self.nodes[node].may_close = Some(Instant::now() + Duration::from_secs(30));
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
