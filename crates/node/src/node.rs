//! A node: what all connections and requests share; built once, at the start.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use fanfare_apps::Apps;
use fanfare_bus::Bus;
use fanfare_bus::partition::Layout;
use fanfare_config::Config;
use fanfare_hub::{Budget, Hubs, ResumeBounds};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::about::AboutNode;
use crate::asking::{AskingRates, SharedAnswers};
use crate::census::Turns;
use crate::clock::{unix_milliseconds, unix_seconds};
use crate::drain::Drain;
use crate::event_ids::EventIds;
use crate::history::Histories;
use crate::idempotency::IdempotencyKeys;
use crate::memory;
use crate::metrics::{Live, LiveBus, Metrics, NamedApps, Timings};
use crate::outgoing::Outgoing;
use crate::refusals::Refusals;
use crate::relay::{ClusterState, LiveTopics};
use crate::taps::Taps;
use crate::tasks::Tasks;
use crate::tenants::{KeyInUse, Moment, OnNode, Tenants};
use crate::trace::FreshTraces;
use crate::unlogged::Unlogged;

/// What runs on this node.
pub struct Node {
    /// The effective configuration, until a reload puts another in its place.
    config: ArcSwap<Config>,
    /// The apps.
    pub apps: Apps,
    /// The live state of each app.
    pub hubs: Arc<Hubs>,
    /// Which topics of the cluster are heard; `None` for a node that stands alone.
    pub(crate) topics: Option<Arc<LiveTopics>>,
    /// The other nodes, as soon as the node has started.
    pub(crate) bus: Arc<OnceLock<Bus>>,
    /// Turns for lists of channels.
    pub(crate) lists: Turns,
    /// Turns for counting what is kept of an app's webhooks.
    pub(crate) counting_kept: Turns,
    /// What was last read of all nodes.
    pub(crate) seen: Arc<ClusterState>,
    /// The usage of each app, and its quotas.
    pub tenants: Arc<Tenants>,
    /// The last hour of the apps in use.
    pub histories: Histories,
    /// What people call the node, as soon as the node has started.
    pub(crate) name: OnceLock<String>,
    /// The idempotency keys in use.
    pub idempotency: Arc<IdempotencyKeys>,
    /// The live lists that operators look at.
    pub taps: Arc<Taps>,
    /// The ids of accepted publishes.
    pub event_ids: EventIds,
    /// Requests to the applications of all apps.
    pub asking: OnNode,
    /// Clients for outgoing requests.
    pub outgoing: Outgoing,
    /// The apps with traces whose hints have not been looked for.
    pub(crate) fresh_traces: FreshTraces,
    /// What was refused.
    pub refusals: Refusals,
    /// The counters.
    pub metrics: Metrics,
    /// How long things take.
    pub timings: Arc<Timings>,
    /// The tasks that live as long as the server.
    pub tasks: Tasks,
    /// Whether the server is stopping.
    pub drain: Drain,
    /// Kept requests of webhooks that were dropped, and not logged yet.
    pub(crate) kept_dropped: Unlogged,
    /// Connections of clients open on this node, and their bound (WS-060).
    pub seats: Seats,
    /// How often the other nodes are asked what they have in memory.
    pub(crate) asking_nodes: AskingRates,
    /// What they have answered a moment ago.
    pub(crate) answers: SharedAnswers,
    /// What the server says of this node.
    pub about: AboutNode,
    /// The zero of [`Node::milliseconds`].
    pub started: Instant,
}

/// The most of what costs the node file descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeBounds {
    /// Connections of clients (`limits.connections`).
    pub seats: usize,
    /// Requests to applications of all apps together (`limits.authorizations_node`).
    pub authorizations: usize,
}

