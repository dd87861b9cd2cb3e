//! The figures of a run, and its last lines.

use std::collections::BTreeMap;
use std::fmt;

use crate::http::BackEnd;
use crate::world::{Shared, World};

/// What came of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) faults: Vec<String>,
    /// Bytes of each node, and of Redis.
    pub(crate) memory_at_start: (Vec<u64>, u64),
    pub(crate) memory_at_end: (Vec<u64>, u64),
    /// Of each node.
    pub(crate) descriptors_at_start: Vec<u64>,
    pub(crate) violations: Vec<String>,
    lines: Vec<String>,
    /// The sums over all nodes of what they count about the bus.
    counted: BTreeMap<String, f64>,
}

impl Report {
    /// Prints a line with the time since the start.
    pub(crate) fn say(&self, world: &Shared, line: &str) {
        println!("{:7.1} s  {line}", world.borrow().elapsed().as_secs_f64());
    }

    /// Notes what the nodes have counted. Rosters that had to be mended are a violation (N13).
    pub(crate) async fn read_metrics(&mut self, world: &Shared) {
        self.counted = counted(world).await;
        let mended = self.counted.iter().find(|(name, _)| name.starts_with("rosters_mended"));
        if let Some((_, count)) = mended {
            world.borrow_mut().violation(format!("{count} rosters were wrong and had to be mended"));
        }
    }

    /// Takes the figures at the end.
    pub(crate) fn take(&mut self, world: &World) {
        let World { tally, ledger, told, .. } = world;
        self.violations.clone_from(&world.violations);
        self.lines = vec![
            format!(
                "seconds: {:.0}, of which the machine itself stood still for {:.1}",
                world.elapsed().as_secs_f64(),
                world.stood_still.1.as_secs_f64()
            ),
            format!(
                "clients: {}, connections: {}, joins: {}, leaves: {}, checks: {}",
                world.seats.len(),
                tally.connections,
                tally.joins,
                tally.leaves,
                tally.checks
            ),
            format!(
                "events: {} accepted, {} without a yes, {} by clients; deliveries: {}, gaps in faults: {}; users closed: {}",
                ledger.accepted,
                ledger.refused,
                tally.client_events,
                tally.deliveries,
                ledger.gaps(),
                tally.terminations
            ),
            format!("webhooks: {} requests, {} events, {} repeats", told.requests, told.events, told.repeats),
        ];
        if world.has_database() {
            self.lines.extend(of_the_database(world));
        }
        self.lines.extend(world.samples.table());
    }
}

/// What a run with a database did there.
fn of_the_database(world: &World) -> [String; 4] {
    let World { tally, durable, operator, usage, .. } = world;
    [
        format!(
            "durable webhook: {} requests, {} events, {} refused by its back end",
            durable.requests,
            durable.events(),
            durable.refused
        ),
        format!("changes of apps: {} done, {} tries without a yes", operator.changes, operator.refused),
        format!(
            "resumed channels: {}, of which {} said that something may be missing",
            tally.resumed, tally.incomplete
        ),
        format!(
            "messages in the stored usage: {}, at most {} lost with killed nodes",
            usage.stored, usage.excused
        ),
    ]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "faults: {}: {}", self.faults.len(), self.faults.join(", "))?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let memory = |(nodes, redis): &(Vec<u64>, u64)| {
            let nodes: Vec<String> = nodes.iter().map(|bytes| mebibytes(*bytes)).collect();
            format!("nodes {} MiB, Redis {} MiB", nodes.join(" "), mebibytes(*redis))
        };
        writeln!(f, "memory: {} -> {}", memory(&self.memory_at_start), memory(&self.memory_at_end))?;
        if !self.counted.is_empty() {
            let counted: Vec<String> =
                self.counted.iter().map(|(name, value)| format!("{name} {value}")).collect();
            writeln!(f, "counted: {}", counted.join(", "))?;
        }
        for violation in &self.violations {
            writeln!(f, "violation: {violation}")?;
        }
        match self.violations.first() {
            None => write!(f, "PASSED"),
            Some(first) => write!(f, "FAILED: {first}"),
        }
    }
}

/// The sums over all nodes of what they count about the bus, without its beginning `fanfare_bus_`.
pub(crate) async fn counted(world: &Shared) -> BTreeMap<String, f64> {
    let operators: Vec<_> = world.borrow().nodes.iter().map(|node| node.operators).collect();
    let mut all = BTreeMap::new();
    for address in operators {
        let Ok((200, text)) = BackEnd::of(address).plain("/metrics").await else { continue };
        for line in text.lines() {
            let Some((name, value)) =
                line.strip_prefix("fanfare_bus_").and_then(|line| line.rsplit_once(' '))
            else {
                continue;
            };
            let is_histogram = ["_bucket", "_sum", "_count"].iter().any(|end| name.contains(end));
            let value = value.parse::<f64>().ok().filter(|_| !is_histogram);
            *all.entry(name.to_owned()).or_default() += value.unwrap_or(0.0);
        }
    }
    all.retain(|_, value| *value != 0.0);
    all
}

/// How many events other nodes may lack by what the nodes say: each dropped one is lost to all `others`.
pub(crate) fn admitted(counted: &BTreeMap<String, f64>, others: usize) -> f64 {
    let sum = |start: &str| -> f64 {
        counted.iter().filter(|(name, _)| name.starts_with(start)).map(|(_, value)| value).sum()
    };
    sum("dropped") * others as f64 + sum("missed")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1_048_576.0)
}
