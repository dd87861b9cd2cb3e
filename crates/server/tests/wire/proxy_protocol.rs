//! Balancers that speak the PROXY protocol: the client's own address with `listen.proxy_protocol`, and a refusal without.

use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

use crate::support::api::Api;
use crate::support::examined::examine_at_home;
use crate::support::haproxy::HaProxy;
use crate::support::http::Http;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::stream::Stream;
use crate::support::tls::{BOTH, Secured};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, eventually};

/// A header of version 1.
pub const V1: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\r\n";

/// A header of version 2 with the same addresses.
pub const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\xc7\x38\x01\xbb";

/// A header of version 2 of a connection of the proxy's own.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

/// Trusts 127.0.0.1, and no other address of this machine.
const TRUSTING: &str = "[listen]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.1/32\"]\n";

/// An address of this machine that is no proxy's.
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 5));

const UP: &[u8] = b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n";

const HEALTHY: &str = r#"{"health":"OK"}"#;

const FAULTY: &str = "fanfare_http_connections_closed_total{listener=\"public\",reason=\"proxy_header\"}";

fn trusting() -> Setup {
    // Pairs of servers would be asked in turn.
    Setup::new().config(TRUSTING).config("[bus]")
}

#[test]
fn a_connection_that_begins_with_the_proxy_protocol_is_told_and_logged_on_every_listener() {
    let secured = Secured::start();
    let server = &secured.server;
    let lines = || server.process.stderr().matches("begins with the PROXY protocol").count();
    let mut expected = 0;
    for addr in [server.addr, secured.addr(), server.admin] {
        for header in [V1, V2] {
            refused(Http::connect(addr), header);
            expected += 1;
            eventually("a line of the log", || (lines() == expected).then_some(()));
        }
    }
    server.process.log_line("what to switch off", |line| {
        (line.contains("switch it off in the proxy") && line.contains("client=127.0.0.1")).then_some(())
    });
    server.public("/up").expect(HEALTHY);
}

fn refused(mut http: Http, header: &[u8]) {
    http.write(&[header, UP].concat());
    http.answer().refused(400, "does not speak the PROXY protocol with this address");
    assert_eq!(http.until_end(), "");
}

/// Waits for the line of a closed WebSocket of this client.
#[track_caller]
fn expect_closed_of(server: &TestServer, client: &str) {
    let (name, client) = ("connection closed", format!("client={client}"));
    server.process.log_line("the client's address", |line| {
        (line.contains(name) && line.contains(&client)).then_some(())
    });
}

#[test]
fn a_client_behind_haproxy_has_its_own_address_in_both_versions() {
    for option in ["send-proxy", "send-proxy-v2"] {
        let server = trusting().start();
        let proxy = HaProxy::before(&server.addr.to_string(), option);
        let http = Http::connect_from(STRANGER, proxy.addr);
        let (_, socket) = Upgrade::to(&pusher_js(APP)).open_over(http);
        let mut socket = socket.established(50);
        socket.subscribe("news");
        // A back end on the proxy's machine: its address is the proxy's own.
        Api::connect(proxy.addr, APP).publish("news", "e", "d");
        socket.expect_event("news", "e", "d");
        socket.close();
        expect_closed_of(&server, "127.0.0.5");
    }
}

#[test]
fn a_client_behind_haproxy_that_passes_tls_through_has_its_own_address() {
    let secured = Secured::start_with(trusting());
    for (last, option) in [(5, "send-proxy"), (6, "send-proxy-v2")] {
        let proxy = HaProxy::before(&secured.addr().to_string(), option);
        let client = IpAddr::from([127, 0, 0, last]);
        let plain = Http::connect_from(client, proxy.addr).into_parts().0;
        let Stream::Plain(tcp) = plain else { panic!("it is plain so far") };
        let http = Http::try_tls_on(tcp, secured.authority.client(&BOTH)).expect("a handshake");
        let (_, socket) = Upgrade::to(&pusher_js(APP)).open_over(http);
        socket.established(50).close();
        expect_closed_of(&secured.server, &client.to_string());
    }
}

/// A connection with a header in front.
fn behind(header: &[u8], addr: SocketAddr) -> Http {
    let mut http = Http::connect(addr);
    http.write(header);
    http
}

