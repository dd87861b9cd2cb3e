//! What `fanfare bench` measures, and under which load.

use loadgen::Report;

use super::machine::Machine;

/// Bytes of an event's data: an identifier and a few fields.
pub(super) const BYTES: usize = 128;

/// Lone events a second.
pub(super) const RATE: f64 = 20.0;

/// Connections on which back ends publish at once.
pub(super) const PUBLISHERS: usize = 8;

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
    /// What was lost or refused.
    pub(super) fn faults(&self) -> Vec<String> {
        let reports = [&self.idle, &self.lone, &self.busy, &self.publishes];
        reports.iter().flat_map(|report| report.faults()).cloned().collect()
    }
}
