//! `fanfare webhook test`, and its routes: a signed event on demand, and what became of it (CON-054).

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::thread;

use rcgen::CertificateParams;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::authorize_tls::over_tls;
use crate::support::admin::Admin;
use crate::support::application::Reply;
use crate::support::receiver::{Receiver, expect_signed};
use crate::support::server::TestServer;
use crate::support::setup::{Ended, Setup};
use crate::support::tls::Authority;
use crate::support::{APP, OTHER, eventually, quoted};

const EVENTS: &[&str] = &["channel_existence"];

/// A port that refuses connections.
fn refusing() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Lines of TOML for webhooks to these URLs.
fn settings(urls: &[String]) -> String {
    urls.iter().fold(String::new(), |mut lines, url| {
        let written = write!(lines, "[[apps.list.webhooks]]\nurl = {url:?}\nevents = {EVENTS:?}\n");
        written.expect("a String takes any text");
        lines
    })
}

/// `fanfare webhook …` beside a server.
#[track_caller]
pub fn webhook(server: &TestServer, words: &[&str]) -> Ended {
    let listen = server.addr.to_string();
    let [action, rest @ ..] = words else { panic!("an action") };
    let place = ["webhook", action, "--config", "fanfare.toml", "--listen", &listen];
    server.command(&[&place[..], rest].concat())
}

/// The test of one webhook through the HTTP API.
#[track_caller]
pub fn test_by_api(server: &TestServer, url: &str) -> Value {
    let answer = server.api().post("/webhooks/test", json!({ "url": url }).to_string());
    let mut answer: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    answer["tests"][0].take()
}

