//! Certificates by ACME, from a real authority (pebble): got, renewed, shared by nodes, and what happens when the authority is faulty.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use fanfare_testing::pebble::Pebble;
use fanfare_testing::redis::free_port;

use crate::support::acme::{
    Challenge, DONE, FAILED, FAILING, HOURS, LONG, NAMES, SOON, certificate, client, connected,
    expect_served, of_directory, settings, try_connect, websocket,
};
use crate::support::eventually_within;
use crate::support::setup::Setup;

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
