//! The console: its files, and how browsers log in and out of the operators' listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::support::admin::{Admin, token};
use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// What a browser sends of itself with a request of the console's own page.
pub const OWN_PAGE: &str = "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n";

/// A browser, as the server sees one.
pub struct Browser {
    pub addr: SocketAddr,
    pub from: IpAddr,
    /// Headers of every request, each with its line break.
    pub headers: String,
    /// `name=value`.
    pub cookie: Option<String>,
    pub csrf_token: String,
}

impl Browser {
    pub fn new(server: &TestServer) -> Self {
        let from = Ipv4Addr::LOCALHOST.into();
        Self {
            addr: server.admin,
            from,
            headers: OWN_PAGE.to_owned(),
            cookie: None,
            csrf_token: String::new(),
        }
    }

    /// Logged in with a new token of these scopes.
    #[track_caller]
    pub fn logged_in(server: &TestServer, scopes: &str) -> Self {
        let mut browser = Self::new(server);
        let answer = browser.log_in(&json!({ "token": token(server, scopes) }));
        assert_eq!(answer.head.status, 200, "{answer:?}");
        browser
    }

    /// Sends a login, and keeps what the answer sets.
    #[track_caller]
    pub fn log_in(&mut self, with: &Value) -> Answer {
        let answer = self.send("POST", "/v1/session", &with.to_string());
        if answer.head.status == 200 {
            let set = answer.head.header("set-cookie").expect("a cookie");
            self.cookie = Some(set.split(';').next().expect("name and value").to_owned());
            let session: Value = serde_json::from_str(&answer.body).expect("JSON");
            self.csrf_token = session["csrf_token"].as_str().expect("a text").to_owned();
        }
        answer
    }

    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let cookie =
            self.cookie.as_ref().map_or_else(String::new, |cookie| format!("Cookie: a=b; {cookie}\r\n"));
        let csrf = match &*self.csrf_token {
            "" => String::new(),
            token => format!("X-CSRF-Token: {token}\r\n"),
        };
        let host = if self.headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        let (headers, length) = (&self.headers, body.len());
        let mut http = Http::connect_from(self.from, self.addr);
        http.write(
            format!("{method} {path} HTTP/1.1\r\n{host}{headers}{cookie}{csrf}Content-Length: {length}\r\n\r\n{body}")
                .as_bytes(),
        );
        http.answer()
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }
}

#[track_caller]
pub fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.head.status, status, "{answer:?}");
    let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(problem["type"], format!("urn:fanfare:problem:{kind}"));
}

pub fn wrong_token() -> Value {
    json!({ "token": format!("fanfare_{}", "0".repeat(64)) })
}