impl Node {
    /// A new node. Metrics in `registry` are printed along with the node's own.
    #[must_use]
    pub fn new(config: Config, apps: Apps, tasks: Tasks, bounds: NodeBounds, registry: Registry) -> Self {
        let outgoing = Outgoing::new(&config, &tasks);
        let timings = Arc::<Timings>::default();
        let budget = Budget::new(config.limits.outbox_bytes, memory::outboxes(config.limits.outboxes_bytes))
            .with_moments(timings.moment_taker());
        let bus = &config.bus;
        let layout = (!bus.is_alone()).then(|| Layout::new(&bus.prefix, bus.partitions));
        let topics = layout.map(|layout| Arc::new(LiveTopics::new(layout)));
        let hubs = match &topics {
            Some(topics) => Hubs::shared(budget, Arc::<LiveTopics>::clone(topics)),
            None => Hubs::new(budget),
        };
        let hubs = hubs.with_resume_bounds(resume_bounds(&config));
        let (hubs, tenants) = (Arc::new(hubs), Arc::new(Tenants::default()));
        let idempotency = Arc::new(IdempotencyKeys::new(config.idempotency));
        let live = Live {
            hubs: Arc::clone(&hubs),
            named: NamedApps::new(config.metrics.apps),
            idempotency: Arc::clone(&idempotency),
            tenants: Arc::clone(&tenants),
            tasks: tasks.clone(),
            database_answers: apps.database_answers(),
            database_stores: apps.database_stores(),
            unaudited: apps.unaudited(),
        };
        let (bus, seen) = (Arc::<OnceLock<Bus>>::default(), Arc::<ClusterState>::default());
        let of_bus = LiveBus { bus: Arc::clone(&bus), seen: Arc::clone(&seen) };
        Self {
            metrics: Metrics::new(live, of_bus, &timings, bounds.seats, registry),
            timings,
            tasks,
            drain: Drain::default(),
            seats: Seats::new(bounds.seats),
            asking_nodes: AskingRates::default(),
            answers: SharedAnswers::default(),
            about: AboutNode::default(),
            started: Instant::now(),
            name: OnceLock::new(),
            histories: Histories::new(config.console.history_bytes),
            taps: Arc::default(),
            event_ids: EventIds::default(),
            fresh_traces: FreshTraces::default(),
            refusals: Refusals::default(),
            idempotency,
            kept_dropped: Unlogged::default(),
            asking: OnNode::new(bounds.authorizations),
            topics,
            bus,
            lists: Turns::default(),
            counting_kept: Turns::default(),
            seen,
            hubs,
            tenants,
            outgoing,
            apps,
            config: ArcSwap::from_pointee(config),
        }
    }

    /// The effective configuration. What is returned is of one moment: not to be held while waiting.
    #[must_use]
    pub fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }

    /// The effective configuration, for who waits meanwhile.
    #[must_use]
    pub fn config_kept(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Puts this configuration in the place of the one before, and takes over its bounds: of outboxes, and of webhooks. Apps are
    /// taken over by [`Apps::take_over`].
    pub fn take_over(&self, config: Config) {
        let limits = &config.limits;
        self.hubs.budget().set_bounds(limits.outbox_bytes, memory::outboxes(limits.outboxes_bytes));
        self.outgoing.webhooks.set_settings(config.webhooks.settings());
        self.config.store(Arc::new(config));
    }

    /// The other nodes; `None` for a node that stands alone.
    #[must_use]
    pub fn bus(&self) -> Option<&Bus> {
        self.bus.get()
    }

    /// What people call the node.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.get().map_or("", String::as_str)
    }

    /// What is to be known of the other nodes before this node is sent traffic.
    #[must_use]
    pub fn seen(&self) -> &ClusterState {
        &self.seen
    }

    /// Milliseconds since the start, for measuring silence.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When the node started, in milliseconds since 1970, by the clock of now.
    #[must_use]
    pub fn started_at(&self) -> u64 {
        unix_milliseconds().saturating_sub(self.milliseconds())
    }

    /// The current moment, for quotas.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { nanoseconds: self.nanoseconds(), day: unix_seconds() / 86_400 }
    }

    /// Nanoseconds since the start, for rates.
    #[must_use]
    pub fn nanoseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The bounds of `[resume]`, and how long a lost connection may go unnoticed.
fn resume_bounds(config: &Config) -> ResumeBounds {
    let silence = u64::from(config.timeouts.activity) + u64::from(config.timeouts.pong);
    let (bytes, records) = (config.resume.bytes, config.resume.records);
    ResumeBounds { bytes, records, silence: 1000 * silence }
}

/// The number of connections of clients, and its bound.
#[derive(Debug)]
pub struct Seats {
    open: AtomicUsize,
    capacity: usize,
}

impl Seats {
    const fn new(capacity: usize) -> Self {
        Self { open: AtomicUsize::new(0), capacity }
    }

    /// Takes a slot if one is free.
    #[must_use]
    pub fn take(node: &Arc<Node>) -> Option<Seat> {
        let free = |open: usize| (open < node.seats.capacity).then_some(open + 1);
        let taken = node.seats.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Seat { node: Arc::clone(node), key: None })
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
pub struct Seat {
    node: Arc<Node>,
    key: Option<KeyInUse>,
}

impl Seat {
    /// The connection came by this key.
    pub fn set_key(&mut self, key: KeyInUse) {
        self.key = Some(key);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.node.seats.open.fetch_sub(1, Ordering::Relaxed);
        self.node.drain.connection_ended();
    }
}
