//! The options of `fanfare bench`.

use clap::Args;

const ABOUT: &str = "Measure what this machine can do: connections, events to many, publishes

Starts a server of its own on loopback, with the defaults, loads it for some twenty seconds, prints a table, and ends
it. Servers that run here are left alone, but share the machine: measure when they have little to do. The load is made
by one thread of this command, which takes a core. What a connection takes of the memory is told from 1,000
connections on: below, what the first one costs would be counted.";

const MORE: &str = "Exit status: 0 if nothing was lost or refused, 1 otherwise.

Examples:
  fanfare bench                                    1,000 connections
  fanfare bench --connections 10000 --seconds 20   more of them, for longer
  fanfare bench --json                             for programs";

/// How much load, and for how long.
#[derive(Clone, Copy, Debug, Args)]
#[command(long_about = ABOUT, after_help = MORE)]
pub struct BenchCommand {
    /// Connections; each is a file descriptor here and in the server
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub connections: u32,
    /// Seconds of each of the three loads
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub seconds: u32,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}
