//! When each TLS certificate in use expires.

use std::fmt::Error;

use parking_lot::RwLock;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

/// A certificate in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInUse {
    /// The first name in the certificate; empty if there is none.
    pub name: String,
    /// Where the certificate comes from, such as the path of its file.
    pub source: String,
    /// When the certificate expires, in Unix seconds.
    pub expires: u64,
    /// How long the certificate is valid from its beginning on, in seconds.
    pub life: u64,
}

/// The certificates in use; none without TLS.
#[derive(Debug, Default)]
pub struct CertificatesInUse(RwLock<Vec<CertificateInUse>>);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CertificateLabels {
    name: String,
    source: String,
}

impl CertificatesInUse {
    /// From now on the certificates are in use.
    pub(super) fn set(&self, certificates: Vec<CertificateInUse>) {
        *self.0.write() = certificates;
    }

    /// When the first of them expires, in Unix seconds; `None` without a certificate.
    pub(super) fn first_expiry(&self) -> Option<u64> {
        self.0.read().iter().map(|certificate| certificate.expires).min()
    }

    /// The moment from which one of them needs somebody, in Unix seconds: two weeks before its expiry, or the last quarter of a
    /// shorter life.
    pub(super) fn first_need(&self, before: u64) -> Option<u64> {
        let need = |certificate: &CertificateInUse| certificate.expires - before.min(certificate.life / 4);
        self.0.read().iter().map(need).min()
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(first) = self.first_expiry() else { return Ok(()) };
        let help =
            "When the certificate in use for TLS expires, in Unix seconds; of several, the first to expire";
        let name = "tls_certificate_expires_timestamp_seconds";
        let gauge = ConstGauge::new(signed(first));
        gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        let each = Family::<CertificateLabels, Gauge>::default();
        for CertificateInUse { name, source, expires, .. } in self.0.read().iter() {
            let labels = CertificateLabels { name: name.clone(), source: source.clone() };
            each.get_or_create(&labels).set(signed(*expires));
        }
        let help = "When each certificate in use for TLS expires, in Unix seconds";
        let name = "tls_certificates_expire_timestamp_seconds";
        each.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
