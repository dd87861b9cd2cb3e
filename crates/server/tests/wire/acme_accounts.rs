//! Accounts with an authority (pebble): ended behind the server's back, bound to an account elsewhere, sealed; and leases of nodes
//! that were killed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use fanfare_testing::clock::WrongClock;
use fanfare_testing::pebble::Pebble;
use fanfare_testing::postgres::Postgres;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::acme::{
    Challenge, DONE, FAILED, FAILING, HOURS, LONG, NAMES, client, connected, expect_served, settings,
    try_connect,
};
use crate::support::eventually_within;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// What a line of the log says that tells of a new account.
const NEW_ACCOUNT: &str = "a new account with the certificate authority";

/// The key of an account elsewhere.
const EXTERNAL: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

fn encoded(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

/// The record of the account that the server has kept in its data directory.
fn kept_account(server: &TestServer) -> (PathBuf, Value) {
    let folder = server.folder().join("fanfare-data/acme");
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let file =
        files.into_iter().find(|path| path.to_string_lossy().contains("account%3A")).expect("an account");
    let record = fs::read_to_string(&file).expect("a text");
    (file, serde_json::from_str(&record).expect("JSON"))
}

/// Asks the authority for something by curl, as text; with a body, by a POST.
fn asked(arguments: &[&str], url: &str) -> String {
    let mut command = Command::new("curl");
    command.args(["-sf", "--insecure"]).args(arguments).arg(url);
    let output = command.output().expect("curl runs");
    assert!(output.status.success(), "{url}: {output:?}");
    String::from_utf8(output.stdout).expect("a text")
}

/// Ends an account, as its owner does with another program.
fn deactivate(pebble: &Pebble, account: &Value) {
    let [url, key] = ["url", "key"].map(|name| account[name].as_str().expect("a text"));
    let random = SystemRandom::new();
    let pkcs8 = BASE64_URL_SAFE_NO_PAD.decode(key).expect("base64url");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random).expect("a key");
    let directory: Value = serde_json::from_str(&asked(&[], &pebble.url())).expect("JSON");
    let head = asked(&["--head"], directory["newNonce"].as_str().expect("a URL"));
    let nonce = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("replay-nonce").then_some(value.trim()));
    let nonce = nonce.expect("a nonce");
    let head = encoded(&json!({ "alg": "ES256", "kid": url, "nonce": nonce, "url": url }).to_string());
    let payload = encoded(&json!({ "status": "deactivated" }).to_string());
    let signature = pair.sign(&random, format!("{head}.{payload}").as_bytes()).expect("a signature");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref());
    let body = json!({ "protected": head, "payload": payload, "signature": signature }).to_string();
    let answer = asked(&["-H", "Content-Type: application/jose+json", "--data", &body], url);
    assert!(answer.contains("deactivated"), "{answer}");
}

fn accounts_of(server: &TestServer) -> usize {
    server.process.stderr().matches(NEW_ACCOUNT).count()
}

#[test]
fn an_account_that_was_ended_is_replaced_at_the_next_renewal_and_the_log_says_so() {
    let pebble = Pebble::start(30);
    let server = Setup::new().config(&settings(&pebble, Challenge::Http)).start();
    let first = connected(&server, &pebble, NAMES[0]).shown();
    let (_, account) = kept_account(&server);
    deactivate(&pebble, &account);
    let addr = server.tls.expect("TLS");
    let client = client(&pebble, &[]);
    eventually_within(LONG, "newcomers see a new certificate, and until then the old one", || {
        let shown =
            try_connect(addr, &client, NAMES[0]).expect("a certificate is served all the time").shown();
        (shown != first).then_some(())
    });
    server.process.log_line("why", |line| {
        let words =
            ["does not take the account any more", "deactivated", account["url"].as_str().expect("a URL")];
        words.iter().all(|word| line.contains(word)).then_some(())
    });
    assert_eq!(accounts_of(&server), 2);
    assert_ne!(kept_account(&server).1["url"], account["url"]);
    server.expect_metric(FAILED, 0.0);
    server.expect_metric(FAILING, 0.0);
}

