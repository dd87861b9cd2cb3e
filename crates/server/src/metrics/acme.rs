//! How orders of certificates end, and whether they fail now.

use std::fmt::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fanfare_node::clock::unix_seconds;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The numbers of the ACME client; nothing without one.
#[derive(Debug, Default)]
pub struct AcmeNumbers {
    is_on: AtomicBool,
    ordered: AtomicU64,
    failed: AtomicU64,
    /// When orders began to fail, in Unix seconds; 0: the last has not failed.
    failing_since: AtomicU64,
    lacks_certificate: AtomicBool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl AcmeNumbers {
    /// There is an ACME client.
    pub fn begin(&self) {
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// An order has brought a certificate.
    pub fn ordered(&self) {
        self.ordered.fetch_add(1, Ordering::Relaxed);
    }

    /// An order has failed.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        // A later failure does not change when the first was.
        let _ = self.failing_since.compare_exchange(0, unix_seconds(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// There is a new certificate, from this node or another.
    pub fn works(&self) {
        self.failing_since.store(0, Ordering::Relaxed);
    }

    /// Whether there is no certificate at all yet.
    pub fn lacks_certificate(&self, lacks: bool) {
        self.lacks_certificate.store(lacks, Ordering::Relaxed);
    }

    /// Since when orders fail, in Unix seconds; `None` if they do not.
    pub fn failing_since(&self) -> Option<u64> {
        Some(self.failing_since.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }

    /// Whether a certificate is awaited, and there is none.
    pub fn is_without_certificate(&self) -> bool {
        self.lacks_certificate.load(Ordering::Relaxed)
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        if !self.is_on.load(Ordering::Relaxed) {
            return Ok(());
        }
        let help = "Orders of certificates by ACME that this node has made, by outcome";
        let mut family = encoder.encode_descriptor("acme_orders", help, None, MetricType::Counter)?;
        for (outcome, count) in [("done", &self.ordered), ("failed", &self.failed)] {
            let count = ConstCounter::new(count.load(Ordering::Relaxed));
            count.encode(family.encode_family(&OutcomeLabels { outcome })?)?;
        }
        let help = "Whether the last order of a certificate by ACME has failed, 1 or 0";
        let failing = ConstGauge::new(i64::from(self.failing_since().is_some()));
        failing.encode(encoder.encode_descriptor("acme_failing", help, None, MetricType::Gauge)?)
    }
}
