//! Log lines about connections, and secrets that must never be logged.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::api::Request;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::signing::channel_auth;
use crate::support::{APP, eventually, quoted};

fn json_logs() -> TestServer {
    Setup::new().config("[log]\nformat = \"json\"\n[timeouts]\nactivity = 1\npong = 1").start()
}

/// The line about the close of this connection, as JSON fields.
fn close_of(server: &TestServer, id: &str) -> Value {
    server.process.log_line(&format!("the close of {id}"), |line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let fields = &line["fields"];
        let found = fields["message"] == "connection closed" && fields["socket"] == *id;
        found.then(|| {
            assert_eq!(line["level"], "INFO");
            assert_eq!(line["target"], "fanfare::connection");
            fields.clone()
        })
    })
}

#[test]
fn the_close_of_a_connection_is_one_line_with_app_socket_code_and_reason() {
    let server = json_logs();
    let by_client = server.open(&format!("/app/{}?protocol=7", APP.key)).established(1);
    let id = by_client.id.clone();
    by_client.close();
    let fields = close_of(&server, &id);
    assert_eq!((&fields["app"], &fields["code"]), (&"3".into(), &1000.into()));
    assert_eq!((&fields["reason"], &fields["client"]), (&"by_client".into(), &"127.0.0.1".into()));
    let mut silent = server.open(&format!("/app/{}?protocol=7", APP.key)).established(1);
    silent.frame();
    silent.expect_close_code(4201);
    let fields = close_of(&server, &silent.id);
    assert_eq!((&fields["app"], &fields["code"]), (&"3".into(), &4201.into()));
    assert_eq!(fields["reason"], "pong_missing");
}

/// Uses every feature a little; returns the texts that must not be in a log.
pub fn use_everything(server: &TestServer) -> Vec<String> {
    let mut socket = server.connect();
    let info = r#"{"user_id":"u1","user_info":{"name":"confidential-name"}}"#;
    socket.join(APP, "presence-a", info);
    socket.subscribe_private(APP, "private-a");
    let right = channel_auth(APP, &socket.id, "private-b", None);
    let wrong = "5ec2e7".repeat(10);
    socket.send(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"auth":"{}:{wrong}","channel":"private-b"}}}}"#,
        APP.key
    ));
    socket.error();
    socket.send(r#"{"event":"client-x","channel":"private-a","data":"confidential-text"}"#);
    socket.error();
    socket.send("confidential-garbage");
    socket.error();
    let event = format!(r#"{{"name":"e","channels":["private-a"],"data":{}}}"#, quoted("confidential-data"));
    let accepted = Request::post("/apps/3/events", event);
    let mut api = server.api();
    api.send(&accepted).expect("{}");
    socket.text();
    let refused = accepted.clone().auth(|auth| auth.signature = Some("f0f1f2f3".repeat(8)));
    api.send(&refused).refused(401, "");
    api.post("/events", r#"{"name":"e","data":"confidential"#).refused(400, "JSON");
    let id = socket.id.clone();
    socket.close();
    server.process.log_line("the close", |line| line.contains(&id).then_some(()));
    let signature = right.split(':').nth(1).expect("a key and a signature").to_owned();
    vec![
        APP.secret.into(),
        "confidential".into(),
        signature,
        wrong,
        accepted.signature(),
        "f0f1f2f3".into(),
        "auth_signature=".into(),
    ]
}

#[test]
fn logs_hold_no_secret_no_signature_and_no_payload() {
    for format in ["text", "json"] {
        let log = format!("[log]\nformat = \"{format}\"\nfilter = \"trace\"");
        let server = Setup::new().config(&log).start();
        let forbidden = use_everything(&server);
        let log = server.process.stderr();
        for text in forbidden {
            let line = log.lines().find(|line| line.contains(&text));
            assert!(line.is_none(), "{text:?} was logged: {line:?}");
        }
    }
}

#[test]
fn each_line_of_a_json_log_is_json_and_standard_output_has_none() {
    let server = json_logs();
    server.open("/app/unknown").frame();
    let closing = server.open(&format!("/app/{}", APP.key)).established(1);
    let id = closing.id.clone();
    closing.close();
    close_of(&server, &id);
    for line in server.process.stderr().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "not JSON: {line}");
    }
    assert!(!server.process.lines_so_far().iter().any(|line| line.contains("connection closed")));
}

#[test]
fn a_key_that_tries_to_forge_a_line_of_the_log_does_not() {
    let server = TestServer::start();
    server.open("/app/x%0Aforged-line%0D%1B[31m?protocol=7").expect_close_code(4001);
    let socket = server.connect();
    let id = socket.id.clone();
    socket.close();
    server.process.log_line("a later close", |line| line.contains(&id).then_some(()));
    let log = server.process.stderr();
    assert!(!log.lines().any(|line| line.starts_with("forged-line")), "{log}");
    assert!(!log.contains("\u{1b}[31m"), "control characters are escaped");
}

/// Number of refused connections logged one by one, and number only counted.
fn refusals_told_of(server: &TestServer) -> (u64, u64) {
    let (mut lines, mut left_out) = (0, 0);
    for line in server.process.stderr().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let fields = &line["fields"];
        lines += u64::from(fields["message"] == "connection refused");
        if fields["message"] == "lines left out" && fields["kind"] == "connection refused" {
            left_out += fields["left_out"].as_u64().expect("a number");
        }
    }
    (lines, left_out)
}

#[test]
fn a_flood_of_refused_connections_is_logged_as_a_few_lines_and_a_count() {
    let server = json_logs();
    let (flood, began) = (600, Instant::now());
    for _ in 0..flood {
        server.open("/app/unknown?protocol=7").expect_close_code(4001);
    }
    let most = 50 * (began.elapsed().as_secs() + 2);
    let lines = eventually("all refusals are told of", || {
        let (lines, left_out) = refusals_told_of(&server);
        (lines + left_out == flood).then_some(lines)
    });
    assert!(lines <= most, "{lines} lines, at most {most}");
    // Lines of other kinds are still logged.
    let socket = server.open(&format!("/app/{}", APP.key)).established(1);
    let id = socket.id.clone();
    socket.close();
    close_of(&server, &id);
}

#[test]
fn what_was_left_out_is_counted_in_the_last_line_of_a_server_that_stops() {
    let server = json_logs();
    for _ in 0..200 {
        server.open("/app/unknown?protocol=7").expect_close_code(4001);
    }
    server.process.signal(Signal::TERM);
    let mut server = server;
    server.process.ended();
    let (lines, left_out) = refusals_told_of(&server);
    assert_eq!(lines + left_out, 200);
}