#[test]
fn con_001_con_012_and_con_013_the_files_are_served_protected_and_only_to_operators() {
    let server = Setup::bare().start();
    let browser = Browser::new(&server);
    for path in ["/", "/console"] {
        let answer = browser.get(path);
        assert_eq!((answer.head.status, answer.head.header("location")), (303, Some("/console/")), "{path}");
    }
    let page = browser.get("/console/");
    assert_eq!(page.head.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    let tag = page.head.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"'), "a strong one: {tag}");
    let mut again = Browser::new(&server);
    again.headers = format!("If-None-Match: {tag}\r\n");
    let missing = browser.get("/console/../Cargo.toml");
    let known = again.get("/console/");
    let posted = browser.send("POST", "/console/", "");
    assert_eq!([&page, &known, &missing, &posted].map(|answer| answer.head.status), [200, 304, 404, 405]);
    for answer in [page, known, missing, posted] {
        let header = |name| answer.head.header(name).unwrap_or_else(|| panic!("{name}: {answer:?}"));
        let policy = header("content-security-policy");
        for part in
            ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "trusted-types 'none'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert!(header("permissions-policy").ends_with("clipboard-read=(), clipboard-write=(self)"));
    }
    assert_eq!(
        browser.get("/console/style.css").head.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    let script = browser.get("/console/main.js");
    assert_eq!(script.head.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.head.header("cache-control"), Some("no-cache"));
    assert_eq!(Http::connect(server.addr).get("/console/").head.status, 404, "not for clients");
}

#[test]
fn con_002_switched_off_there_is_no_console_and_no_session() {
    let server = Setup::bare().config("[console]\nenabled = false").start();
    let mut browser = Browser::new(&server);
    for path in ["/", "/console", "/console/", "/console/main.js"] {
        assert_eq!(browser.get(path).head.status, 404, "{path}");
    }
    refused(&browser.log_in(&json!({ "token": token(&server, "read") })), 404, "no-such-path");
    refused(&browser.get("/v1/session"), 404, "no-such-path");
    Admin::with(&server, "read").get("/v1/apps").expect(200);
}

#[test]
fn con_002_switched_off_a_session_of_before_is_good_for_nothing() {
    let server = Setup::bare().start();
    let before = Browser::logged_in(&server, "read");
    let folder = server.killed();
    let server = Setup::bare().config("[console]\nenabled = false").in_folder(folder).start();
    let now = Browser { addr: server.admin, ..before };
    refused(&now.get("/v1/apps"), 401, "no-token");
}

#[test]
fn con_005_a_token_is_posted_once_and_its_cookie_stands_for_it_from_then_on() {
    let server = Setup::bare().start();
    let token = token(&server, "read,write");
    let mut browser = Browser::new(&server);
    refused(&browser.get("/v1/apps"), 401, "no-token");
    let answer = browser.log_in(&json!({ "token": token }));
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    assert!(
        !answer.body.contains(&token) && !answer.body.contains(browser.cookie.as_deref().expect("it is set"))
    );
    let set = answer.head.header("set-cookie").expect("a cookie");
    let (pair, flags) = set.split_once(';').expect("flags");
    assert!(pair.starts_with("fanfare_session=") && pair.len() == 16 + 64, "{set}");
    assert_eq!(flags, " HttpOnly; SameSite=Strict; Path=/");
    let session: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(session["name"], "test");
    assert_eq!(session["token"], 1);
    assert_eq!(session["scopes"], json!(["read", "write"]));
    assert_eq!(session["apps"], Value::Null);
    let again: Value = serde_json::from_str(&browser.get("/v1/session").body).expect("JSON");
    assert_eq!((&again["csrf_token"], &again["ends_at"]), (&session["csrf_token"], &session["ends_at"]));
    assert_eq!(browser.get("/v1/apps").head.status, 200);
    assert_eq!(browser.send("POST", "/v1/apps", r#"{"id":"7"}"#).head.status, 201);
    refused(&browser.get("/v1/apps/7/keys?secrets=true"), 403, "scope-missing");

    let out = browser.send("DELETE", "/v1/session", "");
    assert_eq!(out.head.status, 204);
    assert!(out.head.header("set-cookie").is_some_and(|set| set.contains("fanfare_session=;")), "{out:?}");
    refused(&browser.get("/v1/apps"), 401, "no-session");
    Admin::nobody(&server).bearing(&token).get("/v1/apps").expect(200);
    // A bearer may ask as well who the bearer is, and needs no text of a session.
    let bearer = Admin::nobody(&server).bearing(&token).get("/v1/session").expect(200);
    assert_eq!((&bearer["name"], &bearer["csrf_token"]), (&json!("test"), &Value::Null));
}

#[test]
fn con_007_a_session_ends_at_once_when_its_token_is_revoked() {
    let server = Setup::bare().start();
    let browser = Browser::logged_in(&server, "read");
    assert_eq!(browser.get("/v1/apps").head.status, 200);
    server.commanded(&["token", "revoke", "1"]);
    refused(&browser.get("/v1/apps"), 401, "no-session");
}

#[test]
fn con_008_over_tls_the_cookie_is_for_this_host_and_tls_alone_and_the_other_is_not_taken() {
    let server = Setup::bare().start();
    let token = token(&server, "read");
    let mut browser = Browser::new(&server);
    browser.headers.push_str("X-Forwarded-Proto: https\r\n");
    let answer = browser.log_in(&json!({ "token": token }));
    let set = answer.head.header("set-cookie").expect("a cookie");
    assert!(set.starts_with("__Host-fanfare=") && set.ends_with("; Path=/; Secure"), "{set}");
    assert_eq!(browser.get("/v1/apps").head.status, 200);
    // The name that anybody on the way can set.
    browser.cookie = browser.cookie.map(|cookie| cookie.replace("__Host-fanfare", "fanfare_session"));
    refused(&browser.get("/v1/apps"), 401, "no-token");
}

#[test]
fn con_008_over_plain_http_only_this_machine_logs_in_unless_that_is_configured() {
    let server = Setup::bare().start();
    let mut elsewhere = Browser::new(&server);
    elsewhere.headers.push_str("X-Forwarded-For: 192.0.2.7\r\n");
    let token_text = token(&server, "read");
    let answer = elsewhere.log_in(&json!({ "token": token_text }));
    refused(&answer, 403, "plain-http");
    assert!(answer.body.contains("console.plain_http"), "{}", answer.body);
    elsewhere.headers.push_str("X-Forwarded-Proto: https\r\n");
    assert_eq!(elsewhere.log_in(&json!({ "token": token_text })).head.status, 200);

    let server = Setup::bare().config("[console]\nplain_http = true").start();
    let mut elsewhere = Browser::new(&server);
    elsewhere.headers.push_str("X-Forwarded-For: 192.0.2.7\r\n");
    assert_eq!(elsewhere.log_in(&json!({ "token": token(&server, "read") })).head.status, 200);
}

#[test]
fn con_009_a_change_by_a_cookie_needs_the_sessions_text_and_the_consoles_own_page() {
    let server = Setup::bare().start();
    let mut browser = Browser::logged_in(&server, "read,write");
    let (text, create) = (browser.csrf_token.clone(), r#"{"name":"x"}"#);
    let apps = |browser: &Browser| {
        let apps: Value = serde_json::from_str(&browser.get("/v1/apps").body).expect("JSON");
        apps["apps"].as_array().map(Vec::len).expect("apps")
    };
    let before = apps(&browser);
    for wrong in ["", "0", &text[1..]] {
        browser.csrf_token = wrong.to_owned();
        refused(&browser.send("POST", "/v1/apps", create), 403, "csrf");
    }
    browser.csrf_token = text;
    for headers in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: none\r\n",
        "Origin: http://evil.test\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost:8000\r\n",
    ] {
        browser.headers = headers.to_owned();
        refused(&browser.send("POST", "/v1/apps", create), 403, "csrf");
        refused(&browser.send("DELETE", "/v1/session", ""), 403, "csrf");
        refused(&browser.log_in(&wrong_token()), 403, "csrf");
    }
    for headers in ["Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n"] {
        browser.headers = headers.to_owned();
        refused(&browser.get("/v1/apps"), 403, "cross-site");
    }
    for headers in ["", "Sec-Fetch-Site: none\r\n", OWN_PAGE] {
        browser.headers = headers.to_owned();
        assert_eq!(browser.get("/v1/apps").head.status, 200, "{headers}");
    }
    assert_eq!(browser.send("POST", "/v1/apps", create).head.status, 201);
    assert_eq!(apps(&browser), before + 1, "nothing was made by what was refused");
}

#[test]
fn con_010_and_con_081_a_foreign_name_gets_nothing_and_configured_names_do() {
    let server = Setup::bare().config("[console]\nhosts = [\"ops.example\"]").start();
    let mut browser = Browser::logged_in(&server, "read");
    for path in ["/console/", "/v1/session", "/v1/apps", "/"] {
        browser.headers = "Host: evil.test\r\n".to_owned();
        refused(&browser.get(path), 421, "unknown-host");
        browser.headers = "Host: ops.example:9600\r\nSec-Fetch-Site: same-origin\r\n".to_owned();
        assert!(browser.get(path).head.status < 400, "{path}");
    }
}

#[test]
fn con_011_after_twenty_wrong_logins_an_address_waits() {
    let server = Setup::bare().start();
    let mut browser = Browser::new(&server);
    browser.from = Ipv4Addr::new(127, 0, 0, 2).into();
    browser.headers.push_str("X-Forwarded-For: 127.0.0.9\r\n");
    for at in 0..20 {
        let wrong = if at % 2 == 0 { wrong_token() } else { json!({ "code": "0".repeat(32) }) };
        let answer = browser.log_in(&wrong);
        refused(&answer, 401, "wrong-token");
        let problem: Value = serde_json::from_str(&answer.body).expect("a problem");
        assert_eq!((&problem["wrong"], &problem["allowed"]), (&json!(at + 1), &json!(20)), "{problem}");
    }
    let answer = browser.log_in(&json!({ "token": token(&server, "read") }));
    refused(&answer, 429, "too-many-attempts");
    let wait: u64 = answer.head.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    Browser::logged_in(&server, "read");
}

#[test]
fn con_080_what_is_no_login_is_refused() {
    let server = Setup::bare().start();
    let mut browser = Browser::new(&server);
    for body in ["", "[]", "x", r#"{"token":1}"#, r#"{"password":"x"}"#] {
        refused(&browser.send("POST", "/v1/session", body), 400, "not-json");
    }
    for with in [json!({}), json!({ "token": "a", "code": "b" }), json!({ "code": "" })] {
        refused(&browser.log_in(&with), 401, "wrong-token");
    }
}

#[test]
fn con_006_without_a_database_the_login_says_which_setting_gives_one() {
    let server = TestServer::start();
    let mut browser = Browser::new(&server);
    let answer = browser.log_in(&wrong_token());
    refused(&answer, 503, "no-database");
    assert!(answer.body.contains("apps.database"), "{}", answer.body);
}

#[test]
fn con_059_the_audit_log_says_who_did_what_with_old_and_new_and_no_secret() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write,secrets,publish");
    let made = admin.post("/v1/apps", r#"{"id":"1001","name":"shop"}"#).expect(201);
    let secret = made["keys"][0]["secret"].as_str().expect("a secret").to_owned();
    admin.patch("/v1/apps/1001", r#"{"settings":{"max_connections":400}}"#).expect(200);
    admin.patch("/v1/apps/1001", r#"{"settings":{"max_connections":500}}"#).expect(200);
    admin.get("/v1/apps/1001/keys?secrets=true").expect(200);
    let key = admin.post("/v1/apps/1001/keys", "").expect(201)["key"].as_str().expect("a key").to_owned();
    admin.delete(&format!("/v1/apps/1001/keys/{key}")).expect(204);
    admin.post("/v1/apps/1001/events", r#"{"name":"e","channel":"c","data":"payload-of-it"}"#).expect(200);
    server.commanded(&["app", "disable", "1001"]);
    admin.delete("/v1/apps/1001").expect(204);
    admin.patch("/v1/apps/1001", "{}").refused(404, "no-such-app", &[]);

    let log = admin.get("/v1/audit?app=1001").expect(200);
    let entries = log["entries"].as_array().expect("entries");
    let actions: Vec<&str> = entries.iter().rev().filter_map(|entry| entry["action"].as_str()).collect();
    let wanted = [
        "app.create",
        "app.update",
        "app.update",
        "secret.show",
        "key.create",
        "key.revoke",
        "event.send",
        "app.update",
        "app.delete",
    ];
    assert_eq!(actions, wanted);
    let change = &entries[6];
    assert_eq!(
        change["detail"],
        json!({ "old": { "settings.max_connections": 400 }, "new": { "settings.max_connections": 500 } })
    );
    assert_eq!((&change["name"], &change["address"]), (&json!("test"), &json!("127.0.0.1")));
    assert_eq!((&entries[1]["name"], &entries[1]["token"]), (&json!("command line"), &Value::Null));
    let all = log.to_string();
    for hidden in [&*secret, "payload-of-it", "fanfare_"] {
        assert!(!all.contains(hidden), "{hidden}: {all}");
    }

    let page = admin.get("/v1/audit?app=1001&limit=4").expect(200);
    let next = page["next"].as_str().expect("more");
    let rest = admin.get(&format!("/v1/audit?app=1001&limit=4&after={next}")).expect(200);
    assert_eq!(rest["entries"][0], entries[4]);
    admin.get("/v1/audit?after=x").refused(
        400,
        "faulty-query",
        &["after is not the next of a page of the audit log"],
    );
    let table = server.commanded(&["audit", "--limit", "2", "--app", "1001"]);
    assert!(table.contains("app.delete") && table.contains("There are more: --after "), "{table}");
}
