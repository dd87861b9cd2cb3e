//! Metrics of reloaded settings: whether the last reload was taken over, when, and how much waits for a restart.

use std::fmt::Error;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::reloads::Reloads;

/// The gauges.
pub(super) fn encode(reloads: &Reloads, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let all = [
        (
            "config_last_reload_successful",
            "1 if the last reload of settings was taken over, 0 if it was refused; 1 before the first",
            i64::from(reloads.is_well()),
        ),
        (
            "config_last_reload_success_timestamp_seconds",
            "When settings were taken over last, at the start or by a reload, in Unix seconds",
            i64::try_from(reloads.succeeded_at()).unwrap_or(i64::MAX),
        ),
        (
            "config_settings_need_restart",
            "Settings that the last reload found changed and that need a restart",
            i64::try_from(reloads.waiting()).unwrap_or(i64::MAX),
        ),
    ];
    for (name, help, value) in all {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    Ok(())
}
