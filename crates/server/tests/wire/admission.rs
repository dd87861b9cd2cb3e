//! Who may connect (WS-010, WS-056, WS-060 … WS-063).

use crate::support::eventually;
use crate::support::over_quota;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::{Frame, Socket};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, OTHER};

const TLS_ONLY: &str = "Application only accepts SSL connections, reconnect using wss:// (setting force_tls)";

fn open_with(server: &TestServer, name: &str, value: &str) -> Socket {
    Upgrade::to(&pusher_js(APP)).header(name, value).open(server.addr).1
}

#[test]
fn ws_060_a_disabled_app_is_closed_with_4003() {
    let server = Setup::with_app("enabled = false").start();
    server.open(&pusher_js(APP)).expect_close(4003, "Application disabled (setting enabled)");
    let old = server.open(&format!("/app/{}?protocol=5", APP.key));
    { old }.expect_close_by_event(4003, "Application disabled (setting enabled)");
}

#[test]
fn ws_060_the_checks_come_in_their_order() {
    let settings = "enabled = false\nforce_tls = true\nmax_connections = 1";
    let server = Setup::with_app(settings).start();
    server.open("/elsewhere?protocol=8").expect_close_code(4005);
    server.open("/app/unknown?protocol=8").expect_close_code(4007);
    server.open("/app/unknown?protocol=7").expect_close_code(4001);
    server.open(&pusher_js(APP)).expect_close_code(4003);
}

#[test]
fn ws_060_tls_is_asked_for_before_the_quota() {
    let server = Setup::with_app("force_tls = true\nmax_connections = 1").start();
    let _first = open_with(&server, "X-Forwarded-Proto", "https").established(50);
    server.open(&pusher_js(APP)).expect_close(4000, TLS_ONLY);
}

#[test]
fn ws_061_over_the_apps_quota_is_4004() {
    let server = Setup::with_app("max_connections = 2").start();
    let _first = server.connect();
    let _second = server.connect();
    server.open(&pusher_js(APP)).expect_close(4004, &over_quota(2));
    let mut old = server.open(&format!("/app/{}?protocol=5", APP.key));
    old.expect_close_by_event(4004, &over_quota(2));
}

#[test]
fn ws_061_a_close_gives_the_place_back() {
    let server = Setup::with_app("max_connections = 1").start();
    for _ in 0..3 {
        let socket = eventually("the place is free again", || {
            let mut socket = server.open(&pusher_js(APP));
            match socket.frame() {
                Frame::Text(_) => Some(socket),
                Frame::Close(Some(4004), _) => None,
                other => panic!("{other:?}"),
            }
        });
        server.open(&pusher_js(APP)).expect_close(4004, &over_quota(1));
        socket.close();
    }
}

#[test]
fn ws_061_refused_connections_take_no_place() {
    let server = Setup::with_app("max_connections = 1").start();
    for _ in 0..5 {
        server.open("/app/unknown?protocol=7").expect_close_code(4001);
        server.open(&format!("/app/{}?protocol=2", APP.key)).frame();
    }
    server.connect();
}

#[test]
fn ws_061_many_at_once_do_not_get_past_the_quota() {
    let server = Setup::with_app("max_connections = 5").start();
    let firsts: Vec<(Socket, Frame)> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut socket = server.open(&pusher_js(APP));
                    let first = socket.frame();
                    (socket, first)
                })
            })
            .collect();
        opening.into_iter().map(|thread| thread.join().expect("every connection is answered")).collect()
    });
    let accepted = firsts.iter().filter(|(_, first)| matches!(first, Frame::Text(_))).count();
    let refused = firsts.iter().filter(|(_, first)| matches!(first, Frame::Close(Some(4004), _))).count();
    assert_eq!((accepted, refused), (5, 15));
}

#[test]
fn ws_061_a_full_node_sends_newcomers_away_with_4100() {
    let server = Setup::new().config("[limits]\nconnections = 2").app(OTHER, "").start();
    let _first = server.connect();
    let _second = server.connect_to(OTHER);
    server.open(&pusher_js(APP)).expect_close(4100, "Over capacity (setting limits.connections)");
    server.open(&pusher_js(OTHER)).expect_close(4100, "Over capacity (setting limits.connections)");
}

#[test]
fn ws_061_a_full_node_has_room_again_after_a_close() {
    let server = Setup::new().config("[limits]\nconnections = 1").start();
    server.connect().close();
    eventually("the place is free again", || {
        matches!(server.open(&pusher_js(APP)).frame(), Frame::Text(_)).then_some(())
    });
}

#[test]
fn ws_061_a_full_node_still_takes_requests() {
    let server = Setup::new().config("[limits]\nconnections = 1").start();
    let mut socket = server.connect();
    socket.subscribe("news");
    server.api().publish("news", "e", "d");
    socket.expect_event("news", "e", "d");
}

