//! TLS 1.2 and 1.3 on a listener of its own: the certificates in use, and the handshake.
//!
//! A new certificate comes with a new configuration as a whole, so that sessions of the old certificate are
//! not resumed; open connections go on. Never logs a key.

mod by_name;
pub mod reload;
mod socket;

use std::io;
use std::sync::Arc;

use fanfare_config::certificate::{Certificate, CertificateError, Files};
use fanfare_node::clock::unix_seconds;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::by_name::ByName;
use self::reload::Stamp;
use crate::metrics::CertificateInUse;

pub use socket::TlsSocket;

/// The name of HTTP/2 in a handshake.
const HTTP_2: &[u8] = b"h2";

/// Whether both sides have agreed on HTTP/2 in the handshake.
pub fn speaks_http2<IO>(stream: &TlsStream<IO>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// The state for new TLS connections.
pub struct ServerTls {
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// In the order of the configuration.
    from_files: Vec<Arc<FromFiles>>,
}

/// A certificate that was read from its files.
struct FromFiles {
    files: Files,
    certificate: Certificate,
    /// The state of the files when last read.
    stamp: Option<Stamp>,
}

impl ServerTls {
    /// Reads each certificate and its key.
    ///
    /// # Errors
    /// The files cannot be used; the setting that names the faulty one.
    pub fn open(files: Vec<Files>) -> Result<Self, (String, CertificateError)> {
        let mut from_files = Vec::with_capacity(files.len());
        for files in files {
            let read = FromFiles::read(&files).map_err(|error| (error.setting(&files), error))?;
            read.certificate.log("TLS certificate", unix_seconds());
            from_files.push(Arc::new(read));
        }
        Ok(Self { current: RwLock::new(Current::of(from_files)) })
    }

    /// Completes the handshake of a connection; the timeout is the caller's.
    ///
    /// # Errors
    /// The peer does not speak TLS, or shares no version and cipher with the server.
    pub async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(&self, stream: IO) -> io::Result<TlsStream<IO>> {
        let config = Arc::clone(&self.current.read().config);
        TlsAcceptor::from(config).accept(stream).await
    }

    /// The certificates in use, for the metrics.
    #[must_use]
    pub fn in_use(&self) -> Vec<CertificateInUse> {
        let of_files = |FromFiles { files, certificate, .. }: &FromFiles| CertificateInUse {
            name: certificate.names().first().cloned().unwrap_or_default(),
            source: files.certificate.display().to_string(),
            expires: certificate.expires(),
        };
        self.current.read().from_files.iter().map(|read| of_files(read)).collect()
    }

    /// The first name in a certificate that clients can connect to.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.current.read().from_files.iter().find_map(|read| read.certificate.host())
    }
}

impl Current {
    fn of(from_files: Vec<Arc<FromFiles>>) -> Self {
        let by_name = ByName::new(from_files.iter().map(|read| &read.certificate));
        Self { config: Arc::new(config(by_name)), from_files }
    }
}

impl FromFiles {
    fn read(files: &Files) -> Result<Self, CertificateError> {
        // Taken before the files are read: a change in between is found by the next check.
        let stamp = Stamp::of(files);
        let certificate = Certificate::read(files)?;
        Ok(Self { files: files.clone(), certificate, stamp })
    }
}

fn config(by_name: ByName) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(by_name));
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
