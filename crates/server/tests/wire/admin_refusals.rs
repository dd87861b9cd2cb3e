//! Refusals of the administration API, and their sentences.

use serde_json::json;

use crate::support::admin::Admin;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};

/// A server that keeps its apps in SQLite with one app, and an operator with every scope.
fn start() -> (TestServer, Admin) {
    let server = Setup::bare().config("[timeouts]\nhandshake = 1").start();
    let admin = Admin::with(&server, "read,write,secrets");
    let app = json!({"id": APP.id, "key": APP.key, "secret": APP.secret});
    admin.post("/v1/apps", &app.to_string()).expect(201);
    (server, admin)
}

#[test]
fn every_fault_of_a_new_app_is_in_one_answer_and_nothing_is_made() {
    let (_server, admin) = start();
    let body = json!({
        "id": APP.id, "name": 5, "key": "a:b", "secret": "not a secret", "zzz": 1,
        "settings": {"client_event": true, "limits": {"batch": 0}},
    });
    admin.post("/v1/apps?page=2", &body.to_string()).refused(
        422,
        "faults",
        &[
            "unknown query parameter page; there are none here",
            "name is not a text",
            "unknown field zzz; there are id, name, key, secret, enabled, settings",
            "id 3 is taken",
            "key \"a:b\" is not made of 1 to 128 of the characters A-Z a-z 0-9 _ -",
            "secret is not made of 1 to 128 of the characters A-Z a-z 0-9 _ -",
            "unknown setting client_event; did you mean client_events?",
            "batch is 0; it must be from 1 to 10000",
        ],
    );
    assert_eq!(admin.get("/v1/apps").expect(200)["apps"].as_array().map(Vec::len), Some(2), "and the first");
}

