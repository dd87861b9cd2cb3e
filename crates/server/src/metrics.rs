//! What is counted, and its Prometheus text.
//!
//! Gauges are read from the live tables when asked for, so they cannot drift. Labels are apps, codes
//! and statuses, never channels or connections.

use std::fmt::Write as _;
use std::sync::Arc;

use fanfare_hub::Hubs;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::AppId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, LabelValueEncoder,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

/// All counters, and the registry that prints them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    opened: Counter,
    closes: Family<CloseLabels, Counter>,
    messages: Counter,
    events: Family<AppLabels, Counter>,
    client_events: Family<AppLabels, Counter>,
    requests: Family<StatusLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CloseLabels {
    code: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AppLabels {
    app: AppLabel,
}

/// An app's id as a label, without a copy of it for each event.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct AppLabel(AppId);

impl EncodeLabelValue for AppLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0.as_str())
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

impl Metrics {
    /// Counters at zero; gauges are read from `hubs`, and from whether the apps' database answers.
    #[must_use]
    pub fn new(
        hubs: &Arc<Hubs>,
        database_answers: watch::Receiver<bool>,
        descriptors: u64,
        capacity: usize,
    ) -> Self {
        let mut registry = Registry::with_prefix("fanfare");
        let metrics = Self {
            opened: Counter::default(),
            closes: Family::default(),
            messages: Counter::default(),
            events: Family::default(),
            client_events: Family::default(),
            requests: Family::default(),
            registry: Registry::default(),
        };
        registry.register("connections_opened", "WebSockets admitted", metrics.opened.clone());
        registry.register("closes", "WebSockets ended or refused, by close code", metrics.closes.clone());
        registry.register("messages_received", "Messages from clients", metrics.messages.clone());
        registry.register("events_published", "Events accepted for publishing", metrics.events.clone());
        registry.register(
            "client_events",
            "Events of clients passed on to others",
            metrics.client_events.clone(),
        );
        registry.register("http_requests", "Answers of the HTTP API", metrics.requests.clone());
        let limits: [(&str, &str, u64); 2] = [
            ("file_descriptors_limit", "File descriptors this process may have open", descriptors),
            ("connections_capacity", "WebSockets this node takes at most", capacity as u64),
        ];
        for (name, help, value) in limits {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        registry.register_collector(Box::new(Live { hubs: Arc::clone(hubs), database_answers }));
        Self { registry, ..metrics }
    }

    /// A WebSocket was admitted.
    pub fn connection_opened(&self) {
        self.opened.inc();
    }

    /// A WebSocket has ended, or was refused.
    pub fn connection_closed(&self, reason: &CloseReason) {
        let code = match reason {
            // Clients may say any code; series must not be theirs to make.
            CloseReason::ByClient(Some(code)) if !(1000..1016).contains(code) => "other".to_owned(),
            _ => reason.code().map_or_else(|| "none".to_owned(), |code| code.to_string()),
        };
        self.closes.get_or_create(&CloseLabels { code, reason: reason.label() }).inc();
    }

    /// A client has said something.
    pub fn message_received(&self) {
        self.messages.inc();
    }

    /// An event was accepted.
    pub fn event_published(&self, app: &AppId) {
        self.events.get_or_create(&AppLabels { app: AppLabel(app.clone()) }).inc();
    }

    /// An event of a client was passed on.
    pub fn client_event_published(&self, app: &AppId) {
        self.client_events.get_or_create(&AppLabels { app: AppLabel(app.clone()) }).inc();
    }

    /// A request of the HTTP API was answered.
    pub fn request_answered(&self, status: u16) {
        self.requests.get_or_create(&StatusLabels { status }).inc();
    }

    /// Everything, in the Prometheus text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Gauges of the live tables.
#[derive(Debug)]
struct Live {
    hubs: Arc<Hubs>,
    database_answers: watch::Receiver<bool>,
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let hubs = self.hubs.all();
        let rows: Vec<(AppLabels, [usize; 5])> = hubs
            .iter()
            .map(|hub| {
                let (channels, subscriptions) = hub.totals();
                let app = AppLabel(hub.app().id.clone());
                let kept = hub.parked_bytes();
                (AppLabels { app }, [hub.connections(), channels, subscriptions, hub.users_online(), kept])
            })
            .collect();
        let gauges = [
            ("connections", "WebSockets open now"),
            ("channels", "Channels occupied now"),
            ("subscriptions", "Subscriptions now"),
            ("users", "Signed-in users now"),
            ("cache_bytes", "Bytes of events kept of cache channels without subscribers"),
        ];
        for (column, (name, help)) in gauges.into_iter().enumerate() {
            let gauge_type = prometheus_client::metrics::MetricType::Gauge;
            let mut family = encoder.encode_descriptor(name, help, None, gauge_type)?;
            for (labels, values) in &rows {
                let gauge = ConstGauge::new(i64::try_from(values[column]).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(labels)?)?;
            }
        }
        let up = ConstGauge::new(i64::from(*self.database_answers.borrow()));
        let help = "Whether the apps' database answers, 1 or 0";
        up.encode(encoder.encode_descriptor("apps_database_up", help, None, up.metric_type())?)?;
        Ok(())
    }
}