#[test]
fn con_054_a_test_is_a_signed_event_like_any_other_and_its_status_is_told() {
    let (receiver, other) = (Receiver::new(), Receiver::saying(|_| Reply::Body(202, "")));
    let server = Setup::with_app(&format!("{}{}", receiver.setting(EVENTS), other.setting(EVENTS))).start();
    let ended = webhook(&server, &["test", APP.id]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    for (line, receiver, status) in [(lines[0], &receiver, 200), (lines[1], &other, 202)] {
        let answered = format!("{}: answered {status} in ", receiver.url());
        assert!(line.starts_with(&answered) && line.ends_with(" ms."), "{line}");
        let request = &receiver.requests(1)[0];
        expect_signed(request, APP);
        let (time, events) = request.body.split_once(r#","events":"#).expect("HOOK-001");
        assert!(time.starts_with(r#"{"time_ms":1"#), "{time}");
        assert_eq!(events, r#"[{"name":"channel_occupied","channel":"fanfare-test"}]}"#);
    }
    let one = webhook(&server, &["test", APP.id, &other.url(), "--json"]);
    let one: Value = serde_json::from_str(&one.stdout).expect("JSON");
    let sent = &other.requests(2)[1];
    assert_eq!(one["tests"].as_array().map(Vec::len), Some(1));
    let shown = &one["tests"][0]["request"];
    assert_eq!((&shown["key"], &shown["body"]), (&json!(APP.key), &json!(sent.body)));
    assert_eq!(shown["signature"].as_str(), sent.header("x-pusher-signature").as_deref());
    assert_eq!(receiver.so_far().len(), 1, "the other alone");
    // What nobody asked for by an event is in no count.
    assert_eq!(server.metric("fanfare_webhook_deliveries_total{app=\"3\"}"), 0.0);
}

/// A receiver over TLS, with a certificate of this authority that is changed like this.
fn secured(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> String {
    let issued = authority.issue_with(|params| {
        *params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a legal name");
        change(params);
    });
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
    format!("https://localhost:{}/hook", over_tls(issued.der, key).port())
}

/// A URL that fails, its cause, and parts of what is said of it and of the advice.
type Failing = (String, &'static str, &'static str, &'static str);

/// URLs that fail before the receiver can answer.
fn unanswered(hangs: &Receiver) -> [Failing; 3] {
    [
        (
            format!("http://127.0.0.1:{}/hook", refusing()),
            "refused",
            "the connection was refused",
            "Nothing listens",
        ),
        ("http://nowhere.invalid/hook".to_owned(), "name_not_found", "the name is not found", "spelling"),
        (hangs.url(), "timed_out", "no whole answer within 400 ms", "in a queue"),
    ]
}

/// URLs whose certificates are refused by whoever trusts this authority.
fn untrusted(trusted: &Authority) -> [Failing; 3] {
    let expired = secured(trusted, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let of_another = secured(trusted, |params| {
        *params = CertificateParams::new(vec!["a.test".to_owned()]).expect("a legal name");
    });
    let unknown = secured(&Authority::new(), |_| {});
    [
        (unknown, "certificate_unknown_issuer", "self-signed, or of an authority", "webhooks.ca_file"),
        (expired, "certificate_expired", "the certificate has expired", "Renew"),
        (
            of_another,
            "certificate_wrong_name",
            "the certificate is for a.test, not for this host",
            "for this host",
        ),
    ]
}

#[test]
fn con_054_each_cause_of_a_failure_is_told_apart_with_what_to_do() {
    let saying = |status| Receiver::saying(move |_| Reply::Body(status, ""));
    let (csrf, signature, path, hangs) = (saying(419), saying(401), saying(404), Receiver::hanging());
    let redirect = Receiver::saying(|_| {
        let head =
            "HTTP/1.1 302 X\r\nLocation: https://elsewhere/login?token=secret\r\nContent-Length: 0\r\n\r\n";
        Reply::Raw(head.into())
    });
    let answered = [
        (csrf.url(), "status", "the answer was 419", "CSRF"),
        (signature.url(), "status", "the answer was 401", "HMAC-SHA256"),
        (path.url(), "status", "the answer was 404", "at this path"),
        (
            redirect.url(),
            "redirect",
            "302, a redirect to https://elsewhere/login, which is not followed",
            "Set the URL",
        ),
    ];
    let trusted = Authority::new();
    let cases: Vec<Failing> =
        unanswered(&hangs).into_iter().chain(answered).chain(untrusted(&trusted)).collect();
    let urls: Vec<String> = cases.iter().map(|(url, ..)| url.clone()).collect();
    let setup = Setup::with_app(&settings(&urls));
    let file = setup.folder().join("authority.pem");
    fs::write(&file, trusted.pem()).expect("the folder can be written to");
    let file = quoted(file.to_str().expect("the folder's name is text"));
    let server = setup.config(&format!("[webhooks]\nca_file = {file}\ntimeout = 400")).start();
    let ended = webhook(&server, &["test", APP.id]);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(!ended.stdout.contains("token="), "{}", ended.stdout);
    let json: Value =
        serde_json::from_str(&webhook(&server, &["test", APP.id, "--json"]).stdout).expect("JSON");
    for ((url, cause, says, advice), test) in cases.iter().zip(json["tests"].as_array().expect("a list")) {
        assert_eq!((&test["url"], &test["error"]["cause"]), (&json!(url), &json!(cause)), "{test}");
        let after = ended.stdout.split(&format!("{url}: ")).nth(1).expect("a line");
        let (line, below) = after.split_once('\n').expect("a line");
        assert!(line.starts_with("failed after ") && line.contains(says), "{line}");
        assert!(below.starts_with("  ") && below.lines().next().expect("advice").contains(advice), "{below}");
    }
    hangs.let_go();
}

#[test]
fn con_054_an_address_that_is_forbidden_to_webhooks_is_forbidden_to_tests() {
    let receiver = Receiver::new();
    let config = "[apps]\nallow_private = false";
    let server = Setup::bare().config(config).app(APP, &receiver.setting(EVENTS)).start();
    let error = &test_by_api(&server, &receiver.url())["error"];
    assert_eq!(error["cause"], "forbidden_address");
    assert!(error["advice"].as_str().is_some_and(|advice| advice.contains("apps.allow_private")), "{error}");
    assert!(receiver.so_far().is_empty());
}

#[test]
fn con_054_what_is_no_webhook_of_the_app_is_said_with_those_that_are() {
    let (receiver, off) = (Receiver::new(), Receiver::new());
    let disabled = format!("{}enabled = false\n", off.setting(EVENTS));
    let server =
        Setup::with_app(&format!("{}{disabled}", receiver.setting(EVENTS))).app(OTHER, &disabled).start();
    let nobody = Setup::new().start();
    for (server, words, status, says) in [
        (
            &server,
            &["test", APP.id, "http://nowhere/"][..],
            69,
            "404: This app has no such webhook; its webhooks are: ",
        ),
        (
            &server,
            &["test", OTHER.id],
            69,
            "409: Every webhook of this app is disabled; one that is named is tested",
        ),
        (&server, &["test", "9"], 64, "there is no such app"),
        (&nobody, &["test", APP.id], 69, "404: This app has no webhooks"),
    ] {
        let ended = webhook(server, words);
        assert_eq!((ended.status, &*ended.stdout), (status, ""), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
    }
    let listed = webhook(&server, &["test", APP.id, "http://nowhere/"]).stderr;
    assert!(listed.contains(&format!("{}, {}", receiver.url(), off.url())), "{listed}");
    assert!(receiver.so_far().is_empty() && off.so_far().is_empty());
    let named = webhook(&server, &["test", OTHER.id, &off.url()]);
    assert_eq!(named.status, 0, "{}", named.stderr);
    assert!(named.stdout.contains("(disabled: it gets nothing but tests)"), "{}", named.stdout);
    off.requests(1);
}

#[test]
fn con_054_so_many_tests_are_under_way_on_a_node_and_further_ones_are_refused() {
    let hangs = Receiver::hanging();
    let urls: Vec<String> = (0..10).map(|number| format!("{}{number}", hangs.url())).collect();
    let server = Setup::with_app(&settings(&urls)).start();
    let mut first = server.api();
    let asked = thread::spawn(move || first.post("/webhooks/test", "{}"));
    hangs.requests(10);
    let refused = server.api().post("/webhooks/test", "{}");
    assert_eq!(refused.head.status, 503, "{refused:?}");
    assert!(refused.body.contains("as many webhooks as it may at once (16)"), "{}", refused.body);
    hangs.let_go();
    assert_eq!(asked.join().expect("no panic").head.status, 200);
    assert_eq!(server.api().post("/webhooks/test", "{}").head.status, 200);
}

#[test]
fn con_054_an_operator_tests_by_number_with_the_scope_publish_so_many_times_a_minute() {
    let receiver = Receiver::new();
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write,publish");
    let webhooks: Value = serde_json::from_str(&receiver.json(EVENTS)).expect("JSON");
    let app = json!({"id": "7", "settings": {"webhooks": webhooks}}).to_string();
    admin.post("/v1/apps", &app).expect(201);
    let path = |number: &str| format!("/v1/apps/7/webhooks/{number}/test");
    let mut test = admin.post(&path("1"), "").expect(200);
    let request = test["request"].take();
    admin.post(&path("1"), r#"{"url":"http://a/"}"#).refused(
        422,
        "faults",
        &["unknown field url; there are none here"],
    );
    assert_eq!(
        (&test["url"], &test["status"], &test["error"]),
        (&json!(receiver.url()), &json!(200), &Value::Null)
    );
    assert_eq!(request["body"], receiver.requests(1)[0].body);
    for number in ["0", "2", "x"] {
        admin.post(&path(number), "").refused(404, "no-such-webhook", &[]);
    }
    admin.post("/v1/apps/8/webhooks/1/test", "").refused(404, "no-such-app", &[]);
    Admin::with(&server, "read,write,secrets").post(&path("1"), "").refused(403, "scope-missing", &[]);
    for _ in 1..20 {
        admin.post(&path("1"), "{}").expect(200);
    }
    let refused = admin.post(&path("1"), "");
    refused.refused(429, "too-many-tests", &[]);
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(receiver.so_far().len(), 20);
    admin.patch("/v1/apps/7", r#"{"enabled":false}"#).expect(200);
    eventually("the app is disabled", || {
        let refused = admin.post(&path("1"), "");
        (refused.json["type"] == "urn:fanfare:problem:app-disabled").then_some(())
    });
}
