//! `cargo xtask cluster`: builds the server and the soak, and runs the soak, in a network of its own where that is allowed.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::checks::cargo;
use crate::log::Log;
use crate::step::output_of;
use crate::workspace::{root, target};

/// Both programs in one build, so that they agree about their dependencies.
const BUILD: [&str; 9] =
    ["build", "--quiet", "--package", "fanfare-server", "--bin", "fanfare", "--package", "soak", "--bins"];

/// Brings loopback up in the new network, and becomes the program behind it.
const WITH_LOOPBACK: &str = "ip link set lo up && exec \"$0\" \"$@\"";

/// Runs the soak with these options; true if it found no violation.
///
/// # Errors
/// In words: what could not be built or started.
pub fn run(options: &[&str]) -> Result<bool, String> {
    cargo(&Log::Terminal, &BUILD)?;
    start(&target().join("debug/soak"), options)
}

/// Starts a soak that was built, in a network of its own where that is allowed; true if it found no violation.
///
/// # Errors
/// In words: what could not be started.
pub fn start(soak: &Path, options: &[&str]) -> Result<bool, String> {
    let mut command = if has_own_network() {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", WITH_LOOPBACK]).arg(soak).arg("--own-network");
        command
    } else {
        Command::new(soak)
    };
    command.args(options).current_dir(root()).stdin(Stdio::null());
    let status = command.status().map_err(|error| format!("{}: {error}", soak.display()))?;
    Ok(status.success())
}

/// Whether this user may make a network, and set a firewall in it.
fn has_own_network() -> bool {
    output_of("unshare", &["--net", "sh", "-c", "ip link set lo up && iptables -L -n"]).is_some()
}
