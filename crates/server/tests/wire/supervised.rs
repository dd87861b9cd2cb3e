//! What a server tells the service manager that has started it (sd_notify(3)), and that a stopped process is no stall.

use std::fs;
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::support::eventually;
use crate::support::notified::Notified;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::Secured;

/// The sentence of a server that runs.
fn serving(server: &TestServer) -> String {
    let TestServer { addr, admin, tls, .. } = server;
    let tls = tls.map_or_else(String::new, |tls| format!(" and https://{tls}"));
    format!("Serving http://{addr}{tls}; operators at http://{admin}")
}

fn microseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// The time in the notice of a reload that began between `before` and now.
#[track_caller]
fn expect_reloading(told: &str, before: u64) {
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "RELOADING=1"), "{told}");
    let time = lines[1].strip_prefix("MONOTONIC_USEC=").and_then(|time| time.parse().ok());
    let time: u64 = time.unwrap_or_else(|| panic!("no time: {told}"));
    assert!((before..=microseconds()).contains(&time), "{told} is not after {before}");
}

/// Start, reload and stop, as told to this socket.
#[track_caller]
fn expect_a_life(setup: Setup, manager: &Notified) {
    let process = setup.env("NOTIFY_SOCKET", &manager.name);
    let server = process.start();
    let ready = format!("READY=1\nSTATUS={}\n", serving(&server));
    assert_eq!(manager.next(), ready);
    for address in [server.addr, server.admin] {
        TcpStream::connect(address).expect("a server that is ready accepts");
    }
    let before = microseconds();
    server.process.signal(Signal::HUP);
    expect_reloading(&manager.next(), before);
    assert_eq!(manager.next(), ready);
    server.process.signal(Signal::TERM);
    // The drain of 6 seconds, 3 for all behind it, and 5 to end.
    assert_eq!(
        manager.next(),
        "STOPPING=1\nSTATUS=Draining, connections left: 0\nEXTEND_TIMEOUT_USEC=14000000\n"
    );
    server.drained();
    assert_eq!(manager.rest(), [""; 0]);
}

#[test]
fn systemd_is_told_in_this_order_that_a_server_is_ready_reloads_and_stops() {
    let setup = Setup::new();
    let manager = Notified::in_folder(setup.folder());
    expect_a_life(setup, &manager);
}

#[test]
fn a_socket_in_the_abstract_namespace_is_told_the_same() {
    let setup = Setup::new();
    let manager = Notified::abstract_of(setup.folder());
    expect_a_life(setup, &manager);
}

#[test]
fn systemd_is_told_when_a_reload_is_over_and_whether_it_was_refused() {
    let setup = Setup::new();
    let manager = Notified::in_folder(setup.folder());
    let Secured { server, issued, .. } = Secured::start_with(setup.env("NOTIFY_SOCKET", &manager.name));
    let ready = format!("READY=1\nSTATUS={}\n", serving(&server));
    assert_eq!(manager.next(), ready);
    fs::write(server.folder().join("cert.pem"), "no certificate").expect("the folder can be written to");
    let before = microseconds();
    server.process.signal(Signal::HUP);
    expect_reloading(&manager.next(), before);
    let told = manager.next();
    let sentence = told.strip_prefix(ready.trim_end()).unwrap_or_else(|| panic!("{told}"));
    assert_eq!(sentence, "; the last reload was refused for 1 faults, and every setting stayed as it was\n");
    let fault = "fanfare.toml:3: tls.cert_file: cert.pem: holds no certificate";
    server.process.log_line(fault, |line| line.contains(fault).then_some(()));

    issued.write_to(server.folder());
    server.process.signal(Signal::HUP);
    expect_reloading(&manager.next(), before);
    assert_eq!(manager.next(), ready);
}

#[test]
fn systemd_is_told_how_many_connections_a_drain_waits_for() {
    let setup = Setup::new().config("[timeouts]\ndrain = 20");
    let manager = Notified::in_folder(setup.folder());
    let server = setup.env("NOTIFY_SOCKET", &manager.name).start();
    assert!(manager.next().starts_with("READY=1\n"));
    let held = [server.connect(), server.connect()];
    server.process.signal(Signal::TERM);
    assert_eq!(
        manager.next(),
        "STOPPING=1\nSTATUS=Draining, connections left: 2\nEXTEND_TIMEOUT_USEC=28000000\n"
    );
    // The first is closed at once, the second ten seconds later.
    assert_eq!(manager.next(), "STATUS=Draining, connections left: 1\n");
    drop(held);
    server.drained();
}

#[test]
fn signs_of_life_come_as_long_as_the_server_works_also_while_it_drains() {
    let setup = Setup::new().config("[timeouts]\ndrain = 20");
    let manager = Notified::in_folder(setup.folder());
    let setup = setup.env("NOTIFY_SOCKET", &manager.name).env("WATCHDOG_USEC", "400000");
    let server = setup.start();
    assert!(manager.next_change().starts_with("READY=1\n"));
    let held = server.connect();
    for _ in 0..3 {
        manager.expect_life();
    }
    server.process.signal(Signal::TERM);
    assert!(manager.next_change().starts_with("STOPPING=1\n"));
    for _ in 0..3 {
        manager.expect_life();
    }
    drop(held);
    server.drained();
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_gets_no_signs_of_life() {
    let setup = Setup::new();
    let manager = Notified::in_folder(setup.folder());
    let setup = setup.env("NOTIFY_SOCKET", &manager.name);
    let server = setup.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1").start();
    server.process.signal(Signal::TERM);
    server.drained();
    let told = manager.rest();
    assert_eq!(told.iter().filter(|told| *told == "WATCHDOG=1\n").count(), 0, "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("STOPPING=1\n")), "{told:?}");
}

#[test]
fn a_socket_that_nobody_reads_or_that_is_none_is_logged_and_stops_no_server() {
    for (name, said) in [
        ("/nowhere/at-all", "the service manager cannot be told"),
        ("vsock:2:1", "NOTIFY_SOCKET cannot be used"),
    ] {
        let server = Setup::new().env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "400000").start();
        server.process.log_line(said, |line| line.contains(said).then_some(()));
        server.stop();
    }
}

#[test]
fn a_process_that_was_stopped_for_longer_than_a_stall_goes_on() {
    let setup = Setup::new().config("[watchdog]\nstall = 4");
    let manager = Notified::in_folder(setup.folder());
    let setup = setup.env("NOTIFY_SOCKET", &manager.name).env("WATCHDOG_USEC", "2000000");
    let server = setup.start();
    let mut socket = server.connect();
    socket.subscribe("news");
    server.process.signal(Signal::STOP);
    let stopped = Instant::now();
    eventually("the limit is over", || (stopped.elapsed().as_secs() >= 6).then_some(()));
    // What was told before the stop.
    manager.skip();
    server.process.signal(Signal::CONT);
    // A second sign shows a second look at the runtime.
    manager.expect_life();
    manager.expect_life();
    server.api().publish("news", "e", "still here");
    socket.expect_event("news", "e", "still here");
    assert!(!server.process.stderr().contains("the runtime"), "{}", server.process.stderr());
    server.stop();
}
