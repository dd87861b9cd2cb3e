//! The keep-alive time of an HTTP connection, and its announcement to the client.

use std::time::{Duration, Instant};

use crate::support::http::Http;
use crate::support::setup::Setup;
use crate::support::tls::Secured;

const HEALTHY: &str = r#"{"health":"OK"}"#;

/// Longer than the server keeps buffers for an idle connection.
const COLD: Duration = Duration::from_millis(2600);

fn with_keep_alive(seconds: u32) -> Secured {
    Secured::start_with(Setup::new().config(&format!("[timeouts]\nhandshake = 1\nkeep_alive = {seconds}")))
}

/// A connection to each listener after one request.
fn connections(secured: &Secured) -> [Http; 3] {
    let mut all = [Http::connect(secured.server.addr), Http::connect(secured.server.admin), secured.http()];
    for http in &mut all {
        http.get("/up").expect(HEALTHY);
    }
    all
}

#[test]
fn an_idle_connection_outlasts_the_time_for_a_handshake_and_is_used_again() {
    let secured = with_keep_alive(30);
    let mut all = connections(&secured);
    for _ in 0..2 {
        for http in &mut all {
            let answer = http.get("/up");
            answer.expect(HEALTHY);
            assert_eq!(answer.head.header("keep-alive"), Some("timeout=30"));
            assert_eq!(answer.head.header("connection"), Some("keep-alive"));
        }
        for http in &mut all {
            assert!(http.is_left_alone_for(COLD / 3), "closed as if it had to send something");
        }
    }
    for http in &mut all {
        assert!(http.is_left_alone_for(COLD), "closed as if it had to send something");
        http.get("/up").expect(HEALTHY);
    }
}

#[test]
fn an_idle_connection_is_closed_a_little_later_than_was_told() {
    let secured = with_keep_alive(5);
    let mut all = connections(&secured);
    let idle_since = Instant::now();
    assert!(all[0].is_left_alone_for(Duration::from_millis(5500)), "a request might be on its way");
    for http in &mut all {
        assert_eq!(http.until_end(), "");
    }
    assert!(idle_since.elapsed() < Duration::from_secs(20));
    for (listener, count) in [("public", 2.0), ("admin", 1.0)] {
        let name =
            format!("fanfare_http_connections_closed_total{{listener=\"{listener}\",reason=\"idle\"}}");
        secured.server.expect_metric(&name, count);
    }
}

#[test]
fn the_time_for_a_head_begins_with_its_first_byte_on_a_connection_that_was_idle() {
    let secured = with_keep_alive(30);
    let mut all = connections(&secured);
    assert!(all[0].is_left_alone_for(COLD));
    for http in &mut all {
        http.write(b"GET /up HTTP/1.1\r\nHost: ");
        let began = Instant::now();
        assert_eq!(http.until_end(), "");
        let kept = began.elapsed();
        assert!(kept > Duration::from_millis(500) && kept < Duration::from_secs(8), "{kept:?}");
    }
}

#[test]
fn a_request_whose_beginning_came_with_the_one_before_is_not_lost_over_idleness() {
    let secured = Secured::start();
    for http in &mut connections(&secured) {
        http.write(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\nGET /up HT");
        http.answer().expect(HEALTHY);
        assert!(http.is_left_alone_for(COLD));
        http.write(b"TP/1.1\r\nHost: localhost\r\n\r\n");
        http.answer().expect(HEALTHY);
        http.get("/up").expect(HEALTHY);
    }
}

#[test]
fn a_connection_that_was_idle_becomes_a_websocket_with_what_was_sent_behind_the_request() {
    use crate::support::socket::{FIN, TEXT, masked};
    use crate::support::upgrade::Upgrade;
    use crate::support::{APP, PONG};
    let secured = Secured::start();
    for mut http in [Http::connect(secured.server.addr), secured.http()] {
        let request = Upgrade::to(&crate::support::server::pusher_js(APP));
        let ping = masked(FIN | TEXT, br#"{"event":"pusher:ping"}"#);
        let request = request.followed_by(&ping).bytes();
        let (some, rest) = request.split_at(40);
        let mut early = b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
        early.extend_from_slice(some);
        http.write(&early);
        http.answer().expect(HEALTHY);
        assert!(http.is_left_alone_for(COLD));
        http.write(rest);
        assert_eq!(http.head().status, 101);
        let mut socket = crate::support::socket::Socket::new(http).established(50);
        socket.expect_text(PONG);
    }
}
