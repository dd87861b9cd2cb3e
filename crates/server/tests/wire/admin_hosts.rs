//! Host names of the operators' listener: a stranger's page cannot read the listener by the page's own name.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;

#[track_caller]
fn asked_as(addr: SocketAddr, host: &str, path: &str) -> Answer {
    let mut http = Http::connect(addr);
    http.write(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    http.answer()
}

#[test]
fn a_name_that_nobody_has_listed_is_refused_on_every_path_with_the_setting_that_lists_it() {
    let server = TestServer::start();
    for path in ["/up", "/live", "/ready", "/metrics", "/v1/openapi.json", "/v1/apps", "/nowhere"] {
        for host in ["evil.test", "evil.test:9600", "127.0.0.1.evil.test", "localhost.evil.test:80"] {
            let answer = asked_as(server.admin, host, path);
            assert_eq!(answer.head.status, 421, "{host} {path}");
            let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
            assert_eq!(problem["type"], "urn:fanfare:problem:unknown-host");
            let detail = problem["detail"].as_str().expect("a text");
            assert!(detail.contains(host) && detail.contains("listen.admin_hosts"), "{detail}");
        }
    }
    server.process.log_line("the refusal", |line| {
        (line.contains("unknown-host") && line.contains("evil.test")).then_some(())
    });
    assert_eq!(
        asked_as(server.addr, "evil.test", "/up").head.status,
        200,
        "the public listener has any name"
    );
}

#[test]
fn addresses_localhost_and_listed_names_are_answered_whatever_the_port() {
    let hosts = "admin_hosts = [\"fanfare.internal\", \"fanfare\"]";
    let server = Setup::new().config(&format!("[listen]\n{hosts}")).start();
    for host in [
        "localhost",
        "LOCALHOST:9600",
        "127.0.0.1",
        "127.1.2.3:9600",
        "[::1]:9600",
        "10.42.0.7:9600",
        "[fd00::7]",
        "fanfare",
        "Fanfare.Internal:9600",
        "",
    ] {
        for path in ["/up", "/live", "/ready", "/metrics"] {
            assert_eq!(asked_as(server.admin, host, path).head.status, 200, "{host} {path}");
        }
    }
    assert_eq!(asked_as(server.admin, "other.internal", "/ready").head.status, 421);
}

#[test]
fn a_check_in_http_1_0_needs_no_host() {
    let server = TestServer::start();
    let mut http = Http::connect(server.admin);
    http.write(b"GET /ready HTTP/1.0\r\n\r\n");
    assert_eq!(http.answer().head.status, 200);
}

#[test]
fn what_is_no_name_of_a_host_stops_the_start() {
    for host in ["http://fanfare", "fanfare:9600", "fanfare/", "*", ""] {
        let ended = Setup::new().config(&format!("[listen]\nadmin_hosts = [\"{host}\"]")).run();
        assert_eq!(ended.status, 64, "{host}");
        assert!(ended.stderr.contains("listen.admin_hosts must be a list of names"), "{}", ended.stderr);
    }
}
