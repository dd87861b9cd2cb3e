//! TLS 1.2 and 1.3 on a listener of its own: the certificates in use, and the handshake.
//!
//! A new certificate comes with a new configuration as a whole, so that sessions of the old certificate are
//! not resumed; open connections go on. Never logs a key.

pub mod acme;
mod by_name;
pub mod reload;
mod settings;
mod socket;

use std::io;
use std::sync::{Arc, OnceLock};

use fanfare_config::certificate::{Certificate, CertificateError, Files};
use fanfare_node::clock::unix_seconds;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use self::acme::{ACME_TLS, Acme};
use self::by_name::ByName;
use self::reload::Stamp;
use self::settings::config_with;
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
    /// The ACME client, if there is one.
    acme: OnceLock<Arc<Acme>>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// In the order of the configuration.
    from_files: Vec<Arc<FromFiles>>,
    /// By ACME.
    issued: Option<Arc<Certificate>>,
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
        Ok(Self { current: RwLock::new(Current::of(from_files, None)), acme: OnceLock::new() })
    }

    /// Completes the handshake of a connection; the timeout is the caller's. A certificate authority that asks for its challenge
    /// (TLS-ALPN-01) is answered here.
    ///
    /// # Errors
    /// The peer does not speak TLS, or shares no version and cipher with the server; or it was an authority.
    pub async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(&self, stream: IO) -> io::Result<TlsStream<IO>> {
        let config = Arc::clone(&self.current.read().config);
        let Some(acme) = self.acme.get() else {
            return TlsAcceptor::from(config).accept(stream).await;
        };
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = begun.client_hello();
        let asks =
            hello.alpn().is_some_and(|mut names| names.next() == Some(ACME_TLS) && names.next().is_none());
        if !asks {
            return begun.into_stream(config).await;
        }
        let host = hello.server_name().unwrap_or_default().to_owned();
        let Some(config) = acme.challenges.config_for(&host).await else {
            return Err(io::Error::other("no challenge is prepared for this name"));
        };
        begun.into_stream(config).await?.shutdown().await?;
        Err(io::Error::other("a challenge was answered"))
    }

    /// Has the ACME client answer its authority from now on.
    pub fn set_acme(&self, acme: &Arc<Acme>) {
        let _ = self.acme.set(Arc::clone(acme));
    }

    /// Takes a certificate into use that was got by ACME, in place of the one before.
    pub fn set_issued(&self, certificate: Certificate) {
        let mut current = self.current.write();
        *current = Current::of(current.from_files.clone(), Some(Arc::new(certificate)));
    }

    /// Whether there is any certificate.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        let current = self.current.read();
        !current.from_files.is_empty() || current.issued.is_some()
    }

    /// The certificates in use, for the metrics.
    #[must_use]
    pub fn in_use(&self) -> Vec<CertificateInUse> {
        let in_use = |certificate: &Certificate, source: String| CertificateInUse {
            name: certificate.names().first().cloned().unwrap_or_default(),
            source,
            expires: certificate.expires(),
            life: certificate.expires().saturating_sub(certificate.begins()),
        };
        let current = self.current.read();
        let from_files = current.from_files.iter();
        let from_files =
            from_files.map(|read| in_use(&read.certificate, read.files.certificate.display().to_string()));
        let issued = current.issued.iter().map(|issued| in_use(issued, "acme".to_owned()));
        from_files.chain(issued).collect()
    }

    /// The first name in a certificate that clients can connect to.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.current.read().from_files.iter().find_map(|read| read.certificate.host())
    }
}

impl Current {
    fn of(from_files: Vec<Arc<FromFiles>>, issued: Option<Arc<Certificate>>) -> Self {
        let all = from_files.iter().map(|read| &read.certificate).chain(issued.as_deref());
        let by_name = ByName::new(all);
        Self { config: Arc::new(config(by_name)), from_files, issued }
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
    let mut config = config_with(Arc::new(by_name));
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
