//! A proxy that ends TLS in front of a server, with certificates of a private authority.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a certificate is like.
#[derive(Clone, Copy)]
pub enum Certificate {
    /// For `localhost`, as it should be.
    Good,
    /// For another name.
    OtherName,
    /// For `localhost`, until some years ago.
    Expired,
}

/// The proxy; it ends when it is dropped.
pub struct TlsFront {
    pub port: u16,
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl TlsFront {
    pub fn start(upstream: SocketAddr, certificate: Certificate) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (config, authority) = issue(certificate);
        fs::write(folder.path().join("ca.pem"), authority).expect("the folder can be written to");
        let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        listener.set_nonblocking(true).expect("a listener takes the option");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the listener does not block");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever does not believe the certificate goes away.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut behind =
                        TcpStream::connect(upstream).await.expect("the server accepts connections");
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        Self { port, folder, _runtime: runtime }
    }

    /// The file with the authority that the certificate is of.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

fn issue(certificate: Certificate) -> (ServerConfig, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are legal names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("the system has random numbers");
    let authority = params.self_signed(&key).expect("a key signs").pem();
    let issuer = Issuer::new(params, key);

    let name = if matches!(certificate, Certificate::OtherName) { "other.test" } else { "localhost" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a legal name");
    params.not_after = date_time_ymd(2124, 2, 29);
    if matches!(certificate, Certificate::Expired) {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().expect("the system has random numbers");
    let leaf = params.signed_by(&key, &issuer).expect("the authority signs");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key as DER");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("ring speaks TLS").with_no_client_auth();
    (config.with_single_cert(vec![leaf.der().clone()], key).expect("they belong together"), authority)
}