#[test]
fn ws_010_every_origin_is_welcome_by_default() {
    let server = TestServer::start();
    for origin in ["https://anything.example", "null", "not an origin"] {
        open_with(&server, "Origin", origin).established(50);
    }
}

#[test]
fn ws_010_an_origin_off_the_list_is_closed_with_4009() {
    let server = Setup::with_app("allowed_origins = [\"example.com\", \"*.trusted.example\"]").start();
    for origin in ["https://example.com", "http://example.com:8080", "https://a.trusted.example"] {
        open_with(&server, "Origin", origin).established(50);
    }
    for origin in
        ["https://evil.example", "https://example.com.evil.example", "https://notexample.com", "null"]
    {
        let mut socket = open_with(&server, "Origin", origin);
        // WS-010 wants the event for all versions, WS-053 for the old versions: either passes here.
        let mut frame = socket.frame();
        if matches!(&frame, Frame::Text(text) if text.contains(r#""code":4009"#)) {
            frame = socket.frame();
        }
        assert!(matches!(frame, Frame::Close(Some(4009), _)), "{origin}: {frame:?}");
    }
}

#[test]
fn ws_062_a_connection_that_is_not_authorized_in_time_is_closed_with_4009() {
    let server = Setup::with_app("authorized_connections = true").config("[timeouts]\nauthorize = 1").start();
    let mut silent = server.connect();
    let mut public = server.connect();
    public.subscribe("news");
    let mut private = server.connect();
    private.subscribe_private(APP, "private-a");
    let mut presence = server.connect();
    presence.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    let mut old = server.open(&format!("/app/{}?protocol=5", APP.key)).established(50);
    let reason = "Connection not authorized within timeout (setting timeouts.authorize)";
    silent.expect_close(4009, reason);
    public.expect_close(4009, reason);
    old.expect_close_by_event(4009, reason);
    private.expect_nothing_more();
    presence.expect_nothing_more();
}

#[test]
fn ws_062_an_app_that_does_not_ask_for_it_keeps_everybody() {
    let server = Setup::with_app("authorized_connections = true")
        .app(OTHER, "")
        .config("[timeouts]\nauthorize = 1")
        .start();
    let mut other = server.connect_to(OTHER);
    let mut strict = server.connect();
    strict.expect_close(4009, "Connection not authorized within timeout (setting timeouts.authorize)");
    other.expect_nothing_more();
}

#[test]
fn ws_062_connections_that_are_not_authorized_do_not_count_towards_the_quota() {
    let server = Setup::with_app("authorized_connections = true\nmax_connections = 1").start();
    let _first = server.connect();
    let _second = server.connect();
    let mut third = server.connect();
    third.subscribe_private(APP, "private-a");
}

#[test]
fn ws_063_without_tls_an_app_that_demands_it_is_closed_with_4000() {
    let server = Setup::with_app("force_tls = true").start();
    server.open(&pusher_js(APP)).expect_close(4000, TLS_ONLY);
    open_with(&server, "X-Forwarded-Proto", "http").expect_close(4000, TLS_ONLY);
    let mut old = server.open(&format!("/app/{}?protocol=5", APP.key));
    old.expect_close_by_event(4000, TLS_ONLY);
}

#[test]
fn ws_063_a_trusted_proxy_says_that_the_client_came_over_tls() {
    let server = Setup::with_app("force_tls = true").start();
    for scheme in ["https", "HTTPS", "wss"] {
        open_with(&server, "X-Forwarded-Proto", scheme).established(50);
    }
    open_with(&server, "X-Forwarded-Ssl", "on").established(50);
    open_with(&server, "Forwarded", "proto=https").established(50);
    open_with(&server, "Forwarded", "for=\"[2001:db8::7]:4711\";proto=https").established(50);
    open_with(&server, "X-Forwarded-Ssl", "off").expect_close(4000, TLS_ONLY);
    open_with(&server, "Forwarded", "for=192.0.2.1;proto=http").expect_close(4000, TLS_ONLY);
}

#[test]
fn ws_063_anybody_else_is_not_believed() {
    let server =
        Setup::with_app("force_tls = true").config("[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]").start();
    for (name, value) in
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Ssl", "on"), ("Forwarded", "proto=https")]
    {
        open_with(&server, name, value).expect_close(4000, TLS_ONLY);
    }
}

#[test]
fn the_client_that_a_trusted_proxy_names_stands_in_the_log() {
    let server = TestServer::start();
    for (name, value, client) in [
        ("X-Forwarded-For", "203.0.113.1", "203.0.113.1"),
        ("Forwarded", "for=203.0.113.2;proto=https", "203.0.113.2"),
        ("Forwarded", "for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
    ] {
        let request = Upgrade::to("/app/unknown?protocol=7").header(name, value);
        request.open(server.addr).1.expect_close_code(4001);
        server.process.log_line(client, |line| {
            (line.contains("connection refused") && line.contains(&format!("client={client}"))).then_some(())
        });
    }
}