#[test]
fn an_id_or_a_key_that_belongs_to_somebody_is_a_conflict() {
    let (_server, admin) = start();
    admin.post("/v1/apps", r#"{"id":"3"}"#).refused(409, "taken", &["id 3 is taken"]);
    let key = json!({"key": APP.key});
    let fault = format!("key {} belongs to app 3, or did", APP.key);
    admin.post("/v1/apps", &key.to_string()).refused(409, "taken", &[&fault]);
    let both = json!({"id": "3", "key": APP.key});
    admin.post("/v1/apps", &both.to_string()).refused(409, "taken", &["id 3 is taken", &fault]);
}

#[test]
fn every_fault_of_a_change_is_in_one_answer_and_nothing_is_changed() {
    let (_server, admin) = start();
    let before = admin.get("/v1/apps/3").expect(200);
    let body = r#"{"id":"4","name":null,"enabled":1,"settings":{"zzz":null,"limits":{"batch":"many"}}}"#;
    admin.patch("/v1/apps/3", body).refused(
        422,
        "faults",
        &[
            "name is not a text",
            "enabled is not true or false",
            "unknown field id; there are name, enabled, settings",
            "limits.batch: invalid type: string \"many\", expected a whole number",
            "unknown setting zzz; config/default.toml lists those of an app",
        ],
    );
    admin.post("/v1/apps/3/keys", r#"{"key":"mine"}"#).refused(
        422,
        "faults",
        &["unknown field key; there are none here"],
    );
    assert_eq!(admin.get("/v1/apps/3").expect(200), before);
}

#[test]
fn every_fault_of_a_query_is_in_one_answer() {
    let (_server, admin) = start();
    admin.get("/v1/apps?limit=1001&after=x%20y&page=2").refused(
        400,
        "faulty-query",
        &[
            "unknown query parameter page; there are q, after, limit",
            "after is not an app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -",
            "limit is not a number from 1 to 1000",
        ],
    );
    admin.get("/v1/apps/3/keys?secrets=yes&x=1").refused(
        400,
        "faulty-query",
        &["unknown query parameter x; there are secrets", "secrets is neither true nor false"],
    );
    let unknown = ["unknown query parameter secrets; there are none here"];
    admin.get("/v1/apps/3?secrets=true").refused(400, "faulty-query", &unknown);
    admin.delete("/v1/apps/3?secrets=true").refused(400, "faulty-query", &unknown);
    admin.delete("/v1/apps/3/keys/k?secrets=true").refused(400, "faulty-query", &unknown);
    admin.get("/v1/apps/3").expect(200);
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let (_server, admin) = start();
    for body in ["{", "[]", "null", "\"text\"", "{} {}", r#"{"name":"a"} x"#] {
        for reply in [
            admin.post("/v1/apps", body),
            admin.patch("/v1/apps/3", body),
            admin.post("/v1/apps/3/keys", body),
        ] {
            reply.refused(400, "not-json", &[]);
        }
    }
}

#[test]
fn a_body_over_64_kib_is_refused_and_one_of_64_kib_is_read() {
    let (_server, admin) = start();
    let body = r#"{"name":"large"}"#;
    let largest = format!("{body}{}", " ".repeat(64 * 1024 - body.len()));
    admin.patch("/v1/apps/3", &largest).expect(200);
    let reply = admin.patch("/v1/apps/3", &format!("{largest} "));
    reply.refused(413, "body-too-large", &[]);
    assert_eq!(reply.header("connection"), Some("close"));
    let huge = admin.head("POST", "/v1/apps", "Content-Length: 9223372036854775807\r\n");
    admin.send_bytes("POST", "/v1/apps", &huge).refused(413, "body-too-large", &[]);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let (_server, admin) = start();
    let head = admin.head("POST", "/v1/apps", "Content-Length: 10\r\n");
    admin.send_bytes("POST", "/v1/apps", &format!("{head}{{")).refused(408, "body-late", &[]);
}

#[test]
fn what_is_not_there_is_404() {
    let (_server, admin) = start();
    for reply in [
        admin.get("/v1/apps/44"),
        admin.patch("/v1/apps/44", "{}"),
        admin.delete("/v1/apps/44"),
        admin.get("/v1/apps/44/keys"),
        admin.post("/v1/apps/44/keys", ""),
        admin.delete("/v1/apps/44/keys/k"),
    ] {
        reply.refused(404, "no-such-app", &[]);
        assert_eq!(reply.json["detail"], "there is no app 44");
    }
    admin.delete(&format!("/v1/apps/3/keys/{}", OTHER.key)).refused(404, "no-such-key", &[]);
    for path in ["/v1", "/v1/apps/", "/v1/apps/3/secrets", "/v2/apps"] {
        admin.get(path).refused(404, "no-such-path", &[]);
    }
    let long = admin.get(&format!("/v1/apps/{}", "9".repeat(2000)));
    long.refused(404, "no-such-app", &[]);
    assert!(long.answer.body.len() < 1000, "what came is not repeated at length");
}

#[test]
fn another_method_is_405_and_is_told_which_are_right() {
    let (_server, admin) = start();
    for (method, path, allowed) in [
        ("POST", "/up", "GET, HEAD"),
        ("DELETE", "/ready", "GET, HEAD"),
        ("PUT", "/metrics", "GET, HEAD"),
        ("POST", "/v1/openapi.json", "GET, HEAD"),
        ("DELETE", "/v1/apps", "GET, HEAD, POST"),
        ("PUT", "/v1/apps/3", "GET, HEAD, PATCH, DELETE"),
        ("PATCH", "/v1/apps/3/keys", "GET, HEAD, POST"),
        ("GET", "/v1/apps/3/keys/k", "DELETE"),
    ] {
        let reply = admin.send(method, path, "");
        reply.refused(405, "method-not-allowed", &[]);
        assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
    }
}

#[test]
fn the_api_is_on_the_operators_listener_alone() {
    let (server, _admin) = start();
    for path in ["/v1/apps", "/v1/openapi.json"] {
        server.public(path).refused(404, "");
    }
    let document = server.admin("/v1/openapi.json");
    assert_eq!(document.head.status, 200);
    assert!(document.body.contains("\"openapi\": \"3.1.0\""));
}

#[test]
fn requests_of_a_kept_connection_are_answered_one_after_another() {
    let (server, admin) = start();
    let mut http = Http::connect(server.admin);
    let body = r#"{"name":"a"}"#;
    let length = format!("Content-Length: {}\r\n", body.len());
    let requests = [
        admin.head("GET", "/v1/apps/3", ""),
        admin.head("PATCH", "/v1/apps/3", &length) + body,
        admin.head("PATCH", "/v1/apps/4", &length) + body,
        admin.head("GET", "/up", ""),
    ];
    http.write(requests.concat().as_bytes());
    let statuses: Vec<u16> = requests.iter().map(|_| http.answer().head.status).collect();
    assert_eq!(statuses, [200, 200, 404, 200]);
}
