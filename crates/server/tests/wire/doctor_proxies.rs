//! The doctor behind a proxy that changes requests: the server's own answer shows what arrived.

use crate::proxy_protocol;
use crate::support::application::Application;
use crate::support::examined::{Examined, examine};
use crate::support::hop::Hop;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::Secured;
use crate::support::{APP, eventually};

const CREDENTIALS: [&str; 6] = ["--key", APP.key, "--app-id", APP.id, "--secret", APP.secret];

#[track_caller]
fn examine_through(hop: &Hop) -> Examined {
    examine(&[&["--url", &*hop.url()], &CREDENTIALS[..]].concat())
}

#[test]
fn a_proxy_that_changes_nothing_is_no_fault() {
    let server = TestServer::start();
    let hop = Hop::before(server.addr, str::to_owned);
    examine_through(&hop).expect_well(&["app key", "signature", "clock", "publish and receive"]);
}

#[test]
fn a_proxy_that_loses_the_query_is_told_apart_from_a_wrong_secret() {
    let server = TestServer::start();
    let examined = examine_through(&Hop::losing_queries(server.addr));
    examined.expect("app key", "passed", &[]);
    examined
        .expect_failed("signature", &["auth_key", "without its query", "/apps/3/channels", "$is_args$args"]);
    assert!(!examined.mentions("secret is wrong"));
    let strict = Setup::new().config("[listen]\nversion_required = true").start();
    examine_through(&Hop::losing_queries(strict.addr))
        .expect_failed("app key", &["4008", "without its query"]);
}

#[test]
fn a_proxy_that_changes_a_part_of_the_query_is_told_apart_from_a_wrong_secret() {
    let server = TestServer::start();
    let added = Hop::replacing(server.addr, "?auth_key", "?via=proxy&auth_key");
    examine_through(&added).expect_failed("signature", &["changes the query", "`via=proxy` arrives"]);
    let lost = Hop::replacing(server.addr, "auth_timestamp", "auth_stamp");
    examine_through(&lost).expect_failed("signature", &["changes the query", "a part of it is missing"]);
}

#[test]
fn a_proxy_that_takes_off_the_path_is_told_apart_from_one_that_lets_it_not_through() {
    let server = TestServer::start();
    let examined = examine_through(&Hop::replacing(server.addr, "/apps/", "/"));
    examined.expect("app key", "passed", &[]);
    examined.expect_failed(
        "signature",
        &["404", "changes the path", "/apps/3/channels was sent, and /3/channels arrives"],
    );
    assert!(!examined.mentions("let /apps/ through") && !examined.mentions("but not /apps/"));
    let examined = examine_through(&Hop::replacing(server.addr, "/app/", "/"));
    let arrives = format!("/app/{} was sent, and /{} arrives", APP.key, APP.key);
    examined.expect_failed("app key", &["4005", "changes the path", &arrives]);
}

#[test]
fn a_proxy_that_puts_something_before_the_path_is_told_the_setting_for_it() {
    let server = TestServer::start();
    let examined = examine_through(&Hop::replacing(server.addr, " /app", " /ws/app"));
    for hop in ["app key", "signature"] {
        examined.expect_failed(hop, &["changes the path", "listen.path_prefix = \"/ws\""]);
    }
    let prefixed = Setup::new().config("[listen]\npath_prefix = \"/ws\"").start();
    examine_through(&Hop::replacing(prefixed.addr, " /", " /ws/")).expect_well(&[
        "app key",
        "signature",
        "publish and receive",
        "HTTP fallback",
    ]);
}

#[test]
fn a_proxy_that_rewrites_to_another_app_key_or_method_is_told() {
    let server = TestServer::start();
    let examined = examine_through(&Hop::replacing(server.addr, "/apps/3/", "/apps/4/"));
    examined.expect_failed("signature", &["changes the path", "/apps/4/"]);
    let examined = examine_through(&Hop::replacing(server.addr, "/app/2", "/app/x"));
    examined.expect_failed("app key", &["4001", "changes the path"]);
    let posting = Hop::replacing(server.addr, "GET /apps/3/channels", "POST /apps/3/channels");
    examine_through(&posting).expect_failed("signature", &["405", "changes the method or the path"]);
}

