//! The options of `fanfare health`.

use std::path::PathBuf;

use clap::Args;

const ABOUT: &str = "Ask the server on this machine whether it is well

The server is the one that the same options, configuration and environment start. Prints one line that says
what was asked and answered.";

const MORE: &str = "Exit status: 0 if the server is well, 1 if not, 64 for a faulty configuration.

Examples:
  fanfare health                                   does it accept connections? (GET /up)
  fanfare health --ready                           is it to get new ones? (GET /ready: no once it drains)
  docker exec my-fanfare fanfare health --ready    the same in a container";

/// What to ask, and whom.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = MORE)]
pub struct Health {
    /// Ask whether it is to get new connections, rather than whether it is alive
    #[arg(long)]
    pub ready: bool,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub timeout: u64,
    /// The configuration file of the server
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The Laravel project of the server
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// The laravel-echo-server.json of the server, if it was started with one
    #[arg(long, value_name = "FILE")]
    pub laravel_echo_server: Option<PathBuf>,
    /// Where the server listens, if it was told on its command line
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where /ready is answered, if it was told on its command line
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_listen: Option<String>,
}
