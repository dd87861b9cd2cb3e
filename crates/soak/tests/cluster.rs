//! Three nodes under load: the faults that happen most, each once, and short. `cargo xtask cluster` makes all of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::process::Command;

/// The program under test, built by `cargo test --workspace` beside this one.
fn fanfare() -> PathBuf {
    let named = std::env::var_os("FANFARE_BIN").map(PathBuf::from);
    let program =
        named.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_soak")).with_file_name("fanfare"));
    assert!(program.is_file(), "{} is not there: cargo build -p fanfare-server", program.display());
    program
}

/// A run with these faults, one after the other.
fn survives(redis: &str, faults: &str) {
    survives_with(&[], redis, faults);
}

/// The same with further options.
fn survives_with(options: &[&str], redis: &str, faults: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(options);
    command.args(["--redis", redis, "--faults", faults, "--once", "--outages", "1"]);
    command.args(["--clients", "60", "--rate", "60"]).arg("--fanfare").arg(fanfare());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for fault in faults.split(',') {
        assert!(text.contains(&format!("fault: {fault}")), "{fault} was not made:\n{text}");
    }
}

#[test]
fn cl_100_a_node_that_dies_and_a_database_that_dies_or_stands_still_lose_nothing_that_was_promised() {
    survives_with(&["--database"], "standalone", "kill-postgres,pause-postgres,kill-node");
}

#[test]
fn cl_101_a_node_that_is_cut_off() {
    survives("standalone", "stall,cut");
}

#[test]
fn cl_103_and_cl_116_a_redis_that_dies_or_is_flushed() {
    survives("standalone", "kill-redis,flush");
}

#[test]
fn cl_102_and_cl_120_subscribers_that_are_dropped_and_a_redis_that_comes_back_empty() {
    survives("standalone", "drop-subscribers,empty-redis");
}

#[test]
fn cl_107_a_master_that_fails_over_to_the_replica_that_sentinels_choose() {
    survives("sentinel", "failover");
}

#[test]
fn cl_109_a_master_of_a_cluster_that_fails_over_and_slots_that_move() {
    survives("cluster", "failover,move-slots");
}

#[test]
fn cl_071_one_of_several_redis_that_dies_and_nodes_that_restart() {
    survives("several", "kill-redis,rolling-restart");
}
