//! Certificates by ACME, from a real authority (pebble): got, renewed, shared by nodes, and what happens when the authority is faulty.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use fanfare_testing::pebble::Pebble;
use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::free_port;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::support::http::Http;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, eventually_within};

/// The names of the certificates.
const NAMES: [&str; 2] = ["ws.test", "b.test"];

/// Deadline of an order: an authority looks at its challenges in its own time.
const LONG: Duration = Duration::from_secs(60);

/// Seconds that nobody waits for.
const HOURS: u64 = 100 * 3600;

/// A life of which two thirds are over soon.
const SOON: u64 = 12;

const DONE: &str = "fanfare_acme_orders_total{outcome=\"done\"}";
const FAILED: &str = "fanfare_acme_orders_total{outcome=\"failed\"}";
const FAILING: &str = "fanfare_acme_failing";

#[derive(Clone, Copy, PartialEq)]
enum Challenge {
    Http,
    TlsAlpn,
}

/// The settings of a server that gets its certificate from this authority.
fn settings(pebble: &Pebble, challenge: Challenge) -> String {
    let (http, tls) = pebble.ports;
    let (name, tls) = match challenge {
        Challenge::Http => ("http-01", 0),
        Challenge::TlsAlpn => ("tls-alpn-01", tls),
    };
    of_directory(&pebble.url(), tls)
        + &format!(
            "directory_ca_file = \"{}\"\nchallenge = \"{name}\"\nhttp_addr = \"127.0.0.1:{http}\"\n",
            pebble.ca_file().display()
        )
}

fn of_directory(url: &str, tls: u16) -> String {
    format!(
        "[tls]\naddr = \"127.0.0.1:{tls}\"\n[tls.acme]\ndomains = [\"ws.test\", \"B.test\"]\n\
         contact = [\"ops@example.com\"]\nterms_agreed = true\nretry = 1\ndirectory = \"{url}\"\n"
    )
}

/// A client that trusts the certificates that this authority issues now, and speaks these protocols.
fn client(pebble: &Pebble, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pebble.root().as_bytes()).expect("PEM")).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks both")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

fn try_connect(addr: SocketAddr, client: &Arc<ClientConfig>, name: &str) -> std::io::Result<Http> {
    let tcp = TcpStream::connect(addr).expect("the server accepts connections");
    Http::try_tls_to(tcp, Arc::clone(client), ServerName::try_from(name.to_owned()).expect("a legal name"))
}

/// A connection over TLS that the client trusts, as soon as there is one.
#[track_caller]
fn connected(server: &TestServer, pebble: &Pebble, name: &str) -> Http {
    let (addr, client) = (server.tls.expect("the server speaks TLS"), client(pebble, &[]));
    eventually_within(LONG, "a client trusts the certificate", || try_connect(addr, &client, name).ok())
}

/// A WebSocket over TLS.
#[track_caller]
fn websocket(server: &TestServer, pebble: &Pebble) -> Socket {
    Upgrade::to(&pusher_js(APP)).open_over(connected(server, pebble, NAMES[0])).1.established(50)
}

/// An event reaches a client over TLS.
#[track_caller]
fn expect_served(server: &TestServer, pebble: &Pebble) {
    let mut socket = websocket(server, pebble);
    socket.subscribe("news");
    server.api().publish("news", "e", "over TLS");
    socket.expect_event("news", "e", "over TLS");
    for name in NAMES {
        drop(connected(server, pebble, name));
    }
}

fn expect_certificate_by(challenge: Challenge) {
    let pebble = Pebble::start(HOURS);
    let server = Setup::new().config(&settings(&pebble, challenge)).start();
    expect_served(&server, &pebble);
    server.expect_metric(DONE, 1.0);
    server.expect_metric(FAILED, 0.0);
    server.expect_metric(FAILING, 0.0);
    assert_eq!(pebble.orders(), 1, "one certificate for all names");
}

#[test]
fn an_authority_that_asks_over_http_issues_a_certificate_and_clients_connect() {
    expect_certificate_by(Challenge::Http);
}

#[test]
fn an_authority_that_asks_over_tls_issues_a_certificate_and_clients_connect() {
    expect_certificate_by(Challenge::TlsAlpn);
}

#[test]
fn a_restarted_server_has_its_certificate_at_once_and_keeps_it_from_others() {
    let pebble = Pebble::start(HOURS);
    let settings = settings(&pebble, Challenge::Http);
    let server = Setup::new().config(&settings).start();
    drop(connected(&server, &pebble, NAMES[0]));
    server.expect_metric(DONE, 1.0);
    let folder = server.stop();
    let kept = find(folder.path(), "acme").expect("the records are in the data directory");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&kept), 0o700);
    for file in fs::read_dir(&kept).expect("a folder") {
        assert_eq!(mode(&file.expect("a file").path()), 0o600);
    }
    let server = Setup::new().config(&settings).in_folder(folder).start();
    let addr = server.tls.expect("TLS");
    try_connect(addr, &client(&pebble, &[]), NAMES[1]).expect("the certificate is there at once");
    assert_eq!(pebble.orders(), 1);
}

