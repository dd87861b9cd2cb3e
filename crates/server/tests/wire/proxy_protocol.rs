//! Balancers that speak the PROXY protocol: not supported yet, and both log and answer say so.

use std::net::SocketAddr;

use crate::support::http::Http;
use crate::support::tls::Secured;

/// A header of version 1.
pub const V1: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\r\n";

/// A header of version 2 with the same addresses.
pub const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\xc7\x38\x01\xbb";

#[test]
fn a_connection_that_begins_with_the_proxy_protocol_is_told_and_logged_on_every_listener() {
    let secured = Secured::start();
    let server = &secured.server;
    let lines = || server.process.stderr().matches("begins with the PROXY protocol").count();
    let mut expected = 0;
    for addr in [server.addr, secured.addr(), server.admin] {
        for header in [V1, V2] {
            refused(addr, header);
            expected += 1;
            crate::support::eventually("a line of the log", || (lines() == expected).then_some(()));
        }
    }
    server.process.log_line("what to switch off", |line| {
        (line.contains("switch it off in the proxy") && line.contains("client=127.0.0.1")).then_some(())
    });
    server.public("/up").expect(r#"{"health":"OK"}"#);
}

fn refused(addr: SocketAddr, header: &[u8]) {
    let mut http = Http::connect(addr);
    http.write(&[header, b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat());
    http.answer().refused(400, "PROXY protocol");
    assert_eq!(http.until_end(), "");
}
