//! `fanfare bench`: measures a server of its own, and leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::eventually;
use crate::support::setup::binary;

/// Runs `fanfare bench` briefly, in a folder where a configuration says otherwise; its status and output.
fn measured(folder: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    fs::write(folder.join("fanfare.toml"), "[listen]\naddr = \"127.0.0.1:1\"\n")
        .expect("a folder takes files");
    let measuring = binary(folder)
        .args(["bench", "--connections", "20", "--seconds", "1"])
        .args(options)
        // Settings of servers that run here mean nothing to the one that is measured.
        .env("FANFARE__APPS__DATABASE", "sqlite")
        .env("FANFARE__LIMITS__CONNECTIONS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let id = measuring.id();
    let done = measuring.wait_with_output().expect("it ends");
    assert_eq!(measured_by(id), None, "its server is left");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (done.status.code(), text(done.stdout), text(done.stderr))
}

/// The folder in `/proc` of the server that this process measures.
fn measured_by(process: u32) -> Option<PathBuf> {
    let variable = format!("FANFARE_MEASURED_BY={process}\0");
    let processes = fs::read_dir("/proc").expect("there is /proc").filter_map(Result::ok);
    let is_it = |text: Vec<u8>| text.windows(variable.len()).any(|part| part == variable.as_bytes());
    processes.map(|entry| entry.path()).find(|path| fs::read(path.join("environ")).is_ok_and(is_it))
}

/// How many sockets the process of this folder has.
fn sockets_of(process: &Path) -> usize {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_measurement_that_is_killed_leaves_no_server_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut measuring = binary(folder.path());
    measuring.args(["bench", "--connections", "20", "--seconds", "60"]).stdin(Stdio::null());
    let mut measuring = measuring.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    // Long after the server has begun.
    eventually("its server serves", || {
        measured_by(measuring.id()).filter(|server| sockets_of(server) > 20).map(drop)
    });
    measuring.kill().expect("it runs");
    measuring.wait().expect("it ends");
    eventually("its server has ended", || measured_by(measuring.id()).is_none().then_some(()));
}

#[test]
fn a_measurement_whose_server_answers_no_more_ends_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut measuring = binary(folder.path());
    measuring.args(["bench", "--connections", "20", "--seconds", "60"]).stdin(Stdio::null());
    let measuring = measuring.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let server = eventually("its server serves", || {
        measured_by(measuring.id()).filter(|server| sockets_of(server) > 20)
    });
    let id = server.file_name().and_then(|id| id.to_str()?.parse().ok()).and_then(Pid::from_raw);
    kill_process(id.expect("a process"), Signal::STOP).expect("it runs");
    let done = measuring.wait_with_output().expect("it ends");
    let said = String::from_utf8(done.stderr).expect("it prints text");
    assert_eq!(done.status.code(), Some(69), "{said}");
    assert!(said.contains("the server has not answered for ten seconds"), "{said}");
}

#[test]
fn a_measurement_prints_what_the_machine_did_and_holds_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let (status, text, complaints) = measured(folder.path(), &[]);
    assert_eq!((status, &*complaints), (Some(0), ""), "{text}");
    for part in [
        "20 connections with a channel each",
        "deliveries a second",
        "requests a second",
        "This machine holds about",
        "99 % within",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (status, text, complaints) = measured(folder.path(), &["--json"]);
    assert_eq!((status, &*complaints), (Some(0), ""), "{text}");
    let figures: Value = serde_json::from_str(&text).expect("it is JSON");
    let positive = |pointer: &str| figures.pointer(pointer).and_then(Value::as_f64) > Some(0.0);
    for pointer in [
        "/connections_per_second",
        "/lone_events/p99_us",
        "/busy/deliveries_per_second",
        "/busy/cpu_us_per_delivery",
        "/publishes/requests_per_second",
        "/holds/by_descriptors",
    ] {
        assert!(positive(pointer), "{pointer} in {text}");
    }
    // With twenty connections, what the first one costs would be said of each.
    assert!(figures["bytes_per_connection"].is_null() && figures["holds"]["by_memory"].is_null(), "{text}");
    let slices = figures["lone_events"]["histogram"].as_array().expect("there is a histogram");
    let counted: u64 = slices.iter().filter_map(|slice| slice["count"].as_u64()).sum();
    assert!(counted >= 20 * 15, "20 subscribers of some 20 events: {counted}");
    let files = fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(files, 1, "nothing beside the configuration that was there");
}

#[test]
fn a_measurement_of_more_than_a_server_may_have_says_how_many_that_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 1024; exec \"$0\" bench --connections 600"]);
    let done = limited.arg(env!("CARGO_BIN_EXE_fanfare")).current_dir(folder.path()).output();
    let done = done.expect("there is a shell");
    assert_eq!(done.status.code(), Some(69));
    let complaint = String::from_utf8_lossy(&done.stderr);
    let most = complaint.trim().rsplit(' ').next().and_then(|most| most.parse::<u32>().ok());
    assert!((100..600).contains(&most.unwrap_or(0)), "{complaint}");
    assert!(complaint.contains("600 connections") && complaint.contains("ulimit -n"), "{complaint}");
}

#[test]
fn a_measurement_of_more_than_the_machine_may_open_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = binary(folder.path()).args(["bench", "--connections", "20001"]).output().expect("it starts");
    assert_eq!(done.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&done.stderr).contains("1..=20000"));
}