/// The folder of this name, wherever the data directory is.
fn find(below: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(below).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    let found = folders.iter().find(|path| path.ends_with(name)).cloned();
    found.or_else(|| folders.iter().find_map(|path| find(path, name)))
}

#[test]
fn the_port_for_authorities_answers_nothing_else_and_clients_of_the_challenge_get_no_further() {
    let pebble = Pebble::start(HOURS);
    let server = Setup::new().config(&settings(&pebble, Challenge::Http)).start();
    let port = SocketAddr::from(([127, 0, 0, 1], pebble.ports.0));
    for path in [
        "/",
        "/up",
        "/app/278d425bdf160c739803",
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/unknown",
    ] {
        let answer = crate::support::server::get(port, path);
        assert_eq!(answer.head.status, 404, "{path}");
        assert!(answer.body.contains("answers certificate authorities alone"), "{}", answer.body);
    }
    drop(connected(&server, &pebble, NAMES[0]));
    let asking = client(&pebble, &[b"acme-tls/1"]);
    assert!(try_connect(server.tls.expect("TLS"), &asking, NAMES[0]).is_err(), "no challenge is prepared");
    let both = client(&pebble, &[b"acme-tls/1", b"http/1.1"]);
    let http = try_connect(server.tls.expect("TLS"), &both, NAMES[0]).expect("a client like any other");
    assert_eq!(http.session().alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn a_certificate_is_renewed_in_time_while_clients_stay_connected() {
    let pebble = Pebble::start(SOON);
    let server = Setup::new().config(&settings(&pebble, Challenge::TlsAlpn)).start();
    let first = connected(&server, &pebble, NAMES[0]).shown();
    let mut open = websocket(&server, &pebble);
    open.subscribe("news");
    eventually_within(LONG, "newcomers see a new certificate", || {
        (connected(&server, &pebble, NAMES[0]).shown() != first).then_some(())
    });
    server.api().publish("news", "e", "after the renewal");
    open.expect_event("news", "e", "after the renewal");
    assert!((server.metric(FAILED)).abs() < 0.5, "nothing has failed");
}

#[test]
fn an_authority_that_refuses_half_of_all_nonces_still_issues() {
    let pebble = Pebble::with(HOURS, &[("PEBBLE_WFE_NONCEREJECT", "50")]);
    let server = Setup::new().config(&settings(&pebble, Challenge::Http)).start();
    expect_served(&server, &pebble);
    server.expect_metric(FAILED, 0.0);
    assert!(pebble.log().contains("reject"), "nonces are refused");
}

#[test]
fn an_authority_that_takes_its_time_is_waited_for() {
    let pebble = Pebble::with(HOURS, &[("PEBBLE_VA_NOSLEEP", ""), ("PEBBLE_VA_SLEEPTIME", "4")]);
    let server = Setup::new().config(&settings(&pebble, Challenge::TlsAlpn)).start();
    expect_served(&server, &pebble);
    server.expect_metric(FAILED, 0.0);
}

#[test]
fn an_account_that_the_authority_does_not_know_any_more_is_replaced() {
    let mut pebble = Pebble::start(SOON);
    let server = Setup::new().config(&settings(&pebble, Challenge::Http)).start();
    drop(connected(&server, &pebble, NAMES[0]));
    pebble.kill();
    pebble.restart();
    // Its root is another one: who trusts that alone sees a certificate of after the restart.
    drop(connected(&server, &pebble, NAMES[0]));
    let accounts = server.process.stderr().matches("a new account with the certificate authority").count();
    assert_eq!(accounts, 2);
}

#[test]
fn two_nodes_of_a_database_order_once_and_both_serve() {
    let (pebble, postgres) = (Pebble::start(HOURS), Postgres::start());
    let database = format!("[apps]\ndatabase = \"{}\"\n", postgres.url());
    let first = settings(&pebble, Challenge::Http);
    // The authority's question reaches one node, whichever orders.
    let second = first.replace(&format!(":{}\"", pebble.ports.0), &format!(":{}\"", free_port()));
    let key = "FANFARE_MASTER_KEY";
    let start = |settings: &str| {
        Setup::new().env(key, &"a".repeat(64)).config(&(database.clone() + settings)).start()
    };
    let nodes = [start(&first), start(&second)];
    for node in &nodes {
        expect_served(node, &pebble);
    }
    assert_eq!(pebble.orders(), 1);
    let newcomer = start(&first.replace(&format!(":{}\"", pebble.ports.0), ":0\""));
    let client = client(&pebble, &[]);
    try_connect(newcomer.tls.expect("TLS"), &client, NAMES[0])
        .expect("a new node has the certificate at once");
    assert_eq!(pebble.orders(), 1);
}

/// What `/ready` says of the certificate, as JSON.
fn certificate(server: &TestServer) -> serde_json::Value {
    let mut http = Http::connect(server.admin);
    http.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
    let answer = http.answer();
    assert_eq!(answer.head.status, 200, "the node stays in the balancer: {}", answer.body);
    let value: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let all = value["dependencies"].as_array().expect("a list");
    all.iter().find(|each| each["name"] == "certificate").expect("the certificate is among them").clone()
}

#[test]
fn while_the_authority_is_away_the_old_certificate_stays_and_operators_are_told() {
    let mut pebble = Pebble::start(30);
    let server = Setup::new().config(&settings(&pebble, Challenge::Http)).start();
    let old_client = client(&pebble, &[]);
    let first = connected(&server, &pebble, NAMES[0]).shown();
    pebble.kill();
    eventually_within(LONG, "a renewal fails", || (server.metric(FAILED) >= 1.0).then_some(()));
    let shown =
        try_connect(server.tls.expect("TLS"), &old_client, NAMES[0]).expect("it is valid still").shown();
    assert_eq!(shown, first);
    eventually_within(LONG, "it is tried again", || (server.metric(FAILED) >= 2.0).then_some(()));
    let says = certificate(&server);
    assert_eq!(says["state"], "degraded", "{says}");
    assert!(says["advice"].as_str().is_some_and(|advice| advice.contains("fanfare::tls")), "{says}");
    server.expect_metric(FAILING, 1.0);
    server.process.log_line("why", |line| {
        (line.contains("no new certificate, the one before stays in use") && line.contains("next="))
            .then_some(())
    });
    pebble.restart();
    let new = connected(&server, &pebble, NAMES[0]).shown();
    assert_ne!(new, first);
    server.expect_metric(FAILING, 0.0);
}

#[test]
fn without_a_first_certificate_the_server_serves_without_tls_and_says_so() {
    let url = format!("https://127.0.0.1:{}/dir", free_port());
    let server = Setup::new().config(&(of_directory(&url, 0) + "challenge = \"tls-alpn-01\"\n")).start();
    server.connect().expect_nothing_more();
    eventually_within(LONG, "orders fail again and again", || (server.metric(FAILED) >= 2.0).then_some(()));
    let pebble = Pebble::start(HOURS);
    assert!(try_connect(server.tls.expect("TLS"), &client(&pebble, &[]), NAMES[0]).is_err());
    let says = certificate(&server);
    assert!(says["says"].as_str().is_some_and(|says| says.contains("no certificate yet")), "{says}");
    let ready = server.admin("/ready").body;
    assert!(ready.starts_with("ready; there is no TLS certificate yet"), "{ready}");
    server.process.log_line("why", |line| {
        (line.contains("no new certificate, there is none yet") && line.contains("ws.test")).then_some(())
    });
}

#[test]
fn an_authority_that_cannot_reach_the_server_has_its_words_in_the_log() {
    let pebble = Pebble::start(HOURS);
    let elsewhere = format!("127.0.0.1:{}", free_port());
    let settings =
        settings(&pebble, Challenge::Http).replace(&format!("127.0.0.1:{}", pebble.ports.0), &elsewhere);
    let server = Setup::new().config(&settings).start();
    server.process.log_line("why", |line| {
        let words = ["could not make sure of the names", "ws.test", "connection refused", "port 80"];
        words.iter().all(|word| line.contains(word)).then_some(())
    });
    assert!(!server.process.stderr().contains("PRIVATE KEY"));
}

#[test]
fn settings_of_acme_that_cannot_work_stop_the_start() {
    let section = |lines: &str| {
        format!("[tls]\naddr = \"127.0.0.1:6443\"\n[tls.acme]\ndomains = [\"a.test\"]\n{lines}")
    };
    let agreed = |lines: &str| section(&format!("terms_agreed = true\n{lines}"));
    for (toml, words) in [
        (section(""), "tls.acme.domains is set without tls.acme.terms_agreed"),
        (agreed("directory = \"http://a.test/dir\""), "tls.acme.directory must begin with https://"),
        (agreed("eab_key_id = \"x\""), "tls.acme.eab_key_id is set without tls.acme.eab_key_file"),
        (agreed("http_addr = \"127.0.0.1:6443\""), "want the same port"),
        (agreed("contact = [\"nobody\"]"), "tls.acme.contact must be a list of mail addresses"),
        (agreed("challenge = \"dns-01\""), "tls.acme.challenge must be auto or http-01 or tls-alpn-01"),
        (agreed("domain = \"a.test\""), "unknown key tls.acme.domain; did you mean tls.acme.domains?"),
        (
            section("terms_agreed = true").replace("addr = \"127.0.0.1:6443\"\n", ""),
            "tls.acme.domains is set without tls.addr",
        ),
        (agreed("").replace("a.test", "*.test"), "tls.acme.domains must be a list of names"),
    ] {
        let ended = Setup::new().config(&toml).arguments(&["--check"]).run();
        assert_eq!(ended.status, 64, "{toml}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{words} in {}", ended.stderr);
    }
}
