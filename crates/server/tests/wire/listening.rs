//! Where the server listens: `localhost`, which is an address of each family.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use crate::support::http::Http;
use crate::support::setup::Setup;

const LOCALHOST: [&str; 4] = ["--listen", "localhost:0", "--admin-listen", "localhost:0"];

/// Whether this machine has the loopback address of IPv6.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn localhost_is_listened_on_over_each_family_that_the_machine_has() {
    let server = Setup::new().command(Some("serve")).arguments(&LOCALHOST).start();
    for addr in [server.addr, server.admin] {
        assert!(addr.ip().is_loopback() && addr.is_ipv4(), "{addr}");
        let second = SocketAddr::from((Ipv6Addr::LOCALHOST, addr.port()));
        for addr in [Some(addr), has_ipv6().then_some(second)].into_iter().flatten() {
            Http::connect(addr).get("/up").expect(r#"{"health":"OK"}"#);
        }
    }
}

#[test]
fn a_port_of_localhost_that_is_taken_on_one_family_is_told_with_the_address() {
    let taken = if has_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
    let listener = TcpListener::bind(taken).expect("a free port");
    let addr = listener.local_addr().expect("a listener has an address");
    let localhost = format!("localhost:{}", addr.port());
    let arguments = ["--listen", &localhost, "--admin-listen", "127.0.0.1:0"];
    let ended = Setup::new().command(Some("serve")).arguments(&arguments).run();
    assert_eq!(ended.status, 69, "{}", ended.stderr);
    // Somebody else may have the same port of the other family.
    let said = [addr, SocketAddr::from(([127, 0, 0, 1], addr.port()))]
        .map(|addr| format!("cannot listen on {addr}"));
    assert!(said.iter().any(|said| ended.stderr.contains(said)), "{}", ended.stderr);
    assert!(ended.stderr.contains("setting listen.addr"), "{}", ended.stderr);
    assert!(TcpStream::connect(addr).is_ok(), "the other server still listens");
}