/// A server that names an account elsewhere, whose key is in this file.
fn bound(pebble: &Pebble, id: &str, key: &str) -> TestServer {
    let names = format!("eab_key_id = \"{id}\"\neab_key_file = \"key\"\n");
    let setup = Setup::new().config(&(settings(pebble, Challenge::Http) + &names));
    fs::write(setup.folder().join("key"), key).expect("the folder can be written to");
    setup.start()
}

fn expect_refused(server: &TestServer, words: &[&str]) {
    eventually_within(LONG, "the order fails", || (server.metric(FAILED) >= 1.0).then_some(()));
    server.process.log_line("why", |line| {
        (line.contains("no new certificate") && words.iter().all(|word| line.contains(word))).then_some(())
    });
    assert!(!server.process.stderr().contains(&EXTERNAL[..12]), "no key is logged");
}

#[test]
fn an_account_is_bound_to_one_elsewhere_by_its_key() {
    let pebble = Pebble::for_owners_of("kid-1", EXTERNAL);
    for key in [EXTERNAL.to_owned(), format!("{EXTERNAL}==\n")] {
        let server = bound(&pebble, "kid-1", &key);
        expect_served(&server, &pebble);
        server.expect_metric(FAILED, 0.0);
    }
}

#[test]
fn a_wrong_key_of_an_account_elsewhere_is_told_with_the_settings_and_tried_again() {
    let pebble = Pebble::for_owners_of("kid-1", EXTERNAL);
    let settings_named =
        ["no account can be made", "tls.acme.eab_key_id and tls.acme.eab_key_file have to be"];
    let server = bound(&pebble, "kid-1", &EXTERNAL.replace("zWND", "AAAA"));
    expect_refused(&server, &[&settings_named[..], &["verification error"]].concat());
    // Once the key is right, nothing has to be started anew.
    fs::write(server.folder().join("key"), EXTERNAL).expect("the folder can be written to");
    server.process.signal(Signal::HUP);
    expect_served(&server, &pebble);
    drop(server);
    let unknown = bound(&pebble, "kid-2", EXTERNAL);
    expect_refused(&unknown, &[&settings_named[..], &["not known"]].concat());
    drop(unknown);
    let none = Setup::new().config(&settings(&pebble, Challenge::Http)).start();
    expect_refused(&none, &["externalAccountRequired", "set tls.acme.eab_key_id and tls.acme.eab_key_file"]);
}

#[test]
fn a_file_that_holds_no_key_of_an_account_elsewhere_is_named() {
    let pebble = Pebble::for_owners_of("kid-1", EXTERNAL);
    for key in ["", "not base64url!"] {
        expect_refused(
            &bound(&pebble, "kid-1", key),
            &["tls.acme.eab_key_file, key: is no key in base64url"],
        );
    }
    let names = "eab_key_id = \"kid-1\"\neab_key_file = \"/dev/zero\"\n";
    let server = Setup::new().config(&(settings(&pebble, Challenge::Http) + names)).start();
    expect_refused(&server, &["tls.acme.eab_key_file, /dev/zero: the file has more than 16 MiB"]);
}

#[test]
fn a_clock_that_is_ahead_orders_no_certificate_after_the_other() {
    let (pebble, clock) = (Pebble::start(3600), WrongClock::build());
    let settings = settings(&pebble, Challenge::Http).replace("retry = 1", "retry = 3600");
    let mut setup = Setup::new().config(&settings);
    for (name, value) in clock.environment(7200) {
        setup = setup.env(name, &value);
    }
    let server = setup.start();
    server.process.log_line("what to do", |line| {
        let words = ["the one that was issued is in use: set the clock of this machine right", "failures=1"];
        words.iter().all(|word| line.contains(word)).then_some(())
    });
    // Clients whose clock is right trust it.
    drop(connected(&server, &pebble, NAMES[0]));
    assert_eq!(pebble.orders(), 1);
    server.expect_metric(FAILING, 1.0);
}

/// Two master keys.
const KEYS: [&str; 2] = ["a", "b"];

