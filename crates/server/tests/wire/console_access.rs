//! Who gets at the operators' listener for how long: apps and tokens that go, sessions that have ended, many at once, other addresses.

use std::net::Ipv4Addr;

use fanfare_testing::postgres::Postgres;
use serde_json::{Value, json};

use crate::console::{Browser, refused, wrong_token};
use crate::support::admin::{Admin, token};
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// A token with all scopes, bound to these apps.
#[track_caller]
fn bound(server: &TestServer, apps: &str) -> String {
    let scopes = "read,write,secrets,publish,payloads,operate";
    let words = ["token", "create", "--name", "tenant", "--scope", scopes, "--app", apps, "--json"];
    let made: Value = serde_json::from_str(&server.commanded(&words)).expect("JSON");
    made["token"].as_str().expect("a text").to_owned()
}

#[test]
fn con_016_a_token_bound_to_a_deleted_app_is_not_good_for_a_new_app_with_its_id() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    let create = |id: &str| admin.post("/v1/apps", &json!({ "id": id }).to_string()).expect(201);
    for id in ["77", "78"] {
        create(id);
    }
    let (alone, both) = (bound(&server, "77"), bound(&server, "77,78"));
    let mut browser = Browser::new(&server);
    assert_eq!(browser.log_in(&json!({ "token": alone })).head.status, 200);
    let [alone, both] = [alone, both].map(|token| Admin::nobody(&server).bearing(&token));
    alone.get("/v1/apps/77/keys?secrets=true").expect(200);

    admin.delete("/v1/apps/77").expect(204);
    create("77");
    alone.get("/v1/apps/77/keys?secrets=true").refused(401, "wrong-token", &[]);
    refused(&browser.get("/v1/apps/77/keys?secrets=true"), 401, "no-session");
    both.get("/v1/apps/77/keys?secrets=true").refused(404, "no-such-app", &[]);
    both.get("/v1/apps/78").expect(200);
    let listed = admin.get("/v1/tokens").expect(200);
    assert_eq!(listed["tokens"][0]["apps"], json!(["78"]), "{listed}");
    assert!(listed["tokens"][1]["revoked_at"].is_string(), "{listed}");
    assert_eq!(listed["tokens"][1]["apps"], json!(["77"]), "{listed}");

    server.commanded(&["app", "delete", "78", "--yes"]);
    both.get("/v1/apps").refused(401, "wrong-token", &[]);
}

#[test]
fn con_084_a_token_is_revoked_by_itself_or_by_one_that_allows_as_much() {
    let server = Setup::bare().start();
    let (reader, full) = (token(&server, "read"), token(&server, "read,write,secrets"));
    let (admin, other) = (Admin::with(&server, "read,write"), Admin::with(&server, "read,write"));
    let answer = admin.delete("/v1/tokens/2");
    answer.refused(403, "scope-missing", &[]);
    let sentence = "Token 2 has the scope secrets, which this token does not have: revoke it with one that has, or by \
                    `fanfare token revoke 2` on the server";
    assert_eq!(answer.json["detail"], sentence);
    Admin::nobody(&server).bearing(&full).get("/v1/apps").expect(200);
    for number in ["1", "4"] {
        admin.delete(&format!("/v1/tokens/{number}")).expect(204);
    }
    for revoked in [&Admin::nobody(&server).bearing(&reader), &other] {
        revoked.get("/v1/apps").refused(401, "wrong-token", &[]);
    }
    admin.delete("/v1/tokens/3").expect(204);
    admin.get("/v1/apps").refused(401, "wrong-token", &[]);
    Admin::nobody(&server).bearing(&full).get("/v1/tokens").expect(200);
}

