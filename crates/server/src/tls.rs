//! TLS 1.2 and 1.3 on a listener of its own: the certificate in use, and the handshake.
//!
//! A new certificate comes with a new configuration as a whole, so that sessions of the old certificate are
//! not resumed; open connections go on. Never logs a key.

pub mod reload;
mod socket;

use std::io;
use std::sync::Arc;

use fanfare_config::certificate::{Certificate, CertificateError, Files};
use fanfare_node::clock::unix_seconds;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::reload::Stamp;

pub use socket::TlsSocket;

/// The name of HTTP/2 in a handshake.
const HTTP_2: &[u8] = b"h2";

/// Whether both sides have agreed on HTTP/2 in the handshake.
pub fn speaks_http2<IO>(stream: &TlsStream<IO>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// The state for new TLS connections.
pub struct ServerTls {
    files: Files,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    certificate: Certificate,
    /// The state of the files when last read.
    stamp: Option<Stamp>,
}

impl ServerTls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// The files cannot be used.
    pub fn open(files: Files) -> Result<Self, CertificateError> {
        let current = Current::read(&files)?;
        current.certificate.log("TLS certificate", unix_seconds());
        Ok(Self { files, current: RwLock::new(current) })
    }

    /// Completes the handshake of a connection; the timeout is the caller's.
    ///
    /// # Errors
    /// The peer does not speak TLS, or shares no version and cipher with the server.
    pub async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(&self, stream: IO) -> io::Result<TlsStream<IO>> {
        let config = Arc::clone(&self.current.read().config);
        TlsAcceptor::from(config).accept(stream).await
    }

    /// When the certificate in use expires, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.current.read().certificate.expires()
    }

    /// The first name in the certificate that clients can connect to.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.current.read().certificate.host()
    }
}

impl Current {
    fn read(files: &Files) -> Result<Self, CertificateError> {
        // Taken before the files are read: a change in between is found by the next check.
        let stamp = Stamp::of(files);
        let certificate = Certificate::read(files)?;
        Ok(Self { config: Arc::new(config(&certificate)), certificate, stamp })
    }
}

fn config(certificate: &Certificate) -> ServerConfig {
    let resolver = SingleCertAndKey::from(certificate.certified());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    // In the order of preference: with HTTP/2 all requests of a browser's tabs share a connection (FALLBACK-028).
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    // Clients that return after a network restart save a signature each; the server keeps no state for them here.
    if let Ok(ticketer) = ring::Ticketer::new() {
        config.ticketer = ticketer;
    }
    config
}

#[cfg(test)]
mod tests;