/// A server with these records, and the keys of this file; `domains` is what stands in place of the second name.
fn stored(pebble: &Pebble, postgres: &Postgres, (keys, second): (&str, &str)) -> Setup {
    let database = format!("[apps]\ndatabase = \"{}\"\n", postgres.url());
    let settings = settings(pebble, Challenge::Http).replace("B.test", second);
    let keys: Vec<String> = keys.chars().map(|key| key.to_string().repeat(64)).collect();
    let setup = Setup::new().config(&(database + &settings));
    if keys.is_empty() { setup } else { setup.env("FANFARE_MASTER_KEY", &keys.join("\n")) }
}

#[test]
fn account_and_certificate_are_sealed_with_the_secrets_and_used_as_before() {
    let (pebble, postgres) = (Pebble::start(HOURS), Postgres::start());
    let count =
        |such: &str| postgres.says(&format!("SELECT count(*) FROM acme_records WHERE value LIKE '{such}'"));
    let server = stored(&pebble, &postgres, ("", "b.test")).start();
    let shown = connected(&server, &pebble, NAMES[0]).shown();
    eventually_within(LONG, "both are kept", || (count("%PRIVATE KEY%") == "2").then_some(()));
    assert_eq!(count("sealed:%"), "0");
    drop(server);
    let [first, second] = KEYS;
    for (keys, id) in [(first.to_owned(), first), (format!("{second}{first}"), second)] {
        // Every server has the key first, then everything is sealed with this key, beside the servers.
        let server = stored(&pebble, &postgres, (&keys, "b.test")).start();
        let database = postgres.url();
        let command = Setup::bare().command(Some("app")).env("DATABASE_URL", &database);
        let keys: Vec<String> = keys.chars().map(|key| key.to_string().repeat(64)).collect();
        let ended = command.env("FANFARE_MASTER_KEY", &keys.join("\n")).run_with(&["seal-secrets", "--yes"]);
        assert_eq!(ended.status, 0, "{id}: {}", ended.stderr);
        assert!(ended.stdout.contains("3 secrets were sealed anew"), "{id}: {}", ended.stdout);
        assert_eq!(
            (count("%PRIVATE KEY%"), count("%my-account%"), count("sealed:%")),
            ("0".to_owned(), "0".to_owned(), "3".to_owned())
        );
        assert_eq!(connected(&server, &pebble, NAMES[0]).shown(), shown);
    }
    // The old key is gone. The certificate is there at once, and the account orders another one.
    let server = stored(&pebble, &postgres, (second, "b.test")).start();
    let addr = server.tls.expect("TLS");
    let served =
        try_connect(addr, &client(&pebble, &[]), NAMES[0]).expect("the certificate is there at once");
    assert_eq!(served.shown(), shown);
    assert_eq!(pebble.orders(), 1);
    drop(server);
    let server = stored(&pebble, &postgres, (second, "c.test")).start();
    drop(connected(&server, &pebble, "c.test"));
    // Until then the certificate may not be kept.
    server.expect_metric(DONE, 1.0);
    eventually_within(LONG, "the order is in the log", || (pebble.orders() == 2).then_some(()));
    assert_eq!(accounts_of(&server), 0);
    drop(server);
    // Without the key nothing is ordered that nobody could keep.
    let server = stored(&pebble, &postgres, (first, "c.test")).start();
    server.process.log_line("the key", |line| {
        let words = ["the records of tls.acme cannot be used", "is sealed with the master key"];
        words.iter().all(|word| line.contains(word)).then_some(())
    });
    assert_eq!(pebble.orders(), 2);
}

#[test]
fn a_server_that_was_killed_while_it_ordered_orders_again_soon_after_its_next_start() {
    let pebble = Pebble::with(HOURS, &[("PEBBLE_VA_NOSLEEP", ""), ("PEBBLE_VA_SLEEPTIME", "5")]);
    let settings = settings(&pebble, Challenge::Http);
    let server = Setup::bare().config(&settings).start();
    server.process.log_line("the order has begun", |line| line.contains(NEW_ACCOUNT).then_some(()));
    let folder = server.killed();
    assert_eq!(pebble.orders(), 0);
    let server = Setup::bare().config(&settings).in_folder(folder).start();
    drop(connected(&server, &pebble, NAMES[0]));
}