#[test]
fn a_proxy_that_loses_the_query_of_what_is_published_alone_is_told() {
    let server = TestServer::start();
    let hop = Hop::before(server.addr, |head| match head.split_once('?') {
        Some((start, rest)) if head.starts_with("POST") => {
            format!("{start} {}", rest.split_once(' ').map_or(rest, |(_, rest)| rest))
        }
        _ => head.to_owned(),
    });
    examine_through(&hop)
        .expect("signature", "passed", &[])
        .expect_failed("publish and receive", &["401", "without its query"]);
}

#[test]
fn a_balancer_that_speaks_the_proxy_protocol_is_told_what_to_switch_off() {
    let server = TestServer::start();
    let (secured, authority) = Secured::start_for(&["localhost"], |_| {});
    let authority = authority.path().to_string_lossy().into_owned();
    for header in [proxy_protocol::V1, proxy_protocol::V2] {
        let examined = examine_through(&Hop::beginning_with(header, server.addr));
        for hop in ["WebSocket upgrade", "signature"] {
            examined.expect_failed(hop, &["400", "PROXY protocol", "send-proxy-v2", "proxy_protocol"]);
        }
        for wrong in ["does not pass on the upgrade", "let /apps/ through"] {
            assert!(!examined.mentions(wrong), "{wrong}");
        }
        let hop = Hop::beginning_with(header, secured.addr());
        let url = format!("wss://localhost:{}", hop.addr.port());
        examine(&["--url", &url, "--ca-file", &authority])
            .expect_failed("TLS", &["PROXY protocol", "send-proxy-v2", "proxy_protocol"]);
    }
}

#[test]
fn a_proxy_that_loses_the_body_of_what_is_published_is_told() {
    let server = TestServer::start();
    examine_through(&Hop::losing_bodies(server.addr))
        .expect("signature", "passed", &[])
        .expect_failed("publish and receive", &["401", "body_md5", "A proxy in between loses the body"]);
}

#[test]
fn a_redirect_is_named_with_its_target_and_without_a_signature() {
    let server = TestServer::start();
    let browser = format!("ws://{}", server.addr);
    for (status, location, target) in [
        (
            "301 Moved Permanently",
            "https://ws.example.com/apps/3?auth_signature=f00",
            "https://ws.example.com/apps/3",
        ),
        ("302 Found", "/login", "/login"),
        ("307 Temporary Redirect", "https://ws.example.com/", "https://ws.example.com/"),
        ("308 Permanent Redirect", "", "an address that it does not name"),
    ] {
        let front = Application::raw(&format!(
            "HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        let redirect = format!("is answered {}, with a redirect to {target}", &status[..3]);
        let api = format!("http://{}", front.addr);
        let examined = examine(&[&["--url", &*browser, "--api", &api], &CREDENTIALS[..]].concat());
        examined.expect_failed(
            "signature",
            &[&redirect, "point the back end at that address", "stop the redirect for /apps/"],
        );
        assert!(!examined.mentions("f00"));
        let examined = examine(&[&["--url", &*format!("ws://{}", front.addr)], &CREDENTIALS[..]].concat());
        examined.expect_failed(
            "WebSocket upgrade",
            &[&redirect, "point the clients at that address", "stop the redirect for /app/"],
        );
    }
}

#[test]
fn a_proxy_that_speaks_http_1_0_is_told_the_line_that_nginx_lacks() {
    let server = TestServer::start();
    let hop = Hop::replacing(server.addr, "HTTP/1.1", "HTTP/1.0");
    let examined = examine_through(&hop);
    examined.expect_failed("WebSocket upgrade", &["426", "HTTP/1.0", "proxy_http_version 1.1;"]);
    examined.expect("app key", "skipped", &[]).expect("signature", "passed", &[]);
    eventually("the server has logged it", || {
        server.process.stderr().contains("WebSocket handshake refused").then_some(())
    });
}
