//! Metrics of a node's place among others, read from the bus on each scrape (`fanfare_bus_…`, `fanfare_cluster_…`).
//!
//! Absent on a node that stands alone. Labels are kinds and Redis servers, which the configuration bounds.

use std::fmt::Error;
use std::sync::{Arc, OnceLock};

use fanfare_bus::{Bus, BusCount, LATENCY_BOUNDS};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::relay::ClusterState;

/// The sources of the metrics.
pub struct LiveBus {
    /// The bus, as soon as the node has one.
    pub bus: Arc<OnceLock<Bus>>,
    /// What was last read of the nodes.
    pub seen: Arc<ClusterState>,
}

impl std::fmt::Debug for LiveBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LiveBus")
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RedisLabels {
    redis: String,
}

impl Collector for LiveBus {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(bus) = self.bus.get() else { return Ok(()) };
        links(bus, &mut encoder)?;
        plain(bus, &mut encoder)?;
        by_reason(bus, &mut encoder)?;
        latency(bus, &mut encoder)?;
        let (nodes, connections) = self.seen.numbers();
        gauge(&mut encoder, "cluster_nodes", "Nodes of the cluster, as last read", nodes)?;
        let help = "Connections of clients open on all nodes, as last read";
        gauge(&mut encoder, "cluster_connections", help, connections)
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: usize) -> Result<(), Error> {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// How each link is.
fn links(bus: &Bus, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let links = bus.links();
    let away = links.iter().filter(|link| !link.is_up).count();
    let help = "Whether this node is out of touch with others through any Redis, 1 or 0";
    gauge(encoder, "bus_degraded", help, usize::from(away > 0))?;
    let help = "Links out of touch now; each is to a Redis, or to the master of a part of a Redis Cluster";
    gauge(encoder, "bus_links_away", help, away)?;
    let (name, help) = ("bus_queue_bytes", "Bytes of events that wait to be sent to other nodes");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    let mut waiting: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for link in links {
        *waiting.entry(link.redis).or_default() += link.waiting.1;
    }
    for (redis, bytes) in waiting {
        let gauge = ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX));
        gauge.encode(family.encode_family(&RedisLabels { redis })?)?;
    }
    let help = "Bytes of events of other nodes that wait to be delivered";
    gauge(encoder, "bus_heard_bytes", help, bus.heard_bytes())
}

fn plain(bus: &Bus, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let counters = bus.counters();
    let rules = bus.machine_numbers();
    let of_rules =
        |number: fn(&fanfare_bus::machine::MachineNumbers) -> u64| rules.iter().map(number).sum::<u64>();
    let plain = [
        ("bus_sent", "Events sent to other nodes", counters.sent.get()),
        ("bus_heard", "Events of other nodes that were heard", counters.heard.get()),
        (
            "bus_missed",
            "Events of other nodes that did not come, by the gaps in their numbers",
            counters.missed.get(),
        ),
        ("bus_unknown", "Messages of an unknown version, kind or epoch", {
            counters.unknown.get() + of_rules(|numbers| numbers.unknown)
        }),
        ("bus_malformed", "Messages between nodes that cannot be read", counters.malformed.get()),
        ("bus_lost", "Connections to Redis for commands that were lost", counters.lost.get()),
        ("bus_moved", "Connections that were left for another master", counters.moved.get()),
        ("bus_fenced", "Leases lost without a lost connection", of_rules(|numbers| numbers.fenced)),
        (
            "bus_epochs",
            "Times that Redis was empty, restarted or another",
            of_rules(|numbers| numbers.epochs),
        ),
        ("bus_nodes_reaped", "Dead nodes, one for each partition that this node has cleared", {
            of_rules(|numbers| numbers.nodes_reaped)
        }),
        ("bus_rows_reaped", "Users and counts of dead nodes that this node has taken away", {
            of_rules(|numbers| numbers.rows_reaped)
        }),
        ("bus_hooks_taken_over", "Times that this node became the one to send a part of the webhooks", {
            of_rules(|numbers| numbers.hooks_taken_over)
        }),
        (
            "bus_hooks_refused",
            "Events for webhooks that were dropped because too many of the app waited in Redis",
            { of_rules(|numbers| numbers.hooks_refused) },
        ),
        (
            "bus_hooks_told_late",
            "Times that webhooks may be repeated or missing after Redis lost its data",
            { of_rules(|numbers| numbers.told_late) },
        ),
        ("bus_rosters_mended", "Copies of rosters that differed without a known cause", {
            of_rules(|numbers| numbers.rosters_mended)
        }),
        (
            "bus_changes_dropped",
            "Changes on this node that were dropped because too many waited; all was stated anew",
            counters.dropped_changes.get(),
        ),
        ("bus_announced_anew", "Times that so much waited that everything was stated anew", {
            of_rules(|numbers| numbers.overflows)
        }),
    ];
    for (name, help, count) in plain {
        let counter = ConstCounter::new(count);
        counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
    }
    Ok(())
}

fn by_reason(bus: &Bus, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let counters = bus.counters();
    let rules = bus.machine_numbers();
    let (name, help) = ("bus_dropped", "Events that were not sent to other nodes");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    let kept: u64 = rules.iter().map(|numbers| numbers.kept_dropped).sum();
    let dropped = [
        ("full", counters.dropped_full.get()),
        ("link", counters.dropped_link.get()),
        ("long", counters.dropped_long.get()),
        ("cache", kept),
    ];
    for (reason, count) in dropped {
        ConstCounter::new(count).encode(family.encode_family(&ReasonLabels { reason })?)?;
    }
    let (name, help) = ("bus_refused", "Batches, and events of cache channels, that Redis refused");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    let refused: u64 = rules.iter().map(|numbers| numbers.refused_oom).sum();
    ConstCounter::new(refused).encode(family.encode_family(&ReasonLabels { reason: "oom" })?)?;
    let (name, help) = ("bus_gaps", "Times that messages of other nodes were missed");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    let numbered: u64 = rules.iter().map(|numbers| numbers.gaps).sum();
    for (kind, count) in [("subscription", counters.subscriptions_lost.get()), ("number", numbered)] {
        ConstCounter::new(count).encode(family.encode_family(&KindLabels { kind })?)?;
    }
    Ok(())
}

/// Round trips to Redis.
fn latency(bus: &Bus, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let counters = bus.counters();
    let bounds = LATENCY_BOUNDS.iter().map(|bound| *bound as f64 / 1000.0).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counters.latency.iter().map(BusCount::get)).collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    let (name, help) = ("bus_round_trip_seconds", "Round trips to Redis");
    let mut histogram = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    let seconds = counters.latency_sum.get() as f64 / 1e6;
    histogram.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
}
