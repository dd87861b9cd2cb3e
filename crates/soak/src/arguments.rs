//! The options of the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::fault::Fault;
use crate::liar::Lie;

/// Runs several nodes of Fanfare under load, breaks what a cluster must survive, and checks what clients, back ends and
/// queries are told against the truth.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Arguments {
    /// How long clients act, in minutes; the last fault may end later.
    #[arg(long, default_value_t = 5.0)]
    pub minutes: f64,
    /// Chooses every fault and every action; the same seed chooses the same.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub nodes: u8,
    /// The Redis between the nodes; `none` is a single node that stands alone.
    #[arg(long, value_enum, default_value_t = Kind::Standalone)]
    pub redis: Kind,
    /// The apps are in a Postgres of the run's own, which may be among the faults: they are changed meanwhile, their usage is
    /// stored, and webhooks are durable.
    #[arg(long)]
    pub database: bool,
    /// The first node is neither killed nor restarted: its memory is that of a long life.
    #[arg(long)]
    pub keep_first: bool,
    /// Writes what was sampled as a picture, an SVG.
    #[arg(long)]
    pub picture: Option<PathBuf>,
    /// The faults to choose from, separated by commas; `all`, or `none`. The first ones are made in this order, each
    /// once.
    #[arg(long, default_value = "all")]
    pub faults: String,
    /// Makes each fault once, in the order of the list, and ends, whatever the minutes.
    #[arg(long)]
    pub once: bool,
    /// Lengths of outages to choose from, in seconds.
    #[arg(long, value_delimiter = ',', default_value = "1,15,60")]
    pub outages: Vec<u64>,
    /// Number of clients.
    #[arg(long, default_value_t = 200)]
    pub clients: usize,
    /// Events per second.
    #[arg(long, default_value_t = 500)]
    pub rate: usize,
    /// The program to run; by default the `fanfare` beside this one.
    #[arg(long)]
    pub fanfare: Option<PathBuf>,
    /// Another release, which every second node runs (CL-072).
    #[arg(long)]
    pub other: Option<PathBuf>,
    /// Where the nodes' logs are kept; by default a directory that is removed after a run without a violation.
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// Has somebody lie, to see that the checker finds the lie.
    #[arg(long, value_enum)]
    pub lie: Option<Lie>,
    /// This process has a network of its own, where a firewall may be set.
    #[arg(long, hide = true)]
    pub own_network: bool,
}

/// What stands between the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Nothing.
    None,
    /// One Redis.
    Standalone,
    /// A master, two replicas and three Sentinels.
    Sentinel,
    /// Three masters and their replicas.
    Cluster,
    /// Two Redis that do not know each other.
    Several,
}

impl Arguments {
    /// The faults that this kind of Redis and this machine allow, of those asked for.
    ///
    /// # Errors
    /// In words: a name that no fault has.
    pub(crate) fn faults(&self) -> Result<Vec<Fault>, String> {
        let possible = |fault: &Fault| fault.is_possible(self.redis, self.own_network, self.database);
        match &*self.faults {
            "none" => Ok(Vec::new()),
            "all" => Ok(Fault::value_variants().iter().copied().filter(possible).collect()),
            names => names
                .split(',')
                .map(|name| {
                    let fault =
                        Fault::from_str(name.trim(), true).map_err(|_| format!("no such fault: {name}"))?;
                    let reason =
                        || format!("{name} cannot be made with --redis {:?} on this machine", self.redis);
                    possible(&fault).then_some(fault).ok_or_else(reason)
                })
                .collect(),
        }
    }
}
