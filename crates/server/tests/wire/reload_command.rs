//! `fanfare reload` and `POST /v1/reload`: what was taken over, what needs a restart, and the faults.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::api::Request;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::{Ended, Setup};
use crate::support::{APP, App, eventually};

/// A server with a file of settings, and the app of the reference in its database.
fn stored() -> TestServer {
    let server = Setup::bare().config("[limits]\nbatch = 9").start();
    assert_eq!(server.create_app(&[], &[]).status, 0);
    server.expect_app_known();
    server
}

fn write(server: &TestServer, toml: &str) {
    fs::write(server.folder().join("fanfare.toml"), toml).expect("the folder can be written to");
}

#[track_caller]
fn reload(server: &TestServer, words: &[&str]) -> Ended {
    server.command(&[&["reload", "--url", &format!("http://{}", server.admin)], words].concat())
}

/// Whether the tokens of the command are revoked.
fn tokens(server: &TestServer) -> Vec<bool> {
    let listed: Value = serde_json::from_str(&server.commanded(&["token", "list", "--json"])).expect("JSON");
    let rows = listed["tokens"].as_array().expect("a list").iter();
    rows.filter(|row| row["name"] == "fanfare reload").map(|row| !row["revoked_at"].is_null()).collect()
}

#[test]
fn a_reload_prints_what_was_taken_over_and_what_needs_a_restart() {
    let server = stored();
    let mut socket = server.connect();
    let feed =
        |password: &str| format!("[redis_feed]\nurl = \"redis://u:{password}@127.0.0.1:1\"\nprefix = \"\"\n");
    let limits = "[limits]\nbatch = 9\nevent_bytes = 10\n";
    write(&server, &format!("{limits}[listen]\noverlap = true\n{}", feed("hush")));
    let ended = reload(&server, &[]);
    assert_eq!((ended.status, &*ended.stderr), (0, ""));
    assert_eq!(
        ended.stdout,
        "Taken over:\n  limits.event_bytes: 10240 → 10\n  redis_feed.url: \"\" → redis://***@127.0.0.1:1\nNeeds a restart:\n  \
         listen.overlap: false → true\n"
    );
    server.process.log_line("the feed", |line| line.contains("feed begins").then_some(()));
    write(&server, &format!("{limits}{}", feed("other")));
    assert_eq!(reload(&server, &[]).stdout, "Taken over:\n  redis_feed.url\n");
    assert!(!server.process.stderr().contains("hush"), "no secret is logged");
    // The limits of apps in the database that set none follow.
    let event = r#"{"name":"e","channel":"one","data":"longer than ten bytes"}"#;
    server.api().send(&Request::post("/apps/3/events", event)).refused(413, "(10 bytes)");
    socket.expect_nothing_more();
    assert_eq!(reload(&server, &[]).stdout, "Nothing has changed.\n");
    assert_eq!(tokens(&server), [true; 3]);
}

#[test]
fn a_refused_reload_prints_every_fault_and_ends_with_64() {
    let server = stored();
    write(&server, "[limits]\nbatch = 0\nbathc = 7\n");
    let ended = reload(&server, &[]);
    assert_eq!((ended.status, &*ended.stdout), (64, ""));
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ended.stderr);
    assert!(
        lines[0].starts_with("fanfare: fault: ") && lines[0].contains("fanfare.toml:2: limits.batch"),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("fanfare.toml:3: unknown key limits.bathc"), "{}", lines[1]);
    assert_eq!(lines[2], "fanfare: the server has taken over nothing: every setting stays as it was");
}

#[test]
fn a_server_that_is_not_there_and_one_without_a_database_cannot_be_asked() {
    let server = stored();
    let ended = server.command(&["reload", "--url", "http://127.0.0.1:1"]);
    assert_eq!(ended.status, 69, "{}", ended.stderr);
    assert_eq!(tokens(&server), [true]);
    let server = Setup::new().start();
    let ended = reload(&server, &["--config", "fanfare.toml"]);
    assert_eq!(ended.status, 64);
    assert!(ended.stderr.contains("send it SIGHUP"), "{}", ended.stderr);
}