#[test]
fn a_header_without_a_client_leaves_the_connection_the_proxys_own() {
    let server = trusting().start();
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let mut http = behind(header, server.addr);
        http.get("/up").expect(HEALTHY);
        // Of the proxy itself the header of HTTP is believed.
        let upgrade = Upgrade::to(&pusher_js(APP)).header("X-Forwarded-For", "198.51.100.7");
        upgrade.open_over(http).1.established(50).close();
    }
    expect_closed_of(&server, "198.51.100.7");
}

#[test]
fn a_client_named_by_the_header_cannot_claim_another_address_by_a_header_of_http() {
    let server = trusting().start();
    let upgrade = Upgrade::to(&pusher_js(APP)).header("X-Forwarded-For", "198.51.100.7");
    upgrade.open_over(behind(V1, server.addr)).1.established(50).close();
    expect_closed_of(&server, "203.0.113.9");
}

#[test]
fn whoever_is_no_trusted_proxy_is_served_without_a_header_and_refused_with_one() {
    let server = trusting().start();
    Http::connect_from(STRANGER, server.addr).get("/up").expect(HEALTHY);
    for header in [V1, V2, LOCAL] {
        refused(Http::connect_from(STRANGER, server.addr), header);
    }
    server.process.log_line("what to set", |line| {
        (line.contains("listen.trusted_proxies") && line.contains("client=127.0.0.5")).then_some(())
    });
}

#[test]
fn a_trusted_proxy_without_a_usable_header_is_closed_counted_and_logged() {
    let server = trusting().start();
    // A health check of TCP is no fault.
    TcpStream::connect(server.addr).expect("it accepts").shutdown(Shutdown::Both).expect("it is open");
    assert!(server.metric(FAULTY) < 0.5);
    let mut http = behind(UP, server.addr);
    http.answer().refused(400, "expects the PROXY protocol");
    assert_eq!(http.until_end(), "");
    server.expect_metric(FAULTY, 1.0);
    let faulty: [&[u8]; 4] = [
        b"PROXY TCP4 203.0.113.9 192.0.2.1 51000\r\n",
        b"PROXY TCP4 203.0.113.999 192.0.2.1 51000 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x00",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ];
    for (header, count) in faulty.into_iter().zip([2.0, 3.0, 4.0, 5.0]) {
        assert_eq!(behind(header, server.addr).until_end(), "");
        server.expect_metric(FAULTY, count);
    }
    server.process.log_line("the fault", |line| {
        (line.contains("WARN") && line.contains("proxy_header") && line.contains("client=127.0.0.1"))
            .then_some(())
    });
    Http::connect(server.admin).get("/up").expect(HEALTHY);
}

#[test]
fn a_header_that_does_not_come_whole_in_time_ends_the_connection() {
    let server = trusting().config("[timeouts]\nhandshake = 1").start();
    let late = "fanfare_http_connections_closed_total{listener=\"public\",reason=\"late\"}";
    for (begun, count) in [(&b""[..], 1.0), (b"PROXY TCP4 203.0.113.9", 2.0), (&V2[..15], 3.0)] {
        assert_eq!(behind(begun, server.addr).until_end(), "");
        server.expect_metric(late, count);
    }
}

#[test]
fn the_bound_by_address_holds_for_the_client_that_the_header_names() {
    let server = trusting().config("[limits]\nhttp_connections_per_address = 2").start();
    let made_room = "fanfare_http_connections_closed_total{listener=\"public\",reason=\"made_room\"}";
    let opened = || {
        let mut http = behind(V2, server.addr);
        http.get("/up").expect(HEALTHY);
        http
    };
    let (mut first, _second) = (opened(), opened());
    assert!(server.metric(made_room) < 0.5);
    let _third = opened();
    assert_eq!(first.until_end(), "");
    server.expect_metric(made_room, 1.0);
    let _others: Vec<Http> = (0..4).map(|_| behind(LOCAL, server.addr)).collect();
    behind(LOCAL, server.addr).get("/up").expect(HEALTHY);
    server.expect_metric(made_room, 1.0);
}

#[test]
fn the_commands_on_the_servers_machine_send_the_header_themselves() {
    let server = trusting().start();
    let addr = server.addr.to_string();
    for arguments in [&["health", "--listen", &addr][..], &["send", "--listen", &addr, "news", "e", "{}"]] {
        let arguments = [arguments, &["--config", "fanfare.toml"]].concat();
        let ended = server.command(&arguments);
        assert_eq!(ended.status, 0, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    }
    let arguments = ["--config", "fanfare.toml", "--listen", &addr];
    examine_at_home(server.folder(), &[], &arguments).expect_well(&[
        "app key",
        "signature",
        "publish and receive",
    ]);
}
