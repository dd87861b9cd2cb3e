//! `fanfare health`: results for a container's health check and an orchestrator's probe.

use std::net::{SocketAddr, TcpListener};

use rustix::process::Signal;

use crate::support::application::Application;
use crate::support::eventually;
use crate::support::server::TestServer;
use crate::support::setup::{Ended, Setup};

/// `fanfare health` with the addresses of a configuration file.
fn health(addr: &str, admin_addr: &str, arguments: &[&str]) -> Ended {
    let config =
        format!("[listen]\naddr = \"{addr}\"\nadmin_addr = \"{admin_addr}\"\npath_prefix = \"/fanfare\"");
    Setup::bare().command(Some("health")).config(&config).arguments(arguments).run()
}

fn text(addr: SocketAddr) -> String {
    addr.to_string()
}

#[test]
fn a_server_that_is_well_is_told_with_status_0() {
    let server = Setup::new().config("[listen]\npath_prefix = \"/fanfare\"").start();
    let (addr, admin) = (text(server.addr), text(server.admin));
    let alive = format!("http://{addr}/up is answered 200 OK ({{\"health\":\"OK\"}})\n");
    let ready = format!("http://{admin}/ready is answered 200 OK (ready)\n");
    for (arguments, said) in [(&[][..], alive), (&["--ready"][..], ready)] {
        let ended = health(&addr, &admin, arguments);
        assert_eq!((ended.status, ended.stdout, &*ended.stderr), (0, said, ""));
    }
}

#[test]
fn a_server_that_listens_everywhere_is_asked_on_this_machine() {
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        let arguments = ["--listen", everywhere, "--admin-listen", "127.0.0.1:0"];
        let server = Setup::new().command(Some("serve")).arguments(&arguments).start();
        let listens = format!("{}:{}", everywhere.trim_end_matches(":0"), server.addr.port());
        let ended = health(&listens, "127.0.0.1:1", &[]);
        assert_eq!(ended.status, 0, "{listens}: {}", ended.stderr);
    }
}

#[test]
fn a_server_whose_plain_port_is_any_is_asked_at_the_operators_listener() {
    let server = TestServer::start();
    let ended = health("127.0.0.1:0", &text(server.admin), &[]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let ended = health("127.0.0.1:0", "127.0.0.1:0", &[]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("listen.admin_addr is port 0"), "{}", ended.stderr);
}

#[test]
fn a_large_page_of_another_server_is_told_in_part() {
    let page = "x".repeat(7000);
    let other = Application::raw(&format!("HTTP/1.1 200 OK\r\nContent-Length: 7000\r\n\r\n{page}"));
    let ended = health(&text(other.addr), "127.0.0.1:1", &[]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.len() < 700 && ended.stderr.contains("200 OK (xxx"), "{}", ended.stderr);
}

#[test]
fn a_server_that_drains_is_alive_and_not_ready() {
    let server = Setup::new().config("[timeouts]\ndrain = 20").start();
    let _held = server.connect();
    server.process.signal(Signal::TERM);
    eventually("it says that it drains", || (server.admin("/ready").head.status == 503).then_some(()));
    let (addr, admin) = (text(server.addr), text(server.admin));
    let ended = health(&addr, &admin, &["--ready"]);
    assert_eq!((ended.status, &*ended.stdout), (1, ""));
    assert!(ended.stderr.contains("/ready is answered 503"), "{}", ended.stderr);
    assert_eq!(health(&addr, &admin, &[]).status, 0);
}

#[test]
fn what_does_not_answer_or_is_another_server_is_status_1_with_the_reason() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = text(hangs.local_addr().unwrap());
    let ended = health(&hanging, "127.0.0.1:1", &["--timeout", "1"]);
    assert_eq!(ended.status, 1);
    assert!(
        ended.stderr.contains(&format!("fanfare: http://{hanging}/up: no answer in time")),
        "{}",
        ended.stderr
    );

    drop(hangs);
    let ended = health(&hanging, "127.0.0.1:1", &[]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("refused"), "{}", ended.stderr);

    let stranger = Application::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let ended = health(&text(stranger.addr), "127.0.0.1:1", &[]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("/up is answered 200 OK (hi)"), "{}", ended.stderr);

    // The operators' listener has no such page, and stands for any other server.
    let other = TestServer::start();
    let ended = health("127.0.0.1:1", &text(other.addr), &["--ready"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("/ready is answered 404"), "{}", ended.stderr);
}

#[test]
fn a_faulty_configuration_is_told_as_at_the_start() {
    let ended = health("everywhere", "127.0.0.1:1", &[]);
    assert_eq!(ended.status, 64);
    assert!(ended.stderr.contains("fault: "), "{}", ended.stderr);
}
