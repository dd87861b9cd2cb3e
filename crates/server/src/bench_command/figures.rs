//! What `fanfare bench` measures, and under which load.

use loadgen::Report;

use super::machine::Machine;

/// Bytes of an event's data: an identifier and a few fields.
pub(super) const BYTES: usize = 128;

/// Lone events a second.
pub(super) const RATE: f64 = 20.0;

/// Connections on which back ends publish at once.
pub(super) const PUBLISHERS: usize = 8;

/// Fewest connections that tell what one takes: what the first ones cost once would count as theirs otherwise.
pub(super) const FOR_MEMORY: u32 = 1000;

/// What was measured, in the order of the table.
#[derive(Debug)]
pub(super) struct BenchFigures {
    /// How many connections there were.
    pub(super) connections: u32,
    /// Connections that do nothing.
    pub(super) idle: Report,
    /// An event now and then, to all of them.
    pub(super) lone: Report,
    /// Events to all of them, as fast as they arrive.
    pub(super) busy: Report,
    /// Publishes to channels without subscribers.
    pub(super) publishes: Report,
    /// The machine that all of this was on.
    pub(super) machine: Machine,
}

impl BenchFigures {
    /// Bytes that a connection takes; `None` with too few connections to tell.
    pub(super) fn connection_bytes(&self) -> Option<f64> {
        let has_enough = self.connections >= FOR_MEMORY;
        self.idle.figure("rss_bytes_per_connection").filter(|_| has_enough)
    }

    /// What was lost or refused.
    pub(super) fn faults(&self) -> Vec<String> {
        let reports = [&self.idle, &self.lone, &self.busy, &self.publishes];
        reports.iter().flat_map(|report| report.faults()).cloned().collect()
    }
}
