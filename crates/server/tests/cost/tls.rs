//! The heap cost of an encrypted connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use stats_alloc::Region;

use crate::client::DEADLINE;
use crate::server::{Running, start_in};
use crate::{ALLOCATOR, client, during, kept, my_turn, settled};

const CROWD: usize = 300;

/// Most bytes of heap of an idle connection over TLS with one subscription.
const BYTES_PER_CONNECTION: i64 = 10_000;

/// A server with a certificate, and a client that trusts the certificate.
pub fn start(version: &'static SupportedProtocolVersion) -> (Running, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a legal name");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, cert.pem()).expect("the temporary folder can be written to");
    std::fs::write(&key, signing_key.serialize_pem()).expect("the temporary folder can be written to");
    let settings = format!(
        "[tls]\naddr = \"127.0.0.1:0\"\ncert_file = \"{}\"\nkey_file = \"{}\"",
        certificate.display(),
        key.display()
    );
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]);
    let mut config = config.expect("ring speaks both").with_root_certificates(roots).with_no_client_auth();
    // The memory that a client keeps for its next connection is not the server's.
    config.resumption = rustls::client::Resumption::disabled();
    (start_in(folder, &settings), Arc::new(config))
}

/// A connection over TLS, whose handshake comes with the first bytes.
pub fn connected(server: &Running, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").expect("a legal name");
    let session = ClientConnection::new(Arc::clone(config), name).expect("a legal configuration");
    let address = server.tls.expect("the server speaks TLS");
    let socket = TcpStream::connect(address).expect("the server accepts");
    socket.set_nodelay(true).expect("a socket need not wait for more to send");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes a time limit");
    StreamOwned::new(session, socket)
}

/// Connections whose clients have dropped their TLS state, so that only the server's remains.
fn come(server: &Running, config: &Arc<ClientConfig>) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let mut stream = connected(server, config);
        client::upgrade(&mut stream);
        client::subscribe(&mut stream, "news");
        crowd.push(stream.sock);
    }
    server.wait_for_connections(CROWD);
    crowd
}

#[test]
fn an_idle_connection_over_tls_takes_a_bounded_heap() {
    let _turn = my_turn();
    for version in [&TLS12, &TLS13] {
        let (server, config) = start(version);
        // One-time memory for the first crowd of this size is not measured.
        drop(come(&server, &config));
        server.wait_for_connections(0);
        let mut crowd = Vec::new();
        let each = kept(&during(|| crowd = come(&server, &config))) / CROWD as i64;
        println!("{each} bytes of heap a connection over {:?}", version.version);
        assert!(
            each <= BYTES_PER_CONNECTION,
            "{each} bytes of heap a connection over {:?}, at most {BYTES_PER_CONNECTION}; look at tls::socket",
            version.version
        );
    }
}

/// Most bytes of heap of an HTTP connection over TLS that is kept alive without a request.
const BYTES_PER_IDLE_HTTP: i64 = 12_500;

#[test]
fn an_idle_http_connection_over_tls_takes_a_bounded_heap() {
    let _turn = my_turn();
    let (server, config) = start(&TLS13);
    let address = server.tls.expect("the server speaks TLS");
    let come = || -> Vec<TcpStream> {
        let mut crowd = Vec::with_capacity(CROWD);
        for _ in 0..CROWD {
            let name = ServerName::try_from("localhost").expect("a legal name");
            let session = ClientConnection::new(Arc::clone(&config), name).expect("a legal configuration");
            let socket = TcpStream::connect(address).expect("the server accepts");
            let mut stream = StreamOwned::new(session, socket);
            stream.write_all(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).expect("an answer");
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
            crowd.push(stream.sock);
        }
        crowd
    };
    // One-time memory for the first crowd of this size is not measured.
    drop(come());
    server.wait_for_no_http();
    let region = Region::new(ALLOCATOR);
    let crowd = come();
    let each = settled(&region, CROWD, BYTES_PER_IDLE_HTTP);
    println!("{each} bytes of heap an idle HTTP connection over TLS");
    assert!(each <= BYTES_PER_IDLE_HTTP, "at most {BYTES_PER_IDLE_HTTP}; look at connections::serve");
    drop(crowd);
}
