//! The checker against real nodes: the truth passes, and every lie is found. A checker that cannot fail is worth nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

/// The program under test, built by `cargo test --workspace` beside this one.
fn fanfare() -> PathBuf {
    let named = std::env::var_os("FANFARE_BIN").map(PathBuf::from);
    let program =
        named.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_soak")).with_file_name("fanfare"));
    assert!(program.is_file(), "{} is not there: cargo build -p fanfare-server", program.display());
    program
}

/// A short run.
fn soak(options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(["--minutes", "0.1", "--clients", "80", "--rate", "200"]).args(options);
    command.arg("--fanfare").arg(fanfare()).output().unwrap()
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().unwrap_or_default().to_owned()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_that_tells_the_truth_passes() {
    let output = soak(&["--redis", "none", "--faults", "none"]);
    assert_eq!(last_line(&output), "PASSED", "{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success());
}

#[test]
fn every_lie_is_found() {
    let lies = [
        ("lost-removal", "presence-room-"),
        ("lost-addition", "presence-room-"),
        ("lost-event", "never came"),
        ("repeated-event", "came twice"),
        ("swapped-messages", ""),
        ("lost-count", "was told a count of"),
        ("lost-watch", "watchlist"),
        ("lost-webhook", "webhook"),
        ("repeated-webhook", "a request came twice"),
        ("strangers", ""),
    ];
    let run = |(lie, words): (&'static str, &'static str)| {
        thread::spawn(move || {
            let nodes = if lie == "strangers" { "standalone" } else { "none" };
            let output = soak(&["--redis", nodes, "--faults", "none", "--lie", lie]);
            let last = last_line(&output);
            let complaint = complaint(&output);
            assert!(last.starts_with("FAILED: ") && last.contains(words), "{lie}: {last}; {complaint}");
            assert_eq!(output.status.code(), Some(1), "{lie}");
        })
    };
    // A few at a time: each has a server and eighty clients.
    for some in lies.chunks(5) {
        let running: Vec<_> = some.iter().map(|lie| run(*lie)).collect();
        running.into_iter().for_each(|lie| lie.join().unwrap());
    }
}

#[test]
fn what_cannot_be_run_is_an_error() {
    let unknown = soak(&["--faults", "earthquake"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(complaint(&unknown).contains("no such fault: earthquake"));
    let impossible = soak(&["--redis", "none", "--faults", "kill-redis"]);
    assert!(complaint(&impossible).contains("cannot be made"));
}
