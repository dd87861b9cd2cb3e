//! Counters of the node, and the Prometheus text of all metrics.
//!
//! Gauges are read from the live tables on each scrape, so they cannot drift. Labels are apps, codes
//! and statuses, never channels or connections.

mod bus;
mod classic;
mod duration;
mod labels;
mod live;
mod named_apps;
mod timings;

use std::sync::Arc;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::error::ProtocolError;
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use self::bus::LiveBus;
pub use self::duration::{DurationHistogram, FAST_BOUNDS, encode_family};
pub use self::labels::{AppLabel, AppLabels};
pub use self::live::Live;
pub use self::named_apps::{AppRow, LabelRow, NamedApps};
pub use self::timings::Timings;

use self::timings::LiveTimings;

/// What the names of all series begin with, but those of the process.
pub const PREFIX: &str = "fanfare";

/// All counters, and the registry that prints them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// One scrape at a time: two that read an app's counters in one order and add them up in the other would count twice.
    scraping: Mutex<()>,
    opened: Family<OpenedLabels, Counter>,
    closes: Family<CloseLabels, Counter>,
    messages: Counter,
    refused: Family<ErrorLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CloseLabels {
    code: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OpenedLabels {
    dialect: &'static str,
    transport: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ErrorLabels {
    error: &'static str,
}

impl Metrics {
    /// Counters at zero, behind those of `all`; gauges are read from `live`, and from `of_bus` with other nodes.
    #[must_use]
    pub fn new(
        live: Live,
        of_bus: LiveBus,
        timings: &Arc<Timings>,
        capacity: usize,
        mut all: Registry,
    ) -> Self {
        let metrics = Self {
            opened: Family::default(),
            closes: Family::default(),
            messages: Counter::default(),
            refused: Family::default(),
            registry: Registry::default(),
            scraping: Mutex::default(),
        };
        let registry = all.sub_registry_with_prefix(PREFIX);
        registry.register("connections_opened", "Connections of clients admitted", metrics.opened.clone());
        registry.register(
            "closes",
            "Connections of clients ended or refused, by close code",
            metrics.closes.clone(),
        );
        registry.register("messages_received", "Messages from clients", metrics.messages.clone());
        registry.register("commands_refused", "Commands of clients that failed", metrics.refused.clone());
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(capacity).unwrap_or(i64::MAX));
        registry.register("connections_capacity", "Connections of clients this node takes at most", gauge);
        registry.register_collector(Box::new(live));
        registry.register_collector(Box::new(of_bus));
        registry.register_collector(Box::new(LiveTimings(Arc::clone(timings))));
        Self { registry: all, ..metrics }
    }

    /// A connection of a client was admitted.
    pub fn connection_opened(&self, dialect: &'static str, transport: &'static str) {
        self.opened.get_or_create(&OpenedLabels { dialect, transport }).inc();
    }

    /// A connection of a client has ended, or was refused.
    pub fn connection_closed(&self, reason: &CloseReason) {
        let code = match reason {
            // Clients may send any code; clients must not create series.
            CloseReason::ByClient(Some(code)) if !(1000..1016).contains(code) => "other".to_owned(),
            _ => reason.code().map_or_else(|| "none".to_owned(), |code| code.to_string()),
        };
        self.closes.get_or_create(&CloseLabels { code, reason: reason.label() }).inc();
    }

    /// A client has sent a message.
    pub fn message_received(&self) {
        self.messages.inc();
    }

    /// A command of a client has failed.
    pub fn command_refused(&self, error: &ProtocolError) {
        self.refused.get_or_create(&ErrorLabels { error: error.label() }).inc();
    }

    /// All metrics in Prometheus' own text format, for whoever does not ask for OpenMetrics.
    #[must_use]
    pub fn classic_text(&self) -> String {
        classic::of(&self.text())
    }

    /// All metrics, in the text format of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let _one = self.scraping.lock();
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
