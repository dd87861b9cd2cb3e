//! The doctor of a running server, over the administration API: a line for each hop (CON-056, CON-057).

use serde_json::{Value, json};

use crate::redis_feed::PREFIX;
use crate::support::admin::{Admin, token};
use crate::support::application::Application;
use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};
use fanfare_testing::redis::Redis;

const DOCTOR: &str = "/v1/apps/3/doctor";
const OF_NODE: &str = "/v1/doctor";
const DATABASE: &str = "[apps]\ndatabase = \"sqlite\"\n";

/// A run that has begun.
fn begin(server: &TestServer, token: &str, path: &str, body: &str) -> Http {
    let admin = Admin::nobody(server).bearing(token);
    let length = body.len();
    let head = admin.head("POST", path, &format!("Content-Length: {length}\r\n"));
    let mut http = Http::connect(server.admin);
    http.write(format!("{head}{body}").as_bytes());
    http
}

/// The hops of an answer, a line each.
#[track_caller]
fn hops(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.head.status, 200, "{answer:?}");
    assert_eq!(answer.head.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    let hop = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    let hops: Vec<Value> = answer.body.lines().map(hop).collect();
    for hop in &hops {
        assert!(hop["hop"].is_string() && hop["what"].as_str().is_some_and(|what| !what.is_empty()), "{hop}");
        assert_eq!(hop["mend"].is_string(), hop["outcome"] == "failed", "{hop}");
    }
    hops
}

#[track_caller]
fn outcome<'a>(hops: &'a [Value], name: &str) -> &'a Value {
    hops.iter().find(|hop| hop["hop"] == name).map_or(&Value::Null, |hop| &hop["outcome"])
}

#[test]
fn con_056_the_hops_of_an_app_come_as_lines_and_con_019_hold_no_secret() {
    let server = Setup::bare().config(DATABASE).app(APP, "").app(OTHER, "enabled = false").start();
    let token = token(&server, "read");
    let answer = begin(&server, &token, DOCTOR, "").answer();
    let found = hops(&answer);
    for hop in
        ["TCP", "WebSocket upgrade", "app key", "signature", "clock", "publish and receive", "HTTP fallback"]
    {
        assert_eq!(outcome(&found, hop), "passed", "{hop} in {found:#?}");
    }
    assert_eq!(outcome(&found, "file descriptors"), "noted");
    assert_eq!(outcome(&found, "Redis"), "skipped");
    assert!(!answer.body.contains(" --"), "options of a command are no help here: {}", answer.body);
    let disabled = begin(&server, &token, "/v1/apps/44/doctor", "").answer();
    assert_eq!(outcome(&hops(&disabled), "app key"), "failed");
    let node = begin(&server, &token, OF_NODE, "").answer();
    assert_eq!(
        (outcome(&hops(&node), "TCP"), outcome(&hops(&node), "app key")),
        (&json!("passed"), &Value::Null)
    );
    for answer in [answer, disabled, node] {
        for hidden in [APP.secret, OTHER.secret, &token, "auth_signature"] {
            assert!(!answer.body.contains(hidden), "{hidden} is in {answer:?}");
        }
    }
}

#[test]
fn con_056_hops_come_as_they_end_and_an_app_is_examined_once_at_a_time() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"\n", redis.url());
    let server = Setup::bare().config(&format!("{DATABASE}{feed}")).app(APP, "").start();
    let token = token(&server, "read");
    let mut first = begin(&server, &token, DOCTOR, "");
    assert_eq!(first.head().status, 200);
    let line = String::from_utf8(first.chunk()).expect("UTF-8");
    assert!(line.contains("\"TCP\"") && line.ends_with('\n'), "{line}");
    // The run still listens to Redis, which takes seconds.
    let admin = Admin::nobody(&server).bearing(&token);
    admin.post(DOCTOR, "").refused(429, "too-many-examinations", &[]);
    let mut rest = line;
    while let chunk @ [_, ..] = &*first.chunk() {
        rest.push_str(std::str::from_utf8(chunk).expect("UTF-8"));
    }
    assert!(rest.contains("\"Redis prefix\""), "{rest}");
    let mut again = begin(&server, &token, DOCTOR, "");
    assert_eq!(again.head().status, 200);
}

