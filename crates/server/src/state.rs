//! State shared by all connections and requests; built once, at the start.

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
    /// The apps.
    pub apps: Apps,
    /// The live state of each app.
    pub hubs: Arc<Hubs>,
    /// The usage of each app, and its quotas.
    pub tenants: Arc<Tenants>,
    /// Requests to the applications of all apps.
    pub asking: OnNode,
    /// Clients for outgoing requests.
    pub outgoing: Outgoing,
    /// The numbers of each Redis with broadcasts.
    pub redis_feed: Arc<Numbers>,
    /// The counters.
    pub metrics: Metrics,
    /// The tasks that live as long as the server.
    pub tasks: Tasks,
    /// Whether the server is stopping.
    pub drain: Drain,
    /// HTTP connections of the public listeners, and their bound.
    pub places: Arc<Places>,
    /// HTTP connections of the operators' listener, and their bound.
    pub operators_places: Arc<Places>,
    /// WebSockets open on this node, and their bound (WS-060).
    pub node: Node,
    /// The zero of [`State::milliseconds`].
    pub started: Instant,
}

impl State {
    /// The parts of a new server; `division` gives the numbers of connections.
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

    /// Milliseconds since the start, for measuring silence.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The current moment, for quotas.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let nanoseconds = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Moment { nanoseconds, day: unix_seconds() / 86_400 }
    }
}

/// The number of WebSockets on the node, and its bound.
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

    /// Takes a slot if one is free.
    #[must_use]
    pub fn take_seat(state: &Arc<State>) -> Option<Seat> {
        let free = |open: usize| (open < state.node.capacity).then_some(open + 1);
        let taken = state.node.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Seat(Arc::clone(state)))
    }

    /// Connections that hold a slot now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The bound on connections.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

/// A slot on the node, released on drop.
pub struct Seat(Arc<State>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.node.open.fetch_sub(1, Ordering::Relaxed);
        self.0.drain.connection_ended();
    }
}
