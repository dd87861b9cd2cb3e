//! Trusted certificate authorities.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The authorities that certificates of other servers must be signed by.
#[derive(Clone, Debug)]
pub struct Trust(RootCertStore);

/// Why a file of authorities cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read, or is no PEM.
    #[error("no certificates can be read from it: {0}")]
    Unreadable(String),
    /// The file holds no certificate.
    #[error("there is no certificate in it")]
    Empty,
    /// A certificate in the file is invalid.
    #[error("its certificate number {0} is not one")]
    NotACertificate(usize),
}

impl Trust {
    /// The authorities that browsers trust.
    #[must_use]
    pub fn public() -> Self {
        Self(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// The authorities that browsers trust, and the authorities in a PEM file.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn with_file(path: &Path) -> Result<Self, TrustError> {
        let Self(mut roots) = Self::public();
        let unreadable = |error: rustls::pki_types::pem::Error| TrustError::Unreadable(error.to_string());
        let mut count = 0;
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            count += 1;
            roots.add(certificate.map_err(unreadable)?).map_err(|_| TrustError::NotACertificate(count))?;
        }
        if count == 0 { Err(TrustError::Empty) } else { Ok(Self(roots)) }
    }

    /// The settings of a TLS client that trusts these authorities, and shows no certificate of its own.
    ///
    /// # Panics
    /// Never: the settings fit the cryptography that they are built with.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(self.0.clone())
            .with_no_client_auth()
    }
}
