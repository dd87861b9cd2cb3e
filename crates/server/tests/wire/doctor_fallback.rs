//! The doctor on the HTTP fallback: whether pages get through where WebSockets are blocked.

use crate::support::APP;
use crate::support::application::{Application, Reply};
use crate::support::examined::{Examined, examine};
use crate::support::hop::Hop;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

const HOP: &str = "HTTP fallback";

fn examine_at(url: &str) -> Examined {
    examine(&["--url", url, "--key", APP.key])
}

/// A network that lets no WebSocket through.
fn without_websockets(server: &TestServer) -> Hop {
    Hop::before(server.addr, |head| head.replace("Upgrade: websocket\r\n", ""))
}

#[test]
fn where_websockets_are_blocked_the_doctor_says_that_pages_come_through_by_the_fallback() {
    let server = TestServer::start();
    let examined = examine_at(&without_websockets(&server).url());
    examined.expect_failed("WebSocket upgrade", &["426"]);
    examined.expect(HOP, "passed", &["/pusher/app/", "no WebSocket gets through", "httpHost"]);
    server.process.log_line("the close of the doctor's session", |line| {
        (line.contains("connection closed") && line.contains("xhr_streaming")).then_some(())
    });
    let examined = examine_at(&format!("ws://{}", server.addr));
    examined.expect(HOP, "passed", &["for pages of networks where WebSockets are blocked"]);
}

#[test]
fn a_proxy_that_forwards_app_alone_is_told_the_path_that_is_missing() {
    let server = TestServer::start();
    let others = Hop::replacing(server.addr, " /pusher/", " /other/");
    let examined = examine_at(&others.url());
    examined.expect("app key", "passed", &[]);
    examined.expect_failed(HOP, &["is answered 404", "changes the path", "/other/app/"]);
    let front =
        Application::raw("HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 6\r\n\r\n<html>");
    let examined = examine_at(&format!("ws://{}/ws", front.addr));
    examined.expect_failed(HOP, &["404 by nginx", "must forward /ws/pusher/ as well"]);
}

#[test]
fn a_fallback_that_is_switched_off_is_noted_and_no_fault() {
    let server = Setup::new().config("[listen]\nfallback = false").start();
    let examined = examine_at(&format!("ws://{}", server.addr));
    examined.expect(HOP, "noted", &["listen.fallback = false", "do not connect"]);
    assert_eq!(examined.status, 0);
}

#[test]
fn a_proxy_that_holds_answers_back_or_answers_by_itself_is_told() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let other = Application::raw(&format!("{head}5\r\nhello\r\n0\r\n\r\n"));
    examine_at(&format!("ws://{}", other.addr)).expect_failed(HOP, &["not by a server of this fallback"]);
    let holding = Application::start(|question| match question.line.starts_with("POST /pusher/") {
        true => Reply::Hang,
        false => Reply::Body(404, ""),
    });
    let examined = examine_at(&format!("ws://{}", holding.addr));
    examined.expect_failed(HOP, &["is not answered in 5 s", "proxy_buffering off", "Pages poll until then"]);
}

#[test]
fn an_app_that_refuses_its_clients_is_told_by_the_fallback_too() {
    let server = Setup::with_app("enabled = false").start();
    let examined = examine_at(&format!("ws://{}", server.addr));
    examined.expect_failed("app key", &["4003"]).expect(HOP, "skipped", &["refuses its clients"]);
    let examined = examine_at(&without_websockets(&server).url());
    examined.expect_failed(HOP, &["the app refuses its clients", "c[4003,"]);
}

#[test]
fn a_redirect_names_the_options_of_pages() {
    let front = Application::raw(
        "HTTP/1.1 301 Moved Permanently\r\nLocation: https://ws.example.com/\r\nContent-Length: 0\r\n\r\n",
    );
    let examined = examine_at(&format!("ws://{}", front.addr));
    examined.expect_failed(HOP, &["301", "to https://ws.example.com/", "httpHost", "/pusher/"]);
}
