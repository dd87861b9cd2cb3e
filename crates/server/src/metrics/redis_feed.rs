//! Metrics of each Redis with broadcasts.

use std::fmt::Error;

use fanfare_node::metrics::{AppLabel, AppLabels};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::redis_feed::Numbers;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DroppedLabels {
    app: AppLabel,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusedLabels {
    reason: &'static str,
}

pub(super) fn encode(numbers: &Numbers, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let connections = numbers.connections();
    let up = connections.all - connections.away - connections.refusing;
    let gauges = [
        ("redis_feed_connections", "Redis servers to take broadcasts from", connections.all),
        ("redis_feed_connections_up", "Those that are listened to now, for all apps", up),
    ];
    for (name, help, value) in gauges {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    let (name, help) =
        ("redis_feed_prefixes_refused", "Prefixes whose channels Redis does not let be listened to");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (reason, count) in connections.refused {
        let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        gauge.encode(family.encode_family(&RefusedLabels { reason })?)?;
    }
    let (gaps, time) = numbers.gaps();
    let help = "Times when one was not listened to; what was published meanwhile is lost";
    let family = encoder.encode_descriptor("redis_feed_gaps", help, None, MetricType::Counter)?;
    ConstCounter::new(gaps).encode(family)?;
    let (name, help) = ("redis_feed_gap_seconds", "How long those were together");
    let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(time.as_secs_f64()).encode(family)?;

    let apps = numbers.apps();
    let (name, help) = ("redis_feed_messages", "Messages of Redis under the prefix of an app");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for app in &apps {
        let counter = ConstCounter::new(app.received());
        counter.encode(family.encode_family(&AppLabels::of(&app.app))?)?;
    }
    let (name, help) = ("redis_feed_dropped", "Those that were not published");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for app in &apps {
        for (why, count) in app.dropped().into_iter().filter(|(_, count)| *count > 0) {
            let labels = DroppedLabels { app: AppLabel(app.app.clone()), reason: why.label() };
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
