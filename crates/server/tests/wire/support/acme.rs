//! Servers that get their certificate from an authority, and clients that trust this authority alone.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use fanfare_testing::pebble::Pebble;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::http::Http;
use super::server::{TestServer, pusher_js};
use super::socket::Socket;
use super::upgrade::Upgrade;
use super::{APP, eventually_within};

/// The names of the certificates.
pub const NAMES: [&str; 2] = ["ws.test", "b.test"];

/// Deadline of an order: an authority looks at its challenges in its own time.
pub const LONG: Duration = Duration::from_secs(60);

/// Seconds that nobody waits for.
pub const HOURS: u64 = 100 * 3600;

/// A life of which two thirds are over soon.
pub const SOON: u64 = 12;

/// The counter of orders that have brought a certificate.
pub const DONE: &str = "fanfare_acme_orders_total{outcome=\"done\"}";
/// The counter of those that have not.
pub const FAILED: &str = "fanfare_acme_orders_total{outcome=\"failed\"}";
/// The gauge of whether the last has failed.
pub const FAILING: &str = "fanfare_acme_failing";

/// How the authority asks.
#[derive(Clone, Copy, PartialEq)]
pub enum Challenge {
    Http,
    TlsAlpn,
}

/// The settings of a server that gets its certificate from this authority.
pub fn settings(pebble: &Pebble, challenge: Challenge) -> String {
    let (http, tls) = pebble.ports;
    let (name, tls) = match challenge {
        Challenge::Http => ("http-01", 0),
        Challenge::TlsAlpn => ("tls-alpn-01", tls),
    };
    of_directory(&pebble.url(), tls)
        + &format!(
            "directory_ca_file = \"{}\"\nchallenge = \"{name}\"\nhttp_addr = \"127.0.0.1:{http}\"\n",
            pebble.ca_file().display()
        )
}

/// The settings of a server that asks the authority with this directory.
pub fn of_directory(url: &str, tls: u16) -> String {
    format!(
        "[tls]\naddr = \"127.0.0.1:{tls}\"\n[tls.acme]\ndomains = [\"ws.test\", \"B.test\"]\n\
         contact = [\"ops@example.com\"]\nterms_agreed = true\nretry = 1\ndirectory = \"{url}\"\n"
    )
}

/// A client that trusts the certificates that this authority issues now, and speaks these protocols.
pub fn client(pebble: &Pebble, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pebble.root().as_bytes()).expect("PEM")).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks both")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

pub fn try_connect(addr: SocketAddr, client: &Arc<ClientConfig>, name: &str) -> std::io::Result<Http> {
    let tcp = TcpStream::connect(addr).expect("the server accepts connections");
    Http::try_tls_to(tcp, Arc::clone(client), ServerName::try_from(name.to_owned()).expect("a legal name"))
}

/// A connection over TLS that the client trusts, as soon as there is one.
#[track_caller]
pub fn connected(server: &TestServer, pebble: &Pebble, name: &str) -> Http {
    let (addr, client) = (server.tls.expect("the server speaks TLS"), client(pebble, &[]));
    eventually_within(LONG, "a client trusts the certificate", || try_connect(addr, &client, name).ok())
}

/// A WebSocket over TLS.
#[track_caller]
pub fn websocket(server: &TestServer, pebble: &Pebble) -> Socket {
    Upgrade::to(&pusher_js(APP)).open_over(connected(server, pebble, NAMES[0])).1.established(50)
}

/// An event reaches a client over TLS.
#[track_caller]
pub fn expect_served(server: &TestServer, pebble: &Pebble) {
    let mut socket = websocket(server, pebble);
    socket.subscribe("news");
    server.api().publish("news", "e", "over TLS");
    socket.expect_event("news", "e", "over TLS");
    for name in NAMES {
        drop(connected(server, pebble, name));
    }
}

/// What `/ready` says of the certificate, as JSON.
pub fn certificate(server: &TestServer) -> serde_json::Value {
    let mut http = Http::connect(server.admin);
    http.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
    let answer = http.answer();
    assert_eq!(answer.head.status, 200, "the node stays in the balancer: {}", answer.body);
    let value: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let all = value["dependencies"].as_array().expect("a list");
    all.iter().find(|each| each["name"] == "certificate").expect("the certificate is among them").clone()
}
