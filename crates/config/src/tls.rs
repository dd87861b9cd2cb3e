//! `[tls]`: three settings that belong together, and the files that two of them name.

use std::path::PathBuf;

use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::listen_address::ListenAddress;
use crate::certificate::{AUTHORITY, Certificate, Files};

const KEYS: [&str; 3] = ["tls.addr", "tls.cert_file", "tls.key_file"];

/// `[tls]`, where it is set.
#[derive(Clone, Debug)]
pub struct TlsSection {
    /// The listener of clients and back ends over TLS.
    pub addr: ListenAddress,
    /// The certificate shown to clients.
    pub files: Files,
}

impl TlsSection {
    /// What is to be said of a certificate that can be used, but that many clients refuse.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let certificate = Certificate::read(&self.files).ok()?;
        let file = self.files.certificate.display();
        certificate.is_authority().then(|| format!("tls.cert_file: {file}: {AUTHORITY}"))
    }
}

/// Requires all three or none; reads the files if `look_into` is true.
pub(super) fn read(effective: &Effective, look_into: bool, faults: &mut Vec<Fault>) -> Option<TlsSection> {
    let (given, missing): (Vec<_>, Vec<_>) =
        KEYS.into_iter().partition(|key| !effective.text(key).is_empty());
    if given.is_empty() || KEYS.into_iter().any(|key| effective.is_faulty(key)) {
        return None;
    }
    let place_of = |key: &str| effective.get(key).1.clone();
    if !missing.is_empty() {
        let cause = Cause::TlsIncomplete { given: given.join(" and "), missing: missing.join(" and ") };
        faults.push(Fault { place: place_of(given[0]), cause });
        return None;
    }
    let files = Files {
        certificate: PathBuf::from(effective.text(KEYS[1])),
        key: PathBuf::from(effective.text(KEYS[2])),
    };
    if look_into && let Err(error) = Certificate::read(&files) {
        let key = error.setting();
        let cause = Cause::Certificate { key, fault: error.to_string() };
        let place: Origin = place_of(key);
        faults.push(Fault { place, cause });
    }
    let addr = ListenAddress::parse(&effective.text(KEYS[0])).expect("an address was checked");
    Some(TlsSection { addr, files })
}
