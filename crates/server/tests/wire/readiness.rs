//! `/live` and `/ready` for people and for programs: a sentence, or each dependency with its state as JSON.

use std::net::SocketAddr;

use fanfare_testing::postgres::Postgres;
use rcgen::date_time_ymd;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::eventually;
use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::{Authority, tls_setup};

const PLAIN: &str = "text/plain; charset=utf-8";

#[track_caller]
fn asked(addr: SocketAddr, path: &str, accept: &str) -> Answer {
    let mut http = Http::connect(addr);
    http.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n").as_bytes());
    http.answer()
}

#[track_caller]
fn as_json(addr: SocketAddr, path: &str) -> (u16, Value) {
    let answer = asked(addr, path, "application/json");
    assert_eq!(answer.head.header("content-type"), Some("application/json"), "{}", answer.body);
    (answer.head.status, serde_json::from_str(&answer.body).expect("JSON"))
}

/// The dependency with this name.
#[track_caller]
fn dependency(server: &TestServer, name: &str) -> Value {
    let (_, ready) = as_json(server.admin, "/ready");
    let all = ready["dependencies"].as_array().expect("a list");
    all.iter().find(|one| one["name"] == name).expect("each dependency is always in the list").clone()
}

/// Waits until a dependency has this state; the state has a beginning, and something to do.
#[track_caller]
fn expect_amiss(server: &TestServer, name: &str, state: &str) {
    let told = eventually("it is told what is amiss", || {
        Some(dependency(server, name)).filter(|one| one["state"] == state)
    });
    let since = told["since"].as_str().unwrap_or_else(|| panic!("no beginning: {told}"));
    assert!(since.starts_with("20") && since.ends_with('Z'), "{told}");
    assert!(told["says"].is_string() && told["advice"].is_string(), "{told}");
}

#[test]
fn who_asks_for_no_json_gets_the_sentence_byte_for_byte() {
    let server = TestServer::start();
    for (path, sentence) in [("/live", "live\n"), ("/ready", "ready\n")] {
        for accept in ["*/*", "text/plain", "text/html,*/*;q=0.8", "application/json;q=0"] {
            let answer = asked(server.admin, path, accept);
            let kind = answer.head.header("content-type");
            assert_eq!((answer.head.status, &*answer.body, kind), (200, sentence, Some(PLAIN)), "{accept}");
        }
        assert_eq!(server.admin(path).body, sentence, "without the header");
    }
}

#[test]
fn a_server_for_which_all_is_well_says_so_of_each_dependency() {
    let server = TestServer::start();
    let (status, live) = as_json(server.admin, "/live");
    assert_eq!((status, &live["status"]), (200, &Value::from("live")));
    assert!(live["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{live}");
    let (status, ready) = as_json(server.admin, "/ready");
    assert_eq!((status, &ready["status"], &ready["says"]), (200, &"ready".into(), &"ready".into()));
    let all = ready["dependencies"].as_array().expect("a list").iter();
    let all: Vec<(&str, &str)> = all
        .map(|one| {
            assert!(one["since"].is_null() && one["advice"].is_null(), "{one}");
            (one["name"].as_str().expect("a text"), one["state"].as_str().expect("a text"))
        })
        .collect();
    let off = ["apps_database", "bus", "redis_feeds", "certificate"].map(|name| (name, "off"));
    assert_eq!(all, [&off[..], &[("drain", "ok")]].concat());
}

#[test]
fn a_server_that_drains_lives_and_is_not_ready_and_says_since_when() {
    let server = Setup::new().config("[timeouts]\ndrain = 20").start();
    let held = server.connect();
    server.process.signal(Signal::TERM);
    expect_amiss(&server, "drain", "failed");
    let (status, ready) = as_json(server.admin, "/ready");
    assert_eq!((status, &ready["status"], &ready["says"]), (503, &"not_ready".into(), &"draining".into()));
    assert_eq!(as_json(server.admin, "/live").0, 200);
    assert_eq!(server.admin("/ready").body, "draining\n");
    drop(held);
    server.drained();
}

#[test]
fn a_database_that_is_away_is_a_degraded_dependency_of_a_ready_node() {
    let mut database = Postgres::start();
    let server = Setup::bare().env("DATABASE_URL", &database.url()).start();
    assert_eq!(dependency(&server, "apps_database")["state"], "ok");
    database.kill();
    expect_amiss(&server, "apps_database", "degraded");
    let (status, ready) = as_json(server.admin, "/ready");
    assert_eq!((status, &ready["status"]), (200, &"ready".into()));
    assert!(
        ready["says"].as_str().is_some_and(|says| says.contains("the apps' database is away")),
        "{ready}"
    );
    database.restart();
    eventually("it is back", || (dependency(&server, "apps_database")["state"] == "ok").then_some(()));
}

#[test]
fn a_redis_that_is_away_degrades_the_feeds_and_keeps_a_new_node_of_several_from_being_ready() {
    // Nothing listens there.
    let feed =
        Setup::new().config("[redis_feed]\nurl = \"redis://127.0.0.1:1\"\nprefix = \"x_\"\napp = \"3\"");
    expect_amiss(&feed.start(), "redis_feeds", "degraded");
    let bus = Setup::new().config("[bus]\nurls = [\"redis://127.0.0.1:1\"]").start();
    expect_amiss(&bus, "bus", "failed");
    assert_eq!(as_json(bus.admin, "/ready").0, 503);
}

#[test]
fn a_certificate_that_has_expired_is_a_degraded_dependency() {
    let authority = Authority::new();
    let setup = Setup::new();
    authority.issue_with(|params| params.not_after = date_time_ymd(2020, 1, 1)).write_to(setup.folder());
    let server = tls_setup(setup).start();
    expect_amiss(&server, "certificate", "degraded");
    assert_eq!(dependency(&server, "certificate")["since"], "2020-01-01T00:00:00Z");

    authority.issue().write_to(server.folder());
    eventually("it is new", || (dependency(&server, "certificate")["state"] == "ok").then_some(()));
}
