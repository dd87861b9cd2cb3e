//! What every connection and request shares; built once, at the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_apps::Apps;
use fanfare_config::Config;
use fanfare_hub::{Budget, Hubs};
use tokio::time::Instant;

use crate::clock::unix_seconds;
use crate::connections::{ConnectionBounds, Listener, Places};
use crate::descriptors::Division;
use crate::drain::Drain;
use crate::memory;
use crate::metrics::{Live, Metrics};
use crate::outgoing::Outgoing;
use crate::redis_feed::Numbers;
use crate::tasks::Tasks;
use crate::tenants::{Moment, OnNode, Tenants};

/// The parts of a running server.
pub struct State {
    /// The effective configuration.
    pub config: Config,
    /// Which apps exist.
    pub apps: Apps,
    /// The live state of each.
    pub hubs: Arc<Hubs>,
    /// What each has used, and whether it may use more.
    pub tenants: Arc<Tenants>,
    /// Questions to the applications of all apps.
    pub asking: OnNode,
    /// Asks and tells the servers of others.
    pub outgoing: Outgoing,
    /// What is heard of each Redis with broadcasts.
    pub redis_feed: Arc<Numbers>,
    /// What is counted.
    pub metrics: Metrics,
    /// What goes on for as long as the server.
    pub tasks: Tasks,
    /// Whether the server is stopping.
    pub drain: Drain,
    /// HTTP connections of the public listeners, and the most there may be.
    pub places: Arc<Places>,
    /// HTTP connections of the operators' listener, and the most there may be.
    pub operators_places: Arc<Places>,
    /// WebSockets open on this node, and the most there may be (WS-060).
    pub node: Node,
    /// The moment that connections count their silence from.
    pub started: Instant,
}

impl State {
    /// The parts of a server that nobody uses yet; `division` says how many connections it holds.
    #[must_use]
    pub fn new(config: Config, apps: Apps, tasks: Tasks, division: &Division) -> Self {
        let outgoing = Outgoing::new(&config, &tasks);
        let budget = Budget::new(config.limits.outbox_bytes, memory::outboxes(config.limits.outboxes_bytes));
        let (hubs, tenants) = (Arc::new(Hubs::new(budget)), Arc::new(Tenants::default()));
        let redis_feed: Arc<Numbers> = Arc::default();
        let exempt = config.listen.trusted_proxies.clone();
        let (all, per_address) = (division.http, division.http_per_address);
        let places =
            Arc::new(Places::new(ConnectionBounds { listener: Listener::Public, all, per_address, exempt }));
        let operators_places = Arc::new(Places::new(ConnectionBounds {
            listener: Listener::Operators,
            all: division.operators,
            per_address: usize::MAX,
            exempt: Vec::new(),
        }));
        let live = Live {
            places: Arc::clone(&places),
            operators_places: Arc::clone(&operators_places),
            hubs: Arc::clone(&hubs),
            tenants: Arc::clone(&tenants),
            redis_feed: Arc::clone(&redis_feed),
            tasks: tasks.clone(),
            database_answers: apps.database_answers(),
            database_stores: apps.database_stores(),
            certificate_expires: Arc::default(),
        };
        Self {
            metrics: Metrics::new(live, division),
            tasks,
            drain: Drain::default(),
            places,
            operators_places,
            node: Node::new(division.websockets),
            started: Instant::now(),
            asking: OnNode::new(division.authorizations),
            hubs,
            tenants,
            outgoing,
            redis_feed,
            apps,
            config,
        }
    }

    /// Milliseconds since the start, by which silence is measured.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The present, as quotas go by it.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let nanoseconds = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Moment { nanoseconds, day: unix_seconds() / 86_400 }
    }
}

/// How many WebSockets the node holds.
#[derive(Debug)]
pub struct Node {
    open: AtomicUsize,
    capacity: usize,
}

impl Node {
    /// A node that holds at most `capacity` connections.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { open: AtomicUsize::new(0), capacity }
    }

    /// Takes a place if one is free.
    #[must_use]
    pub fn take_seat(state: &Arc<State>) -> Option<Seat> {
        let free = |open: usize| (open < state.node.capacity).then_some(open + 1);
        let taken = state.node.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Seat(Arc::clone(state)))
    }

    /// Connections that hold a place now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The most there may be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

/// A place on the node, given back when dropped.
pub struct Seat(Arc<State>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.node.open.fetch_sub(1, Ordering::Relaxed);
        self.0.drain.connection_ended();
    }
}
