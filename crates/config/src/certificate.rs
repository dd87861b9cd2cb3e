//! A certificate with its key, read from two PEM files, and the possible faults of both.
//!
//! Never shows a key. An expired certificate is still used: a server that does not start helps nobody, and
//! clients report the expiry.

use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::bounded_file;
use crate::validity::{Facts, Validity, date};

/// The paths of a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Which settings name the files: 0 for `tls.cert_file` and `tls.key_file`, else the number in `tls.certificates`, from 1.
    pub number: usize,
    /// The certificate, followed by its intermediate certificates (`tls.cert_file`).
    pub certificate: PathBuf,
    /// The certificate's key (`tls.key_file`).
    pub key: PathBuf,
}

impl Files {
    /// The setting that names the certificate's file.
    #[must_use]
    pub fn certificate_setting(&self) -> String {
        self.setting("cert_file")
    }

    fn setting(&self, name: &str) -> String {
        match self.number {
            0 => format!("tls.{name}"),
            number => format!("tls.certificates[{number}].{name}"),
        }
    }
}

/// A certificate that can be shown to clients.
#[derive(Debug)]
pub struct Certificate {
    certified: CertifiedKey,
    facts: Facts,
}

/// Why two files are not a certificate and its key.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum CertificateError {
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable { is_key: bool, path: PathBuf, error: io::Error },
    #[error("{}: is not PEM: {error}", path.display())]
    NotPem { is_key: bool, path: PathBuf, error: pem::Error },
    #[error("{}: holds no certificate; one begins with -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{}: its first certificate cannot be used: {error}", path.display())]
    Unusable { path: PathBuf, error: webpki::Error },
    #[error("{}: holds no key; one begins with -----BEGIN PRIVATE KEY----- or BEGIN RSA or BEGIN EC", path.display())]
    NoKey { path: PathBuf },
    #[error("{}: is locked by a password; unlock it with openssl pkey -in FILE -out FILE", path.display())]
    LockedKey { path: PathBuf },
    #[error("{}: is no key of RSA (2048 to 8192 bits), ECDSA (P-256, P-384) or Ed25519", path.display())]
    KeyUnsupported { path: PathBuf },
    #[error("{}: is not the key of the first certificate in {}", key.display(), certificate.display())]
    Mismatch { key: PathBuf, certificate: PathBuf },
}

impl CertificateError {
    /// The setting that names the faulty one of these files.
    #[must_use]
    pub fn setting(&self, files: &Files) -> String {
        if self.is_of_key() { files.setting("key_file") } else { files.certificate_setting() }
    }

    /// Whether the faulty file is the key's.
    #[must_use]
    pub const fn is_of_key(&self) -> bool {
        match self {
            Self::Unreadable { is_key, .. } | Self::NotPem { is_key, .. } => *is_key,
            Self::NoCertificate { .. } | Self::Unusable { .. } => false,
            Self::NoKey { .. }
            | Self::LockedKey { .. }
            | Self::KeyUnsupported { .. }
            | Self::Mismatch { .. } => true,
        }
    }
}

/// What is wrong with a certificate that is an authority itself.
pub const AUTHORITY: &str = "its first certificate is an authority itself (CA:TRUE), which many clients refuse; make one \
                             with basicConstraints=critical,CA:FALSE, as docs/tls.md shows";

impl Certificate {
    /// Reads and checks both files.
    ///
    /// # Errors
    /// A file cannot be read, or the contents are not a certificate or its key.
    pub fn read(files: &Files) -> Result<Self, CertificateError> {
        let chain = read_chain(&files.certificate)?;
        if chain.is_empty() {
            // Told before a fault of the key.
            return Err(CertificateError::NoCertificate { path: files.certificate.clone() });
        }
        Facts::of(&chain[0])
            .map_err(|error| CertificateError::Unusable { path: files.certificate.clone(), error })?;
        Self::of(files, chain, &key_in(&files.key, &read_file(true, &files.key)?)?)
    }

