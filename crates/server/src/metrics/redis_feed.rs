//! Metrics of each Redis with broadcasts.

use std::fmt::Error;
use std::iter;
use std::sync::Arc;

use fanfare_node::metrics::{AppLabel, AppLabels, NamedApps};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::redis_feed::{AppNumbers, Dropped, Numbers};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DroppedLabels {
    app: AppLabel,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusedLabels {
    reason: &'static str,
}

pub(super) fn encode(
    numbers: &Numbers,
    named: &NamedApps,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), Error> {
    let connections = numbers.connections();
    let up = connections.all - connections.away - connections.refusing;
    let gauges = [
        ("redis_feed_connections", "Redis servers to take broadcasts from", connections.all),
        ("redis_feed_connections_up", "Redis servers that are listened to now, for all apps", up),
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
    let help = "Times when a Redis was not listened to; what was published meanwhile is lost";
    let family = encoder.encode_descriptor("redis_feed_gaps", help, None, MetricType::Counter)?;
    ConstCounter::new(gaps).encode(family)?;
    let (name, help) = ("redis_feed_gap_seconds", "How long Redis servers were not listened to, together");
    let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(time.as_secs_f64()).encode(family)?;

    of_apps(numbers, named, encoder)
}

fn of_apps(numbers: &Numbers, named: &NamedApps, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let apps = numbers.apps();
    named.choose(apps.iter().map(|app| (app.app.clone(), app.received())).collect());
    // What was received, and behind that what was dropped, by reason.
    let row = |app: &Arc<AppNumbers>| {
        let dropped = app.dropped().into_iter().map(|(_, count)| count);
        (app.app.clone(), iter::once(app.received()).chain(dropped).collect())
    };
    let rows = named.counters("feed", apps.iter().map(row).collect());
    let (name, help) = ("redis_feed_messages", "Messages of Redis under the prefix of an app");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (app, counts) in &rows {
        ConstCounter::new(counts[0]).encode(family.encode_family(&AppLabels::from(app.clone()))?)?;
    }
    let (name, help) = ("redis_feed_dropped", "Messages of Redis that were not published, by reason");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (app, counts) in &rows {
        for (why, count) in Dropped::ALL.iter().zip(&counts[1..]).filter(|(_, count)| **count > 0) {
            let labels = DroppedLabels { app: app.clone(), reason: why.label() };
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
