//! Counters, and their Prometheus text.
//!
//! Gauges are read from the live tables on each scrape, so they cannot drift. Labels are apps, codes
//! and statuses, never channels or connections.

mod http_connections;
mod labels;
mod live;
mod redis_feed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_protocol::close::CloseReason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use self::live::Live;

use crate::descriptors::Division;

/// All counters, and the registry that prints them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    opened: Counter,
    closes: Family<CloseLabels, Counter>,
    messages: Counter,
    requests: Family<StatusLabels, Counter>,
    panics: Family<PanicLabels, Counter>,
    certificate_expires: Arc<AtomicU64>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CloseLabels {
    code: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PanicLabels {
    r#where: &'static str,
}

impl Metrics {
    /// Counters at zero; gauges are read from `live`.
    #[must_use]
    pub fn new(live: Live, division: &Division) -> Self {
        let mut registry = Registry::with_prefix("fanfare");
        let metrics = Self {
            opened: Counter::default(),
            closes: Family::default(),
            messages: Counter::default(),
            requests: Family::default(),
            panics: Family::default(),
            certificate_expires: Arc::clone(&live.certificate_expires),
            registry: Registry::default(),
        };
        registry.register("connections_opened", "WebSockets admitted", metrics.opened.clone());
        registry.register("closes", "WebSockets ended or refused, by close code", metrics.closes.clone());
        registry.register("messages_received", "Messages from clients", metrics.messages.clone());
        registry.register("http_requests", "Answers of the HTTP API", metrics.requests.clone());
        registry.register("panics", "Faults of the server, by what has failed", metrics.panics.clone());
        let limits: [(&str, &str, u64); 2] = [
            ("file_descriptors_limit", "File descriptors this process may have open", division.limit),
            ("connections_capacity", "WebSockets this node takes at most", division.websockets as u64),
        ];
        for (name, help, value) in limits {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        registry.register_collector(Box::new(live));
        Self { registry, ..metrics }
    }

    /// A WebSocket was admitted.
    pub fn connection_opened(&self) {
        self.opened.inc();
    }

    /// A WebSocket has ended, or was refused.
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

    /// A request of the HTTP API was answered.
    pub fn request_answered(&self, status: u16) {
        self.requests.get_or_create(&StatusLabels { status }).inc();
    }

    /// A task or an answer, by this name, has panicked.
    pub fn panicked(&self, what: &'static str) {
        self.panics.get_or_create(&PanicLabels { r#where: what }).inc();
    }

    /// A new certificate is in use; `moment` is its expiry, in Unix seconds.
    pub fn certificate_expires(&self, moment: u64) {
        self.certificate_expires.store(moment, Ordering::Relaxed);
    }

    /// All metrics, in the Prometheus text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