    fn of(
        files: &Files,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let facts = match chain.first() {
            Some(first) => Facts::of(first)
                .map_err(|error| CertificateError::Unusable { path: files.certificate.clone(), error })?,
            None => return Err(CertificateError::NoCertificate { path: files.certificate.clone() }),
        };
        let key = ring::sign::any_supported_type(key)
            .map_err(|_| CertificateError::KeyUnsupported { path: files.key.clone() })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Self { certified, facts }),
            Err(_) => Err(CertificateError::Mismatch {
                key: files.key.clone(),
                certificate: files.certificate.clone(),
            }),
        }
    }

    /// Checks a certificate that comes from no file.
    ///
    /// # Errors
    /// The texts are not a certificate and its key.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, CertificateError> {
        let path = Path::new("tls.acme");
        let files = Files { number: 0, certificate: path.to_owned(), key: path.to_owned() };
        Self::of(&files, chain_in(path, chain.as_bytes())?, &key_in(path, key.as_bytes())?)
    }

    /// The form that rustls takes.
    #[must_use]
    pub fn certified(&self) -> CertifiedKey {
        self.certified.clone()
    }

    /// The host names that the certificate is for, in lower case, wildcards included.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.facts.names.iter().map(|name| name.to_ascii_lowercase()).collect()
    }

    /// Whether both certificates are the same, intermediate certificates included.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }

    /// Whether the certificate may sign others, and is therefore none for a server.
    #[must_use]
    pub const fn is_authority(&self) -> bool {
        self.facts.is_authority
    }

    /// The expiry, in Unix seconds.
    #[must_use]
    pub const fn expires(&self) -> u64 {
        self.facts.not_after
    }

    /// When the certificate begins to count, in Unix seconds.
    #[must_use]
    pub const fn begins(&self) -> u64 {
        self.facts.not_before
    }

    /// Whether the certificate is for exactly this name, in lower case.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        self.facts.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The first name that is not a wildcard.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        host_of(&self.facts)
    }

    /// Logs the names and the validity at `now`, in Unix seconds; an invalid certificate is a warning.
    pub fn log(&self, event: &str, now: u64) {
        let (names, from, until) =
            (self.facts.names.join(" "), date(self.facts.not_before), date(self.facts.not_after));
        if self.facts.is_authority {
            tracing::warn!(target: "fanfare::tls", names, "{event}: {AUTHORITY}");
        }
        match self.facts.validity(now) {
            Validity::For { days } => {
                tracing::info!(target: "fanfare::tls", names, expires = until, days, "{event}");
            }
            Validity::Expired => tracing::warn!(
                target: "fanfare::tls", names, expired = until,
                "{event}: it has expired, clients will refuse it; put a new one in its place"
            ),
            Validity::NotYet => tracing::warn!(
                target: "fanfare::tls", names, valid_from = from,
                "{event}: it does not count yet, clients will refuse it; is the clock right?"
            ),
        }
    }
}

/// The first name in a file of certificates that is not a wildcard; `None` if the file cannot be read.
#[must_use]
pub fn host_in(path: &Path) -> Option<String> {
    host_of(&Facts::of(read_chain(path).ok()?.first()?).ok()?)
}

fn host_of(facts: &Facts) -> Option<String> {
    facts.names.iter().find(|name| !name.starts_with('*')).cloned()
}

fn read_file(is_key: bool, path: &Path) -> Result<Vec<u8>, CertificateError> {
    bounded_file::bytes(path).map_err(|error| CertificateError::Unreadable {
        is_key,
        path: path.to_owned(),
        error,
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    chain_in(path, &read_file(false, path)?)
}

fn chain_in(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    chain.map_err(|error| CertificateError::NotPem { is_key: false, path: path.to_owned(), error })
}

fn key_in(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let is_locked = text.windows(9).any(|word| word == b"ENCRYPTED");
    let path = path.to_owned();
    match PrivateKeyDer::from_pem_slice(text) {
        _ if is_locked => Err(CertificateError::LockedKey { path }),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey { path }),
        Err(error) => Err(CertificateError::NotPem { is_key: true, path, error }),
    }
}
