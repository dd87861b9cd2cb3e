//! SIGHUP, which supervisors send for a reload and terminals when they close: no server ends because of SIGHUP.

use std::fs::{self, File};
use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::Secured;

#[test]
fn a_server_goes_on_and_says_that_nothing_has_changed() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    for _ in 0..2 {
        server.process.signal(Signal::HUP);
    }
    for said in [
        "SIGHUP: every source of settings is read again",
        "none that can change while the server runs has changed",
    ] {
        server.process.log_line(said, |line| line.contains(said).then_some(()));
    }
    server.api().publish("news", "e", "still here");
    socket.expect_event("news", "e", "still here");
    server.stop();
}

#[test]
fn with_tls_a_server_goes_on_and_says_what_is_read_again() {
    let secured = Secured::start();
    let mut socket = secured.connect();
    secured.server.process.signal(Signal::HUP);
    for said in ["SIGHUP: every source of settings is read again", "was read again and is the same"] {
        secured.server.process.log_line(said, |line| line.contains(said).then_some(()));
    }
    socket.expect_nothing_more();
}

#[test]
fn a_server_that_waits_for_its_database_stops_when_told_to() {
    let setup = Setup::bare();
    let folder = setup.folder().join("fanfare-data");
    fs::create_dir(&folder).expect("the folder can be written to");
    // As while another process migrates the tables.
    let other = File::create(folder.join("fanfare.db.lock")).expect("the folder can be written to");
    other.lock().expect("nobody else has locked it");
    let mut process = setup.spawn();
    eventually("the server has begun", || folder.join("fanfare.db").exists().then_some(()));
    process.signal(Signal::INT);
    assert_eq!(process.ended().code(), Some(0), "{}", process.stderr());
}

#[test]
fn a_server_that_has_not_started_yet_goes_on() {
    let database = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("postgres://u:p@{}/x", database.local_addr().expect("a bound socket has an address"));
    let mut process = Setup::bare().env("DATABASE_URL", &url).spawn();
    // The server waits for the database's first answer, and listens nowhere.
    let (silent, _) = database.accept().expect("the server asks the database");
    process.signal(Signal::HUP);
    drop((silent, database));
    assert_eq!(process.ended().code(), Some(69), "no signal has ended it: {}", process.stderr());
}
