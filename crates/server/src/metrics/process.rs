//! Metrics of the process, by the names that exporters of every language give them, and of the build.
//!
//! Read on each scrape. Never counts open files: their number has a division of its own (`descriptors`), and counting takes as long
//! as there are connections.

use std::fmt::Error;

use fanfare_node::memory;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::time::{ClockId, clock_gettime};

use crate::command_line::VERSION;

/// The process that this is.
#[derive(Debug)]
struct Process;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Adds the metrics of this process, whose names have no prefix.
pub(super) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        if let Some(held) = memory::resident() {
            let (name, help) = ("process_resident_memory_bytes", "Bytes of memory that the process holds");
            ConstGauge::new(held).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }
        let used = clock_gettime(ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "microseconds do not matter after a century")]
        let seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        let help = "CPU time that the process has used, of all cores together";
        ConstCounter::new(seconds).encode(encoder.encode_descriptor(
            "process_cpu_seconds",
            help,
            None,
            MetricType::Counter,
        )?)?;
        let help = "1, labelled with the version and the commit that it was built from";
        let mut family = encoder.encode_descriptor("fanfare_build_info", help, None, MetricType::Gauge)?;
        ConstGauge::new(1_u64).encode(family.encode_family(&BuildLabels { version: VERSION })?)
    }
}
