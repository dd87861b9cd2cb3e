//! Apps that keep only authorized connections, and their quota slots (WS-062, LIM-026).

use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, eventually, over_quota};

const TOO_LATE: &str = "Connection not authorized within timeout (setting timeouts.authorize)";

fn strict(settings: &str) -> Setup {
    Setup::with_app(&format!("authorized_connections = true\n{settings}"))
}

/// A server that requires authorization within a second.
fn impatient() -> TestServer {
    strict("").config("[timeouts]\nauthorize = 1").start()
}

#[test]
fn ws_062_a_sign_in_authorizes() {
    let server = impatient();
    let mut signed_in = server.connect();
    signed_in.sign_in(APP, r#"{"id":"u1"}"#);
    let mut silent = server.connect();
    // Opened later, closed for its silence: by then the other's timeout is over, too.
    silent.expect_close(4009, TOO_LATE);
    signed_in.expect_nothing_more();
    signed_in.subscribe("#server-to-user-u1");
}

#[test]
fn ws_062_what_fails_does_not_authorize() {
    let server = impatient();
    let mut failing = server.connect();
    failing.ask_to_sign_in(APP, r#"{"id":7}"#);
    assert_eq!(failing.error().0, Some(4009));
    failing.ask_for("private-a");
    failing.expect_error("Auth info required to subscribe to private-a");
    failing.ask_for("#server-to-user-u1");
    assert_eq!(failing.error().0, Some(4009));
    failing.subscribe("cache-a");
    failing.expect_cache_miss("cache-a");
    failing.expect_close(4009, TOO_LATE);
}

#[test]
fn ws_062_who_was_authorized_once_stays_after_leaving_its_channel() {
    let server = impatient();
    let mut socket = server.connect();
    socket.subscribe_private(APP, "private-a");
    socket.unsubscribe("private-a");
    server.connect().expect_close(4009, TOO_LATE);
    socket.expect_nothing_more();
}

#[test]
fn ws_062_only_the_authorized_count_in_the_quota() {
    let server = strict("max_connections = 2").start();
    let mut sockets: Vec<Socket> = (0..5).map(|_| server.connect()).collect();
    sockets[0].sign_in(APP, r#"{"id":"u1"}"#);
    sockets[1].subscribe_private(APP, "private-a");
    // Further authorizations of the connection take no further slot.
    sockets[1].sign_in(APP, r#"{"id":"u2"}"#);
    sockets[1].subscribe_private(APP, "private-b");
    for socket in &mut sockets {
        socket.expect_nothing_more();
    }
    let mut by_channel = sockets.pop().expect("five");
    by_channel.subscribe_private(APP, "private-a");
    by_channel.expect_close(4004, &over_quota(2));
    let mut by_sign_in = sockets.pop().expect("four");
    by_sign_in.sign_in(APP, r#"{"id":"u3"}"#);
    by_sign_in.expect_close(4004, &over_quota(2));
    let mut waiting = sockets.pop().expect("three");
    waiting.subscribe("news");
    sockets.pop().expect("two").close();
    waiting.subscribe_private(APP, "private-a");
    waiting.expect_nothing_more();
}

#[test]
fn ws_062_where_it_is_not_asked_for_everybody_counts() {
    let server = Setup::with_app("max_connections = 1").start();
    let mut first = server.connect();
    server.open(&pusher_js(APP)).expect_close(4004, &over_quota(1));
    first.sign_in(APP, r#"{"id":"u1"}"#);
    first.subscribe_private(APP, "private-a");
    first.expect_nothing_more();
}

#[test]
fn lim_026_the_quota_is_a_setting_and_absent_by_default() {
    let server = TestServer::start();
    let many: Vec<Socket> = (0..150).map(|_| server.connect()).collect();
    drop(many);
    let server = Setup::with_app("max_connections = 3").start();
    let three = [server.connect(), server.connect(), server.connect()];
    server.open(&pusher_js(APP)).expect_close(4004, &over_quota(3));
    drop(three);
    eventually("there is room again", || {
        let text = server.open(&pusher_js(APP)).frame();
        matches!(text, crate::support::socket::Frame::Text(_)).then_some(())
    });
}
