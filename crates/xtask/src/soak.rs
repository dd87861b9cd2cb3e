//! `cargo xtask soak`: the cluster's soak for the length of a real one: a release build, a Postgres among what dies, samples
//! and their picture.

use crate::checks::cargo;
use crate::cluster;
use crate::log::Log;
use crate::workspace::target;

/// Both programs in one build, so that they agree about their dependencies.
const BUILD: [&str; 9] =
    ["build", "--release", "--package", "fanfare-server", "--bin", "fanfare", "--package", "soak", "--bins"];

/// What is killed, stopped and restarted at random. The database comes first, while nothing yet excuses what is missing.
const FAULTS: &str = "kill-postgres,pause-postgres,kill-node,kill-redis,pause-redis,restart-node,pause-node";

/// Runs the soak with further options of the program `soak`; true if there was no violation.
///
/// # Errors
/// In words: what could not be built or started.
pub fn run(options: &[&str]) -> Result<bool, String> {
    cargo(&Log::Terminal, &BUILD)?;
    let own = ["--database", "--keep-first", "--faults", FAULTS];
    cluster::start(&target().join("release/soak"), &[&own, options].concat())
}