#[test]
fn con_084_a_new_token_ends_no_later_than_the_one_that_makes_it() {
    let server = Setup::bare().start();
    let day =
        ["token", "create", "--name", "day", "--scope", "read,write", "--expires-in-days", "1", "--json"];
    let day: Value = serde_json::from_str(&server.commanded(&day)).expect("JSON");
    let admin = Admin::nobody(&server).bearing(day["token"].as_str().expect("a text"));
    let end = &admin.get("/v1/tokens").expect(200)["tokens"][0]["expires_at"];
    for more in ["", r#","expires_in":null"#, r#","expires_in":864000"#] {
        let made =
            admin.post("/v1/tokens", &format!(r#"{{"name":"n","scopes":["read"]{more}}}"#)).expect(201);
        assert_eq!(&made["expires_at"], end, "{more}");
    }
    let made = admin.post("/v1/tokens", r#"{"name":"n","scopes":["read"],"expires_in":60}"#).expect(201);
    assert!(made["expires_at"].as_str() < end.as_str(), "{made}");
}

#[test]
fn con_018_and_con_038_what_cannot_be_noted_in_the_audit_log_is_not_shown() {
    let postgres = Postgres::start();
    let server = Setup::bare().env("DATABASE_URL", &postgres.url()).start();
    let scopes = ["token", "create", "--name", "n", "--scope", "read,write,secrets,payloads", "--json"];
    let made = crate::support::setup::run(
        crate::support::setup::binary(server.folder()).args(scopes).env("DATABASE_URL", postgres.url()),
    );
    let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let admin = Admin::nobody(&server).bearing(made["token"].as_str().expect("a text"));
    let app = admin.post("/v1/apps", r#"{"id":"1001"}"#).expect(201);
    let secret = app["keys"][0]["secret"].as_str().expect("a secret");
    postgres.run("ALTER TABLE admin_audit RENAME TO away");
    for path in
        ["/v1/apps/1001/keys?secrets=true", "/v1/apps/1001/connect?secrets=true", "/v1/apps/1001/live"]
    {
        let answer = admin.get(path);
        answer.refused(503, "database-away", &[]);
        assert_eq!(
            answer.json["detail"],
            "The audit log cannot be written, and this is shown to nobody without an entry there"
        );
        assert!(!answer.answer.body.contains(secret), "{path}");
    }
    admin.get("/v1/apps/1001/keys").expect(200);
    postgres.run("ALTER TABLE away RENAME TO admin_audit");
    let keys = admin.get("/v1/apps/1001/keys?secrets=true").expect(200);
    assert_eq!(keys["keys"][0]["secret"], secret);
}

#[test]
fn con_011_a_session_that_has_ended_keeps_nobody_out_and_what_was_never_one_counts() {
    let server = Setup::bare().start();
    let token = token(&server, "read");
    let mut browser = Browser::new(&server);
    browser.log_in(&json!({ "token": token }));
    browser.send("DELETE", "/v1/session", "");
    for _ in 0..25 {
        refused(&browser.get("/v1/apps"), 401, "no-session");
    }
    Admin::nobody(&server).bearing(&token).get("/v1/apps").expect(200);
    assert_eq!(browser.log_in(&json!({ "token": token })).head.status, 200);
    browser.cookie = Some("fanfare_session=guess".to_owned());
    for wrong in 1..=20 {
        let answer = browser.get("/v1/apps");
        refused(&answer, 401, "no-session");
        let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!((&problem["wrong"], &problem["allowed"]), (&json!(wrong), &json!(20)), "{problem}");
    }
    refused(&browser.get("/v1/apps"), 429, "too-many-wrong-tokens");
}

#[test]
fn con_011_many_logins_at_once_are_no_more_guesses_than_one_after_the_other() {
    let server = Setup::bare().start();
    let body = wrong_token().to_string();
    let (most, last) = body.split_at(body.len() - 1);
    let head =
        format!("POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let from = Ipv4Addr::new(127, 0, 0, 3).into();
    let mut logins: Vec<Http> = (0..60).map(|_| Http::connect_from(from, server.admin)).collect();
    for login in &mut logins {
        login.write(format!("{head}{most}").as_bytes());
    }
    for login in &mut logins {
        login.write(last.as_bytes());
    }
    let mut statuses: Vec<u16> = logins.iter_mut().map(|login| login.answer().head.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[401; 20].as_slice(), [429; 40].as_slice()].concat());
    Browser::logged_in(&server, "read");
}

/// At this address, as a browser says it.
fn at(browser: &mut Browser, host: &str, origin: &str) {
    browser.headers = format!("Host: {host}\r\nSec-Fetch-Site: same-origin\r\nOrigin: {origin}\r\n");
}

#[test]
fn con_008_two_consoles_on_one_host_let_each_others_sessions_be() {
    let servers = [Setup::bare().start(), Setup::bare().start()];
    let mut browsers = [0, 1].map(|which: usize| {
        let mut browser = Browser::new(&servers[which]);
        let host = format!("localhost:{}", servers[which].admin.port());
        at(&mut browser, &host, &format!("http://{host}"));
        browser
    });
    // One jar of cookies, as browsers have one for all ports of a host.
    let mut jar: Vec<String> = Vec::new();
    for (browser, server) in browsers.iter_mut().zip(&servers) {
        browser.cookie = (!jar.is_empty()).then(|| jar.join("; "));
        assert_eq!(browser.log_in(&json!({ "token": token(server, "read") })).head.status, 200);
        jar.push(browser.cookie.clone().expect("it is set"));
    }
    let names: Vec<&str> = jar.iter().filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    assert_eq!(names, ["fanfare_session", &format!("fanfare_session_{}", servers[1].admin.port())]);
    for browser in &mut browsers {
        browser.cookie = Some(jar.join("; "));
        assert_eq!(browser.get("/v1/apps").head.status, 200);
    }
    let out = browsers[1].send("DELETE", "/v1/session", "");
    let taken = out.head.header("set-cookie").expect("a cookie");
    assert!(taken.starts_with(&format!("{}=;", names[1])), "{taken}");
    assert_eq!(browsers[0].get("/v1/apps").head.status, 200);
}

#[test]
fn con_009_the_port_of_a_pages_scheme_may_stand_or_not_and_a_proxys_fault_is_named() {
    let server = Setup::bare().config("[console]\nhosts = [\"ops.example.com\"]").start();
    let mut browser = Browser::new(&server);
    let with = json!({ "token": token(&server, "read") });
    for (host, origin) in [
        ("ops.example.com:443", "https://ops.example.com"),
        ("ops.example.com", "https://ops.example.com:443"),
        ("ops.example.com", "https://ops.example.com"),
        ("ops.example.com:80", "http://ops.example.com"),
        ("ops.example.com:18443", "https://ops.example.com:18443"),
    ] {
        at(&mut browser, host, origin);
        assert_eq!(browser.log_in(&with).head.status, 200, "{host} {origin}");
    }
    for (host, origin) in [
        ("ops.example.com:80", "https://ops.example.com"),
        ("ops.example.com:443", "http://ops.example.com"),
        ("ops.example.com", "https://ops.example.com:4433"),
        ("ops.example.com:4433", "https://ops.example.com"),
    ] {
        at(&mut browser, host, origin);
        refused(&browser.log_in(&with), 403, "csrf");
    }
    at(&mut browser, "ops.example.com", "https://ops.example.com:18443");
    let answer = browser.log_in(&with);
    refused(&answer, 403, "csrf");
    let sentence = "The address of the page (ops.example.com:18443) is not the Host that arrives (ops.example.com): let the \
                    proxy pass on Host with its port ($http_host in nginx)";
    assert!(answer.body.contains(sentence), "{}", answer.body);
}

#[test]
fn con_010_an_empty_host_gets_nothing_and_con_013_the_description_is_not_kept() {
    let server = Setup::bare().start();
    let mut browser = Browser::new(&server);
    for host in ["", ":9600"] {
        browser.headers = format!("Host: {host}\r\n");
        refused(&browser.get("/console/"), 421, "unknown-host");
    }
    let description = Browser::new(&server).get("/v1/openapi.json");
    assert_eq!((description.head.status, description.head.header("cache-control")), (200, Some("no-store")));
}
