//! HTTP connections: their number, their bound, and those closed by the server, by reason.

use std::fmt::Error;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::connections::{Closed, Places};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClosedLabels {
    listener: &'static str,
    reason: &'static str,
}

pub(super) fn encode(
    listeners: [(&'static str, &Places); 2],
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), Error> {
    type Count = fn(&Places) -> usize;
    let gauges: [(&str, &str, Count); 2] = [
        ("http_connections", "HTTP connections open now, WebSockets aside", Places::open),
        ("http_connections_capacity", "HTTP connections this node takes at most", Places::capacity),
    ];
    for (name, help, count) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (listener, places) in listeners {
            let gauge = ConstGauge::new(i64::try_from(count(places)).unwrap_or(i64::MAX));
            gauge.encode(family.encode_family(&ListenerLabels { listener })?)?;
        }
    }
    let (name, help) = ("http_connections_closed", "HTTP connections closed by the server, by reason");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (listener, places) in listeners {
        for why in Closed::ALL {
            let labels = ClosedLabels { listener, reason: why.label() };
            ConstCounter::new(places.closed(why)).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
