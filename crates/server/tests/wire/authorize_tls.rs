//! An application with a certificate of its operator's own CA.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::authorization::{Post, SOCKET, expect_denial_logged};
use crate::support::setup::Setup;
use crate::support::signing::channel_auth;
use crate::support::{APP, quoted};

const CHANNEL: &str = "private-orders";

/// An application that allows every request, over TLS, with an unknown certificate; returns the PEM.
fn application() -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    (over_tls(cert.der().clone(), key), cert.pem())
}

/// An application that allows every request, over TLS.
pub fn over_tls(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key is that of the certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("the settings are whole");
            let mut tls = StreamOwned::new(connection, stream);
            // A client that does not trust the certificate hangs up.
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue");
            }
        }
    });
    addr
}

#[test]
fn a_certificate_of_ones_own_is_trusted_where_its_authority_is_named() {
    let (addr, pem) = application();
    let settings = format!("authorization.url = \"https://localhost:{}/auth\"", addr.port());
    let setup = Setup::with_app(&settings);
    let file = setup.folder().join("authority.pem");
    fs::write(&file, pem).expect("the folder can be written to");
    let file = quoted(file.to_str().expect("the folder's name is text"));
    let server = setup.config(&format!("[authorization]\nca_file = {file}")).start();
    let auth = channel_auth(APP, SOCKET, CHANNEL, None);
    Post::channel(CHANNEL).send(&server).expect(&format!(r#"{{"auth":"{auth}"}}"#));
    let distrusting = Setup::with_app(&settings).start();
    Post::channel(CHANNEL).send(&distrusting).refused(502, "could not be asked");
    expect_denial_logged(&distrusting, &["TLS failed", "status=502"]);
}

#[test]
fn a_receiver_of_webhooks_is_trusted_where_its_authority_is_named_for_webhooks() {
    let (addr, pem) = application();
    let url = format!("https://localhost:{}/hook", addr.port());
    let webhook = format!("[[apps.list.webhooks]]\nurl = \"{url}\"\nevents = [\"channel_existence\"]");
    let setup = Setup::with_app(&webhook);
    let file = setup.folder().join("authority.pem");
    fs::write(&file, pem).expect("the folder can be written to");
    let file = quoted(file.to_str().expect("the folder's name is text"));
    let server = setup.config(&format!("[webhooks]\nca_file = {file}")).start();
    server.connect().subscribe("news");
    server.expect_metric("fanfare_webhook_deliveries_total{app=\"3\"}", 1.0);
    let distrusting = Setup::with_app(&webhook).start();
    distrusting.connect().subscribe("news");
    distrusting.process.log_line("why", |line| {
        (line.contains("webhook failed") && line.contains("TLS failed")).then_some(())
    });
}