#[test]
fn operators_with_the_scope_ask_for_a_reload_and_the_audit_log_says_so() {
    let server = stored();
    let admin = Admin::with(&server, "operate,read");
    assert_eq!(admin.post("/v1/reload", "").expect(200), json!({"taken_over": [], "needs_restart": []}));
    write(&server, "[limits]\nbatch = 8\nconnections = 77\n");
    let answer = admin.post("/v1/reload", "").expect(200);
    let (batch, connections) = (
        json!([{"key": "limits.batch", "old": "9", "new": "8"}]),
        json!([{"key": "limits.connections", "old": "0", "new": "77"}]),
    );
    assert_eq!(answer, json!({"taken_over": batch, "needs_restart": connections}));
    let node = admin.get("/v1/node").expect(200);
    assert_eq!(node["reload"]["needs_restart"], json!(["limits.connections"]));
    assert_eq!(node["reload"]["is_well"], true);
    let settings = node["configuration"].as_array().expect("a list");
    assert!(settings.iter().all(|row| row["key"] != "limits.connections"), "{settings:?}");
    write(&server, "[limits]\nbatch = \n");
    let refused = admin.post("/v1/reload", "");
    assert_eq!(refused.answer.head.status, 422);
    assert!(
        refused.json["faults"][0].as_str().is_some_and(|fault| fault.contains("fanfare.toml:2")),
        "{}",
        refused.json
    );
    assert_eq!(admin.get("/v1/node").expect(200)["reload"]["is_well"], false);
    let log = admin.get("/v1/audit?action=config.reload").expect(200);
    let details: Vec<&Value> =
        log["entries"].as_array().expect("a list").iter().map(|entry| &entry["detail"]).collect();
    assert_eq!(
        details,
        [
            &json!({"faults": 1}),
            &json!({"taken_over": "limits.batch", "needs_restart": "limits.connections"}),
            &json!({"taken_over": "", "needs_restart": ""}),
        ]
    );
    Admin::with(&server, "read").post("/v1/reload", "").refused(403, "scope-missing", &[]);
    let bound = server
        .commanded(&["token", "create", "--name", "b", "--scope", "operate", "--app", APP.id, "--json"]);
    let bound: Value = serde_json::from_str(&bound).expect("JSON");
    let bound = Admin::nobody(&server).bearing(bound["token"].as_str().expect("a token"));
    bound.post("/v1/reload", "").refused(403, "not-for-bound-tokens", &[]);
}

#[test]
fn an_app_of_the_file_hides_that_of_the_database_until_it_is_gone_from_there() {
    let server = stored();
    let mut open = server.connect();
    open.subscribe("news");
    let database = "[apps]\ndatabase = \"sqlite\"\n";
    let limits = "[limits]\nbatch = 9\n";
    let hiding = |settings: &str| {
        let App { id, key, secret } = APP;
        format!(
            "{database}{limits}[[apps.list]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{secret}\"\n{settings}\n"
        )
    };
    write(&server, &hiding("client_events = true\nmax_connections = 1"));
    assert!(reload(&server, &[]).stdout.contains("apps.list: app 3 added"));
    // Who is connected stays, with the settings of the file.
    server.api().publish("news", "e", "hidden");
    open.expect_event("news", "e", "hidden");
    server.open(&pusher_js(APP)).expect_close_code(4004);
    let shown: Value = serde_json::from_str(&server.commanded(&["app", "list", "--json"])).expect("JSON");
    assert!(shown.to_string().contains("\"3\""), "the database has it still: {shown}");
    write(&server, &format!("{database}{limits}"));
    assert!(reload(&server, &[]).stdout.contains("apps.list: app 3 removed"));
    server.connect().expect_nothing_more();
    server.api().publish("news", "e", "back");
    open.expect_event("news", "e", "back");
}

#[test]
fn a_reload_during_a_drain_is_refused_and_changes_nothing() {
    let server = stored();
    let admin = Admin::with(&server, "operate,read");
    let open = server.connect();
    server.process.signal(Signal::TERM);
    eventually("the drain begins", || (server.admin("/ready").body.starts_with("draining")).then_some(()));
    write(&server, "[limits]\nbatch = 3\n");
    assert_eq!(admin.post("/v1/reload", "").answer.head.status, 503);
    assert!(!server.process.stderr().contains("settings reloaded"));
    drop(open);
}

#[test]
fn many_reloads_leave_descriptors_and_memory_as_they_were() {
    let server = stored();
    let admin = Admin::with(&server, "operate,read");
    let limits = |batch: u32| format!("[limits]\nbatch = {batch}\n");
    let descriptors = || {
        let folder = format!("/proc/{}/fd", server.process.id());
        fs::read_dir(folder).expect("the server runs").count()
    };
    let reload = |count: u32| {
        for number in 0..count {
            write(&server, &limits(5 + number % 2));
            let answer = admin.post("/v1/reload", "").expect(200);
            assert_eq!(answer["taken_over"].as_array().map(Vec::len), Some(1), "{answer}");
        }
    };
    reload(200);
    let (files, memory) = (descriptors(), server.process.peak_memory());
    reload(800);
    // The last requests' connections may not have ended yet.
    eventually("descriptors are as before", || (descriptors() <= files + 8).then_some(()));
    let grown = server.process.peak_memory().saturating_sub(memory);
    assert!(grown < 16 << 20, "a thousand reloads take {grown} bytes");
    // Signals that come during a reload are one more.
    for _ in 0..100 {
        server.process.signal(Signal::HUP);
    }
    write(&server, &limits(77));
    server.process.signal(Signal::HUP);
    eventually("the last is taken over", || {
        let node = admin.get("/v1/node").expect(200);
        node["configuration"]
            .as_array()?
            .iter()
            .find(|row| row["key"] == "limits.batch" && row.to_string().contains("77"))
            .map(drop)
    });
}
