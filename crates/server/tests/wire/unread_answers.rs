//! Unread answers: given up when the peer takes no bytes, on every listener.

use std::time::Instant;

use crate::support::DEADLINE;
use crate::support::http::Http;
use crate::support::setup::Setup;
use crate::support::tls::{BOTH, Secured};

const UNREAD: &str = "reason=\"unread\"";

fn impatient() -> Secured {
    Secured::start_with(Setup::new().config("[timeouts]\nhttp_write = 1\nkeep_alive = 60"))
}

/// Sends requests for as long as the server accepts bytes, and reads nothing; then waits for the close.
fn ask_and_never_read(mut http: Http) {
    let requests = b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let began = Instant::now();
    while http.try_write(&requests) {
        assert!(began.elapsed() < DEADLINE * 2, "everything is taken");
    }
    assert!(began.elapsed() < DEADLINE, "not hung up on: writing has timed out by itself");
}

fn expect_given_up(secured: &Secured, listener: &str, count: f64) {
    let name = format!("fanfare_http_connections_closed_total{{listener=\"{listener}\",{UNREAD}}}");
    secured.server.expect_metric(&name, count);
}

#[test]
fn pipelined_answers_that_are_not_read_are_given_up_on_every_listener() {
    let secured = impatient();
    ask_and_never_read(Http::connect_narrow(secured.server.addr));
    expect_given_up(&secured, "public", 1.0);
    ask_and_never_read(Http::connect_narrow(secured.server.admin));
    expect_given_up(&secured, "admin", 1.0);
    ask_and_never_read(Http::over_tls(secured.addr(), secured.authority.client(&BOTH)));
    expect_given_up(&secured, "public", 2.0);
}

#[test]
fn an_answer_that_is_read_slowly_is_not_given_up() {
    let server =
        Setup::new().config("[limits]\nchannels_per_connection = 10000\n[timeouts]\nhttp_write = 2").start();
    let mut socket = server.connect();
    let name = |number: usize| format!("{}{number:05}", "x".repeat(150));
    for number in 0..3000 {
        socket.ask_for(&name(number));
        socket.expect_succeeded(&name(number));
    }
    let mut http = Http::connect_narrow(server.addr);
    http.write(&crate::support::api::Request::get("/apps/3/channels").bytes());
    let began = Instant::now();
    let mut read = 0;
    // Longer than the server's write timeout.
    while read < 3000 * 150 {
        assert!(began.elapsed() < DEADLINE * 2);
        read += http.some_after(std::time::Duration::from_millis(30));
    }
    assert!(began.elapsed().as_secs() >= 2, "read so fast that it proves nothing");
}
