//! Metrics of what only the server has: HTTP, listeners, the certificate, the Redis feeds, the process.
//!
//! Registered with those of the node, which prints all. Labels are statuses and reasons, never connections.

mod acme;
mod certificates;
mod collector;
mod config_reloads;
mod http_connections;
mod http_times;
mod process;
mod redis_feed;

use std::sync::Arc;
use std::time::Duration;

use fanfare_node::clock::unix_seconds;
use fanfare_node::metrics::PREFIX;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use self::acme::AcmeNumbers;
pub use self::certificates::{CertificateInUse, CertificatesInUse};
pub use self::collector::LiveServer;
pub use self::http_times::{HttpTimes, RouteClass};

/// What fails where the answer to a request panics.
pub const REQUEST: &str = "request";

/// The counters of the server.
#[derive(Debug)]
pub struct ServerMetrics {
    requests: Family<StatusLabels, Counter>,
    panics: Family<PanicLabels, Counter>,
    certificates: Arc<CertificatesInUse>,
    acme: Arc<AcmeNumbers>,
    times: Arc<HttpTimes>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PanicLabels {
    r#where: &'static str,
}

impl ServerMetrics {
    /// Counters at zero, and the registry that they are in; gauges are read from `live`. `descriptors` is the limit of
    /// file descriptors.
    #[must_use]
    pub fn new(live: LiveServer, descriptors: u64) -> (Self, Registry) {
        let mut all = Registry::default();
        process::register(&mut all);
        let registry = all.sub_registry_with_prefix(PREFIX);
        let metrics = Self {
            requests: Family::default(),
            panics: Family::default(),
            certificates: Arc::clone(&live.certificates),
            acme: Arc::clone(&live.acme),
            times: Arc::clone(&live.times),
        };
        // From the start, so that an alert sees the first one as growth.
        let _ = metrics.panics.get_or_create(&PanicLabels { r#where: REQUEST });
        registry.register("http_requests", "Answers of the HTTP API", metrics.requests.clone());
        registry.register("panics", "Faults of the server, by what has failed", metrics.panics.clone());
        let limit = Gauge::<i64>::default();
        limit.set(i64::try_from(descriptors).unwrap_or(i64::MAX));
        registry.register("file_descriptors_limit", "File descriptors this process may have open", limit);
        let start = Gauge::<i64>::default();
        start.set(i64::try_from(unix_seconds()).unwrap_or(i64::MAX));
        registry.register("start_time_seconds", "When the server started, in Unix seconds", start);
        registry.register_collector(Box::new(live));
        #[cfg(feature = "otlp")]
        registry.register_collector(Box::new(crate::telemetry::SpansCollector));
        (metrics, all)
    }

    /// A request of the HTTP API was answered.
    pub fn request_answered(&self, status: u16) {
        self.requests.get_or_create(&StatusLabels { status }).inc();
    }

    /// A request of this class was answered after this time.
    pub fn request_took(&self, class: RouteClass, status: u16, took: Duration) {
        self.times.observe(class, status, took);
    }

    /// A task or an answer, by this name, has panicked.
    pub fn panicked(&self, what: &'static str) {
        self.panics.get_or_create(&PanicLabels { r#where: what }).inc();
    }

    /// When the first of the certificates in use expires, in Unix seconds; `None` without a certificate.
    pub fn certificate_expiry(&self) -> Option<u64> {
        self.certificates.first_expiry()
    }

    /// From when on one of the certificates in use needs somebody, in Unix seconds: so long before its expiry, or the last quarter
    /// of a shorter life.
    pub fn certificate_need(&self, before: Duration) -> Option<u64> {
        self.certificates.first_need(before.as_secs())
    }

    /// The numbers of the ACME client.
    pub fn acme(&self) -> &AcmeNumbers {
        &self.acme
    }

    /// From now on the TLS certificates are in use.
    pub fn set_certificates(&self, certificates: Vec<CertificateInUse>) {
        self.certificates.set(certificates);
    }
}