#[test]
fn con_056_nothing_tells_who_reads_an_answer_to_use_an_option_of_the_command_line() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"\n", redis.url());
    let body = r#"{"channel":"private-orders"}"#;
    let mut seen = String::new();
    for (status, answer) in [(401, ""), (403, "no"), (302, ""), (200, "<html>")] {
        let application = Application::saying(status, answer);
        let with_feed = if status == 401 { &*feed } else { "" };
        let setup = Setup::bare().config(&format!("{DATABASE}{with_feed}"));
        let server = setup.app(APP, &application.settings()).start();
        let token = token(&server, "read");
        for (path, body) in [(DOCTOR, body), (DOCTOR, ""), (OF_NODE, "")] {
            seen += &begin(&server, &token, path, body).answer().body;
        }
    }
    for expected in [
        "the node alone is examined",
        "set redis_feed.url of the app or of the server",
        "no channel is named: name one",
        "nothing was broadcast in 3 s: have the application broadcast something while the doctor runs",
        "without the cookie of a user",
    ] {
        assert!(seen.contains(expected), "{expected} in {seen}");
    }
    assert!(!seen.contains("--"), "{seen}");
}

#[test]
fn con_057_the_application_is_asked_where_the_settings_say_and_within_allow_private() {
    let application = Application::saying(200, r#"{"auth":"x"}"#);
    for (config, asked) in [("", 1), ("allow_private = false\n", 1)] {
        let server =
            Setup::bare().config(&format!("{DATABASE}{config}")).app(APP, &application.settings()).start();
        let token = token(&server, "read");
        let answer = begin(&server, &token, DOCTOR, r#"{"channel":"private-orders"}"#).answer();
        let found = hops(&answer);
        let hop = found.iter().find(|hop| hop["hop"] == "authorization").expect("the hop");
        assert_eq!(hop["outcome"], "failed", "{hop}");
        let is_kept = hop["what"].as_str().is_some_and(|what| what.contains("not a public address"));
        assert_eq!(is_kept, !config.is_empty(), "{hop}");
        application.expect_questions(asked);
        let admin = Admin::nobody(&server).bearing(&token);
        for (path, body, fault) in [
            (DOCTOR, r#"{"url":"http://127.0.0.1"}"#, "unknown field url; there is channel"),
            (DOCTOR, r#"{"channel":"a b"}"#, "channel is not the name of a channel"),
            (OF_NODE, r#"{"channel":"a"}"#, "channel: only an app's application can be asked"),
        ] {
            let refused = admin.post(path, body);
            assert_eq!(refused.answer.head.status, 422, "{refused:?}");
            assert_eq!(refused.json["faults"].as_array().map(Vec::len), Some(1), "{fault}: {refused:?}");
        }
    }
}

#[test]
fn con_086_a_bound_token_examines_its_own_app_and_is_told_nothing_of_the_node() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"\napp = \"3\"\n", redis.url());
    let server = Setup::bare().config(&feed).start();
    let made = json!({"id": APP.id, "key": APP.key, "secret": APP.secret}).to_string();
    Admin::with(&server, "write").post("/v1/apps", &made).expect(201);
    server.expect_app_known();
    let made =
        server.commanded(&["token", "create", "--name", "t", "--scope", "read", "--app", APP.id, "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let bound = made["token"].as_str().expect("a token");
    let found = hops(&begin(&server, bound, DOCTOR, "").answer());
    assert_eq!(outcome(&found, "publish and receive"), "passed");
    assert_eq!(outcome(&found, "Redis"), "skipped", "the Redis is the node's");
    let all = hops(&begin(&server, &token(&server, "read"), DOCTOR, "").answer());
    assert_eq!(outcome(&all, "Redis"), "passed");
    assert_eq!(outcome(&found, "file descriptors"), &Value::Null);
    let tenant = Admin::nobody(&server).bearing(bound);
    tenant.post(OF_NODE, "").refused(403, "not-for-bound-tokens", &[]);
    tenant.post("/v1/apps/44/doctor", "").refused(404, "no-such-app", &[]);
    let writer = Admin::with(&server, "write,publish");
    for path in [DOCTOR, OF_NODE] {
        writer.post(path, "").refused(403, "scope-missing", &[]);
    }
}

#[test]
fn con_056_an_app_that_may_have_one_connection_is_examined_without_a_refusal() {
    let server = Setup::bare().config(DATABASE).app(APP, "max_connections = 1").start();
    let admin = Admin::with(&server, "read");
    let token = token(&server, "read");
    let found = hops(&begin(&server, &token, DOCTOR, "").answer());
    for hop in ["app key", "publish and receive", "HTTP fallback"] {
        assert_eq!(outcome(&found, hop), "passed", "{hop} in {found:#?}");
    }
    assert_eq!(admin.get("/v1/apps/3/refusals").expect(200)["refusals"], json!([]));
}
