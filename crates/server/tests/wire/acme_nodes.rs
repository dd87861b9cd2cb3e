//! Nodes of one database that get one certificate from an authority (pebble): who orders, who answers the authority, and strangers who
//! ask for what nobody has prepared.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use fanfare_testing::pebble::Pebble;
use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::free_port;

use crate::support::acme::{
    Challenge, DONE, FAILED, HOURS, LONG, NAMES, client, connected, expect_served, settings, try_connect,
};
use crate::support::eventually_within;
use crate::support::http::Http;
use crate::support::setup::Setup;

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

/// The settings of a node that the authority asks, and that orders from an authority that is not there.
fn answering(pebble: &Pebble, challenge: Challenge) -> String {
    settings(pebble, challenge).replace(&pebble.url(), &format!("https://127.0.0.1:{}/dir", free_port()))
}

/// The settings of a node that orders, and that the authority cannot reach.
fn ordering(pebble: &Pebble, challenge: Challenge) -> String {
    settings(pebble, challenge)
        .replace(&format!(":{}\"", pebble.ports.0), &format!(":{}\"", free_port()))
        .replace(&format!(":{}\"", pebble.ports.1), ":0\"")
}

fn expect_answered_by_another(challenge: Challenge) {
    let (pebble, postgres) = (Pebble::start(HOURS), Postgres::start());
    let database = format!("[apps]\ndatabase = \"{}\"\n", postgres.url());
    let start = |settings: String| Setup::new().config(&(database.clone() + &settings)).start();
    let [answers, orders] = [answering, ordering].map(|settings| start(settings(&pebble, challenge)));
    drop(connected(&orders, &pebble, NAMES[0]));
    orders.expect_metric(DONE, 1.0);
    orders.expect_metric(FAILED, 0.0);
    answers.expect_metric(DONE, 0.0);
}

#[test]
fn a_node_answers_over_http_for_another_that_has_ordered() {
    expect_answered_by_another(Challenge::Http);
}

#[test]
fn a_node_answers_over_tls_for_another_that_has_ordered() {
    expect_answered_by_another(Challenge::TlsAlpn);
}

/// Ends what others do for as long as the flag is false, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn strangers_who_ask_all_the_time_neither_keep_the_authority_waiting_nor_load_the_database() {
    const STRANGERS: usize = 16;
    const QUESTIONS: usize = 1000;
    let (pebble, postgres) = (Pebble::start(HOURS), Postgres::start());
    let database = format!("[apps]\ndatabase = \"{}\"\n", postgres.url());
    let port = SocketAddr::from(([127, 0, 0, 1], pebble.ports.0));
    let (asked, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let answers = Setup::new().config(&(database.clone() + &answering(&pebble, Challenge::Http))).start();
    thread::scope(|scope| {
        let _at_last = Over(&is_over);
        for stranger in 0..STRANGERS {
            let (asked, is_over) = (&asked, &is_over);
            scope.spawn(move || {
                let mut http = Http::connect(port);
                while !is_over.load(Ordering::Relaxed) {
                    let path = format!("/.well-known/acme-challenge/unknown-{stranger}");
                    assert_eq!(http.get(&path).head.status, 404);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let all = |count| (asked.load(Ordering::Relaxed) >= count).then_some(());
        eventually_within(LONG, "strangers ask", || all(QUESTIONS / 2));
        let orders = Setup::new().config(&(database.clone() + &ordering(&pebble, Challenge::Http))).start();
        drop(connected(&orders, &pebble, NAMES[0]));
        orders.expect_metric(FAILED, 0.0);
        eventually_within(LONG, "strangers ask on", || all(QUESTIONS));
    });
    drop(answers);
    let scans = "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'acme_records'";
    let scans: usize = postgres.says(scans).parse().expect("a number");
    let asked = asked.load(Ordering::Relaxed);
    assert!(scans > 0 && scans < asked / 2, "{scans} reads for {asked} questions");
}
