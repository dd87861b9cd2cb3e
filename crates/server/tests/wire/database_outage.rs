//! A Postgres that dies while clients connect, publish and subscribe: apps in use go on, and all recovers by itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::{Setup, binary, run};
use crate::support::socket::Frame;
use crate::support::{APP, eventually};
use fanfare_testing::postgres::Postgres;
use parking_lot::Mutex;

const UNKNOWN: &str = "/app/unheard-of?protocol=7";

/// A server on an empty Postgres that holds only the app of the reference.
fn start(postgres: &Postgres) -> TestServer {
    let server = Setup::bare().env("DATABASE_URL", &postgres.url()).start();
    let made = server.create_app(&[], &[("DATABASE_URL", &postgres.url())]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    server.expect_app_known();
    server
}

/// Runs the command line on that Postgres.
#[track_caller]
fn fanfare(server: &TestServer, postgres: &Postgres, arguments: &[&str]) {
    let mut command: Command = binary(server.folder());
    let ended = run(command.args(arguments).env("DATABASE_URL", postgres.url()));
    assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.stderr);
}

/// The close code of a new connection.
fn closed_with(server: &TestServer, target: &str) -> Option<u16> {
    match server.open(target).frame() {
        Frame::Close(code, _) => code,
        _ => None,
    }
}

#[test]
fn apps_in_use_go_on_while_postgres_is_dead_and_unknown_keys_are_told_to_come_back() {
    let mut postgres = Postgres::start();
    let server = start(&postgres);
    let mut before = server.connect();
    before.subscribe_private(APP, "private-a");
    assert_eq!(closed_with(&server, UNKNOWN), Some(4001));

    // A back end publishes all the while, and must never be refused.
    let (stop, published) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut api = server.api();
            while !stop.load(Ordering::Relaxed) {
                api.publish("elsewhere", "e", "d");
                published.fetch_add(1, Ordering::Relaxed);
            }
        });
        postgres.kill();
        eventually("an unknown key is told to come back", || {
            (closed_with(&server, "/app/never-seen?protocol=7") == Some(4100)).then_some(())
        });
        let at_death = published.load(Ordering::Relaxed);
        let mut during = server.connect();
        during.subscribe_private(APP, "private-a");
        server.api().publish("private-a", "e", "during");
        before.expect_event("private-a", "e", "during");
        during.expect_event("private-a", "e", "during");
        eventually("publishing goes on", || {
            (published.load(Ordering::Relaxed) > at_death + 100).then_some(())
        });
        postgres.restart();
        eventually("what is unknown is unknown again", || {
            (closed_with(&server, "/app/other?protocol=7") == Some(4001)).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
    });

    fanfare(&server, &postgres, &["app", "disable", APP.id]);
    before.expect_close_code(4003);
    assert_eq!(closed_with(&server, &pusher_js(APP)), Some(4003));
}

/// What is sent to a Postgres by way of a port of its own.
struct Overheard {
    sent: Arc<Mutex<Vec<u8>>>,
    url: String,
}

impl Overheard {
    fn before(postgres: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let through = listener.local_addr().expect("a listener has an address").port();
        let sent = Arc::<Mutex<Vec<u8>>>::default();
        let (all, port) = (Arc::clone(&sent), postgres.port());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", port)).expect("Postgres takes connections");
                let all = Arc::clone(&all);
                let (mut from, mut to) =
                    (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                thread::spawn(move || {
                    let mut some = [0; 4096];
                    while let Ok(bytes @ 1..) = from.read(&mut some) {
                        all.lock().extend_from_slice(&some[..bytes]);
                        let _ = to.write_all(&some[..bytes]);
                    }
                });
                thread::spawn(move || std::io::copy(&mut &server, &mut &client));
            }
        });
        Self { sent, url: postgres.url().replace(&format!(":{port}/"), &format!(":{through}/")) }
    }

    fn has(&self, text: &str) -> bool {
        let sent = self.sent.lock();
        sent.windows(text.len()).any(|bytes| bytes == text.as_bytes())
    }
}

#[test]
fn refused_requests_that_are_not_logged_ask_the_database_nothing() {
    let postgres = Postgres::start();
    let overheard = Overheard::before(&postgres);
    let server =
        Setup::bare().env("DATABASE_URL", &overheard.url).env("FANFARE__LOG__FILTER", "warn").start();
    for app in 0..100 {
        assert_eq!(server.public(&format!("/apps/unheard-of-{app}/events?auth_key=k")).head.status, 405);
    }
    // A key that the database must be asked for shows that the questions are overheard.
    assert_eq!(closed_with(&server, "/app/never-heard-of?protocol=7"), Some(4001));
    assert!(overheard.has("never-heard-of"), "a question to the database was not overheard");
    assert!(!overheard.has("unheard-of"), "the database was asked for the app of a refused request");
}

#[test]
fn two_nodes_on_one_postgres_hear_of_a_change_both() {
    let postgres = Postgres::start();
    let one = start(&postgres);
    let other = Setup::bare().env("DATABASE_URL", &postgres.url()).start();
    let mut sockets = [one.connect(), other.connect()];
    fanfare(&one, &postgres, &["app", "disable", APP.id]);
    for socket in &mut sockets {
        socket.expect_close_code(4003);
    }
}

#[test]
fn the_tables_can_be_made_before_the_first_start() {
    let postgres = Postgres::start();
    let setup = Setup::bare().command(Some("migrate")).env("DATABASE_URL", &postgres.url());
    for _ in 0..2 {
        let ended = setup.run();
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(ended.stdout.starts_with("The tables of the Postgres database postgres at 127.0.0.1:"));
        assert!(!ended.stderr.contains("already exists"), "no remarks of a library: {}", ended.stderr);
    }
}
