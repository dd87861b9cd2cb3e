//! The options of `fanfare cluster`.

use std::path::PathBuf;

use clap::Args;

const ABOUT: &str = "Show the nodes that are one server with the node of this configuration

Asks the Redis of bus.urls, and so needs no running server on this machine. A node that ended without a goodbye is shown
until its lease is over. Columns: the version, the time since the start, WebSockets, links to Redis, the last round trip of the
slowest link, and how long the node may be silent until its users are gone (lease left).";

const MORE: &str = "Exit status: 0 if nodes were found and all their links are up, 1 if there are none or a link is away, 64 for a faulty
configuration or one without bus.urls, 69 if no Redis answers. Of several, those that do not are named, with the reason.

Examples:
  fanfare cluster --config fanfare.toml
  watch fanfare cluster --config fanfare.toml      again every two seconds";

/// `fanfare cluster`.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = MORE)]
pub struct Cluster {
    /// The configuration file of a node
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON, as the administration API does
    #[arg(long)]
    pub json: bool,
}
