//! Metrics of the server that are read on each scrape, so that they cannot drift.

use std::fmt::Error;
use std::sync::Arc;

use fanfare_node::metrics::NamedApps;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::acme::AcmeNumbers;
use super::certificates::CertificatesInUse;
use super::http_times::HttpTimes;
use super::{config_reloads, http_connections, redis_feed};
use crate::clients::xhr::XhrSessions;
use crate::connections::Places;
use crate::redis_feed::Numbers;
use crate::reloads::Reloads;

/// The sources of the metrics.
#[derive(Debug)]
pub struct LiveServer {
    /// The numbers of each Redis with broadcasts.
    pub redis_feed: Arc<Numbers>,
    /// Which apps with broadcasts have series of their own.
    pub feed_apps: NamedApps,
    /// HTTP connections of the public listeners.
    pub places: Arc<Places>,
    /// HTTP connections of the operators' listener.
    pub operators_places: Arc<Places>,
    /// The sessions of the HTTP fallback.
    pub fallback: Arc<XhrSessions>,
    /// The TLS certificates in use.
    pub certificates: Arc<CertificatesInUse>,
    /// The ACME client.
    pub acme: Arc<AcmeNumbers>,
    /// What the last reload of settings has come to.
    pub reloads: Arc<Reloads>,
    /// How long answers of the HTTP API take.
    pub times: Arc<HttpTimes>,
}

impl Collector for LiveServer {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.certificates.encode(&mut encoder)?;
        self.acme.encode(&mut encoder)?;
        let sessions = ConstGauge::new(i64::try_from(self.fallback.len()).unwrap_or(i64::MAX));
        let help = "Connections of clients over HTTP requests (xhr_streaming, xhr_polling), which count in connections too";
        sessions.encode(encoder.encode_descriptor("fallback_sessions", help, None, MetricType::Gauge)?)?;
        http_connections::encode(
            [("public", &self.places), ("admin", &self.operators_places)],
            &mut encoder,
        )?;
        config_reloads::encode(&self.reloads, &mut encoder)?;
        self.times.encode(&mut encoder)?;
        redis_feed::encode(&self.redis_feed, &self.feed_apps, &mut encoder)
    }
}
