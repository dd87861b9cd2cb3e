//! State shared by all connections and requests: the node, and what the server has around it. Built once, at the start; a reload
//! puts another configuration in.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use fanfare_apps::Apps;
use fanfare_config::Config;
use fanfare_node::metrics::NamedApps;
use fanfare_node::rate::Rate;
use fanfare_node::tasks::Tasks;
use fanfare_node::{Node, NodeBounds};

use crate::clients::http_session::away::AwayBounds;
use crate::clients::http_session::bodies::Bodies;
use crate::clients::socket_io::SocketIoTable;
use crate::clients::xhr::XhrSessions;
use crate::connections::{ConnectionBounds, ExemptNetworks, Listener, Places, Times};
use crate::descriptors::Division;
use crate::metrics::{LiveServer, ServerMetrics};
use crate::paste_lines::OverTls;
use crate::redis_feed::Numbers;
use crate::reloads::Reloads;

/// The parts of a running server.
pub struct State {
    /// What knows no sockets.
    pub node: Arc<Node>,
    /// Where clients and back ends are listened for, as soon as that is so.
    pub listening: OnceLock<PublicAddresses>,
    /// The counters of HTTP and of the listeners.
    pub metrics: ServerMetrics,
    /// The numbers of each Redis with broadcasts.
    pub redis_feed: Arc<Numbers>,
    /// HTTP connections of the public listeners, and their bound.
    pub places: Arc<Places>,
    /// HTTP connections of the operators' listener, and their bound.
    pub operators_places: Arc<Places>,
    /// The bounds of sessions whose client has no connection.
    pub away: AwayBounds,
    /// How often it is looked up whether an unknown key was revoked.
    pub former_keys: Rate,
    /// Room for the bodies of clients' requests.
    pub bodies: Bodies,
    /// The networks without bounds by client address.
    exempt: ExemptNetworks,
    /// The timeouts of HTTP connections.
    pub times: ArcSwap<Times>,
    /// The reloads: who does them, and what the last has come to.
    pub reloads: Arc<Reloads>,
    /// The sessions of the HTTP fallback.
    pub fallback: Arc<XhrSessions>,
    /// The sessions of Socket.IO that began by polling.
    pub socket_io: Arc<SocketIoTable>,
}

/// Where clients and back ends are listened for, with the ports that the system has chosen.
#[derive(Clone, Debug)]
pub struct PublicAddresses {
    /// The address without TLS.
    pub plain: SocketAddr,
    /// The TLS listener, if there is one.
    pub over_tls: Option<OverTls>,
}

impl State {
    /// Where clients and back ends are listened for; before that is so, where the configuration says.
    #[must_use]
    pub fn addresses(&self) -> PublicAddresses {
        let config = self.node.config();
        let listen = &config.listen;
        let configured = || PublicAddresses {
            plain: listen.addr.first(),
            over_tls: listen.tls.as_ref().map(|tls| OverTls { listen: tls.addr.first(), host: None }),
        };
        self.listening.get().cloned().unwrap_or_else(configured)
    }

    /// Puts this configuration in the place of the one before, and takes over what follows from it. What is open goes on.
    pub fn take_over(&self, config: Config) {
        self.exempt.set(config.listen.trusted_proxies.clone());
        self.times.store(Arc::new(Times::of(&config.timeouts)));
        self.node.take_over(config);
    }

    /// The parts of a new server; `division` gives the numbers of connections.
    #[must_use]
    pub fn new(config: Config, apps: Apps, tasks: Tasks, division: &Division) -> Self {
        let redis_feed: Arc<Numbers> = Arc::default();
        let exempt = ExemptNetworks::new(config.listen.trusted_proxies.clone());
        let times = ArcSwap::from_pointee(Times::of(&config.timeouts));
        let away = AwayBounds::new(division.websockets, exempt.clone());
        let (all, per_address) = (division.http, division.http_per_address);
        let places = Arc::new(Places::new(ConnectionBounds {
            listener: Listener::Public,
            all,
            per_address,
            exempt: exempt.clone(),
        }));
        let operators_places = Arc::new(Places::new(ConnectionBounds {
            listener: Listener::Operators,
            all: division.operators,
            per_address: usize::MAX,
            exempt: ExemptNetworks::default(),
        }));
        let fallback: Arc<XhrSessions> = Arc::default();
        let reloads: Arc<Reloads> = Arc::default();
        let live = LiveServer {
            fallback: Arc::clone(&fallback),
            places: Arc::clone(&places),
            operators_places: Arc::clone(&operators_places),
            redis_feed: Arc::clone(&redis_feed),
            feed_apps: NamedApps::new(config.metrics.apps),
            certificates: Arc::default(),
            acme: Arc::default(),
            reloads: Arc::clone(&reloads),
            times: Arc::default(),
        };
        let (metrics, registry) = ServerMetrics::new(live, division.limit);
        let bounds = NodeBounds { seats: division.websockets, authorizations: division.authorizations };
        let node = Arc::new(Node::new(config, apps, tasks, bounds, registry));
        let socket_io = Arc::default();
        Self {
            node,
            listening: OnceLock::new(),
            metrics,
            redis_feed,
            places,
            operators_places,
            away,
            former_keys: Rate::new(),
            bodies: Bodies::new(exempt.clone()),
            exempt,
            times,
            reloads,
            fallback,
            socket_io,
        }
    }
}
