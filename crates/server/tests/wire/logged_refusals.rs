//! Reasons of refusals in the log: with app and key, and never with a secret.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use crate::support::admin::Admin;
use crate::support::api::Request;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::stream::Stream;
use crate::support::tls::{Authority, BOTH, Secured};
use crate::support::{APP, OTHER, eventually};

const JSON: &str = "[log]\nformat = \"json\"\n";

/// Waits for a line of a JSON log with this message and these fields; returns the line.
#[track_caller]
fn logged(server: &TestServer, message: &str, fields: &Value) -> Value {
    let wanted = fields.as_object().expect("an object");
    server.process.log_line(&format!("{message} {fields}"), |line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let found = &line["fields"];
        let is_it = found["message"] == message && wanted.iter().all(|(name, value)| found[name] == *value);
        is_it.then(|| line.clone())
    })
}

fn event(bytes: usize) -> String {
    format!(r#"{{"name":"e","channel":"news","data":"{}"}}"#, "x".repeat(bytes))
}

#[test]
fn a_refused_request_is_one_line_with_app_key_status_path_and_reason() {
    let server = Setup::new().config(JSON).app(OTHER, "enabled = false").start();
    let path = "/apps/3/events";
    let post = |body: &str| Request::post(path, body);
    let wrong_signature = post("{}").auth(|auth| auth.signature = Some("ab".repeat(32)));
    let old = post("{}").auth(|auth| auth.timestamp = Some("1".into()));
    let big = format!("/apps/{}/events", APP.id);
    for (request, status, fields) in [
        (wrong_signature, 401, r#"{"app":"3","key":"278d425bdf160c739803"}"#),
        (post("{}").auth(|auth| auth.key = None), 401, r#"{"reason":"Missing parameter: auth_key"}"#),
        (post("{}").by(OTHER), 401, r#"{"key":"otherkey…","reason":"Unknown auth_key"}"#),
        (old, 401, r#"{"app":"3"}"#),
        (
            Request::post("/apps/44/events", event(1)).by(OTHER),
            403,
            r#"{"app":"44","reason":"This app is disabled"}"#,
        ),
        (
            Request::post("/apps/9/events", "{}"),
            404,
            r#"{"app":"9","reason":"There is no app with the id 9"}"#,
        ),
        (post("[]"), 400, r#"{"app":"3","reason":"The request body must be a JSON object"}"#),
        (Request::post(&big, event(20_000)), 413, r#"{"app":"3","method":"POST","path":"/apps/3/events"}"#),
        (Request::get(path), 405, r#"{"app":"3","method":"GET"}"#),
    ] {
        let answer = server.api().send(&request);
        answer.refused(status, "");
        let mut fields: Value = serde_json::from_str(fields).expect("JSON");
        fields["status"] = status.into();
        fields["client"] = "127.0.0.1".into();
        let line = logged(&server, "request refused", &fields);
        assert_eq!((&line["level"], &line["target"]), (&"INFO".into(), &"fanfare::http".into()));
    }
    let log = server.process.stderr();
    assert!(!log.contains("abab") && !log.contains(APP.secret) && !log.contains("auth_signature"), "{log}");
}

#[test]
fn a_secret_that_is_sent_as_the_key_is_not_logged() {
    let server = Setup::new().config(JSON).start();
    let swapped = Request::get("/apps/3/channels").auth(|auth| auth.key = Some(APP.secret.into()));
    server.api().send(&swapped).refused(401, "Unknown auth_key");
    let key = "(the secret of this app: key and secret have changed places)";
    logged(&server, "request refused", &serde_json::json!({ "app": "3", "key": key }));
    assert!(!server.process.stderr().contains(APP.secret));
}

#[test]
fn a_refusal_has_no_database_asked_and_shows_the_beginning_of_a_key_that_may_be_the_secret() {
    let server = Setup::bare().config(JSON).start();
    assert_eq!(server.create_app(&[], &[]).status, 0);
    let swapped = Request::get("/apps/3/events").auth(|auth| auth.key = Some(APP.secret.into()));
    server.api().send(&swapped).refused(405, "");
    logged(&server, "request refused", &serde_json::json!({ "app": "3", "status": 405, "key": "7ad37731…" }));
    assert!(!server.process.stderr().contains(APP.secret));
}

#[test]
fn wherever_a_secret_stands_in_the_keys_place_the_log_has_its_beginning_alone() {
    let server = Setup::new().config(JSON).start();
    let path = |rest: &str| format!("/app/{}{rest}", APP.secret);
    assert_eq!(server.public(&path("")).head.status, 426);
    assert_eq!(server.public(&path("/auth")).head.status, 404);
    server.open(&path("?protocol=7")).expect_close_code(4001);
    server.open(&path("?protocol=99")).expect_close_code(4007);
    let key = "7ad37731…";
    for (message, fields) in [
        ("request refused", serde_json::json!({ "status": 426, "key": key, "path": "/app/7ad37731…" })),
        ("not authorized", serde_json::json!({ "status": 404, "key": key })),
        ("connection refused", serde_json::json!({ "code": 4001, "key": key })),
        ("connection refused", serde_json::json!({ "code": 4007, "key": key })),
    ] {
        logged(&server, message, &fields);
    }
    assert!(!server.process.stderr().contains(APP.secret));
}

#[test]
fn a_signature_that_has_come_into_the_path_is_not_logged() {
    let server = Setup::new().config(JSON).start();
    for path in ["/apps/3/events&auth_signature=abab", "/apps/3/channels%3Fa=b%26auth_signature=abab"] {
        assert_eq!(server.public(path).head.status, 404);
    }
    logged(&server, "request refused", &serde_json::json!({ "path": "/apps/3/events&" }));
    logged(&server, "request refused", &serde_json::json!({ "path": "/apps/3/channels%3Fa=b%26" }));
    assert!(!server.process.stderr().contains("abab"));
}

#[test]
fn a_back_end_that_has_lost_its_way_is_logged_and_a_scanner_is_not() {
    let server = Setup::new().config(JSON).start();
    for path in ["/wp-login.php", "/.env", "/lost/apps/3/events"] {
        assert_eq!(server.public(path).head.status, 404);
    }
    logged(&server, "request refused", &serde_json::json!({ "path": "/lost/apps/3/events", "status": 404 }));
    assert!(!server.process.stderr().contains("wp-login"));
}

#[test]
fn a_plain_request_at_a_websockets_address_is_logged_with_the_key() {
    let server = Setup::new().config(JSON).start();
    assert_eq!(server.public("/app/some-key?protocol=7").head.status, 426);
    logged(&server, "request refused", &serde_json::json!({ "key": "some-key", "status": 426 }));
}

#[test]
fn a_flood_of_refused_requests_is_logged_as_a_few_lines_and_a_count() {
    let server = Setup::new().config(JSON).start();
    let (flood, began) = (400, Instant::now());
    let mut api = server.api_of(OTHER);
    for _ in 0..flood {
        assert_eq!(api.get("/channels", &[]).head.status, 404);
    }
    let most = 50 * (began.elapsed().as_secs() + 2);
    let count = || {
        let (mut lines, mut left_out) = (0, 0);
        for line in server.process.stderr().lines() {
            let fields = serde_json::from_str::<Value>(line).expect("JSON")["fields"].clone();
            lines += u64::from(fields["message"] == "request refused");
            if fields["message"] == "lines left out" && fields["kind"] == "request refused" {
                left_out += fields["left_out"].as_u64().expect("a number");
            }
        }
        (lines + left_out == flood).then_some(lines)
    };
    let lines = eventually("all refusals are told of", count);
    assert!(lines <= most, "{lines} lines, at most {most}");
}

#[test]
fn a_refused_connection_is_logged_with_its_app_and_key() {
    let origins = "allowed_origins = [\"example.com\"]\nmax_connections = 1";
    let server = Setup::bare().app(APP, origins).app(OTHER, "enabled = false").config(JSON).start();
    let path = |app: crate::support::App| format!("/app/{}?protocol=7", app.key);
    let _first = server.connect();
    for (target, code, app, key) in [
        (path(APP), 4004, Some("3"), APP.key),
        (path(OTHER), 4003, Some("44"), OTHER.key),
        ("/app/nobody?protocol=7".to_owned(), 4001, None, "nobody"),
        ("/app/nobody?protocol=99".to_owned(), 4007, None, "nobody"),
    ] {
        server.open(&target).expect_close_code(code);
        let line = logged(&server, "connection refused", &serde_json::json!({ "code": code, "key": key }));
        assert_eq!(line["fields"]["app"].as_str(), app, "{line}");
    }
    let mut foreign = crate::support::upgrade::Upgrade::to(&path(APP))
        .header("Origin", "https://elsewhere.test")
        .open(server.addr)
        .1;
    foreign.expect_close_code(4009);
    let line = logged(&server, "connection refused", &serde_json::json!({ "code": 4009, "app": "3" }));
    assert!(line["fields"]["told"].as_str().is_some_and(|told| told.contains("elsewhere.test")), "{line}");
}

#[test]
fn at_level_debug_a_refused_command_is_logged_with_its_channel_and_reason() {
    let filter = "[log]\nformat = \"json\"\nfilter = \"info,fanfare::connection=debug\"\n";
    let server = Setup::new().config(filter).start();
    let mut socket = server.connect();
    socket.send(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"channel":"private-a","auth":"{}:{}"}}}}"#,
        APP.key,
        "ab".repeat(32)
    ));
    socket.error();
    socket.send(r#"{"event":"pusher:signin","data":{"auth":"x","user_data":"{}"}}"#);
    socket.error();
    socket.client_event("private-b", "client-x", "{}");
    socket.error();
    socket.unsubscribe("news");
    socket.error();
    for fields in [
        r#"{"channel":"private-a","error":"wrong_signature"}"#,
        r#"{"error":"malformed_auth"}"#,
        r#"{"channel":"private-b","error":"client_events_off"}"#,
        r#"{"channel":"news"}"#,
    ] {
        let mut fields: Value = serde_json::from_str(fields).expect("JSON");
        fields["app"] = "3".into();
        fields["socket"] = socket.id.clone().into();
        logged(&server, "command refused", &fields);
    }
}

#[test]
fn a_refused_request_of_an_operator_is_logged_without_the_token() {
    let server = Setup::bare().config(JSON).start();
    Admin::nobody(&server).bearing("fanfare_guessed").get("/v1/apps").refused(401, "wrong-token", &[]);
    let line = logged(&server, "refused", &serde_json::json!({ "peer": "127.0.0.1" }));
    assert_eq!((&line["level"], &line["target"]), (&"INFO".into(), &"fanfare::admin".into()));
    assert!(!server.process.stderr().contains("guessed"));
}

#[test]
fn a_client_that_speaks_tls_to_the_plain_port_is_logged_and_told() {
    let server = TestServer::start();
    for addr in [server.addr, server.admin] {
        let refused = Http::try_over_tls(addr, Authority::new().client(&BOTH)).err();
        assert!(refused.is_some(), "no TLS is spoken there");
        let mut raw = Http::over(Stream::Plain(TcpStream::connect(addr).expect("the server accepts")));
        raw.write(b"\x16\x03\x01\x02\x00\x01");
        assert!(
            raw.until_end().ends_with("This port does not speak TLS: begin with http:// or with ws://.\n")
        );
    }
    let said = "a client speaks TLS on a port that does not";
    server.process.log_line(said, |line| (line.contains(said) && line.contains("127.0.0.1")).then_some(()));
}

#[test]
fn a_client_that_speaks_no_tls_to_the_port_for_it_is_logged() {
    let secured = Secured::start();
    let mut stream = TcpStream::connect(secured.addr()).expect("the server accepts");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the server reads");
    let said = "a client does not speak TLS on the port that does";
    secured.server.process.log_line(said, |line| line.contains(said).then_some(()));
}

#[test]
fn a_client_that_does_not_believe_the_certificate_is_logged() {
    let secured = Secured::start();
    assert!(Http::try_over_tls(secured.addr(), Authority::new().client(&BOTH)).is_err());
    secured.server.process.log_line("the failed handshake", |line| {
        (line.contains("TLS handshake failed") && line.contains("127.0.0.1")).then_some(())
    });
}
