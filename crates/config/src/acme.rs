//! `[tls.acme]`: a certificate from an authority, for which names, from which authority, and how the names are proved.

use std::path::PathBuf;

use fanfare_outgoing::Trust;

use super::authorities;
use super::effective::Effective;
use super::fault::{Cause, Fault};
use super::listen_address::ListenAddress;

/// The setting that switches ACME on.
pub(super) const DOMAINS: &str = "tls.acme.domains";

const TERMS: &str = "tls.acme.terms_agreed";
const DIRECTORY: &str = "tls.acme.directory";
const HTTP_ADDRESS: &str = "tls.acme.http_addr";
const KEY_ID: &str = "tls.acme.eab_key_id";
const KEY_FILE: &str = "tls.acme.eab_key_file";

/// Most names of a certificate, as of Let's Encrypt's.
const MOST_NAMES: usize = 100;

/// The port to which authorities connect over TLS.
const HTTPS: u16 = 443;

/// `[tls.acme]`, where it is set.
#[derive(Clone, Debug)]
pub struct AcmeSection {
    /// The names of the certificate, in lower case.
    pub domains: Vec<String>,
    /// Mail addresses for the authority; may be empty.
    pub contact: Vec<String>,
    /// The URL of the authority's directory.
    pub directory: String,
    /// Whose certificates the authority's server may have.
    pub trust: Trust,
    /// The listener of authorities without TLS (HTTP-01); `None`: authorities ask over TLS (TLS-ALPN-01).
    pub http: Option<ListenAddress>,
    /// The id of an account that exists elsewhere, and the file with its key.
    pub external_account: Option<(String, PathBuf)>,
    /// Seconds until the first order is tried again that has failed.
    pub retry: u64,
}

impl AcmeSection {
    /// Whether authorities ask over HTTP, not over TLS.
    #[must_use]
    pub const fn is_over_http(&self) -> bool {
        self.http.is_some()
    }
}

/// Reads the section; `None` without a name.
pub(super) fn read(effective: &Effective, faults: &mut Vec<Fault>) -> Option<AcmeSection> {
    let list = |key: &str| {
        let values = effective.get(key).0.as_array().into_iter().flatten();
        values.filter_map(|value| value.as_str().map(str::to_ascii_lowercase)).collect::<Vec<_>>()
    };
    let domains = list(DOMAINS);
    if domains.is_empty() {
        return None;
    }
    let mut fault = |key: &str, cause| faults.push(Fault { place: effective.get(key).1.clone(), cause });
    if domains.len() > MOST_NAMES {
        fault(DOMAINS, Cause::ManyAcmeNames { most: MOST_NAMES });
    }
    if effective.get(TERMS).0.as_bool() != Some(true) && !effective.is_faulty(TERMS) {
        fault(DOMAINS, Cause::AcmeTerms);
    }
    let directory = effective.text(DIRECTORY);
    if !directory.starts_with("https://") && !effective.is_faulty(DIRECTORY) {
        fault(DIRECTORY, Cause::AcmeDirectory);
    }
    let (id, file) = (effective.text(KEY_ID), effective.text(KEY_FILE));
    match (&*id, &*file) {
        ("", "") => {}
        ("", _) => fault(KEY_FILE, Cause::HalfOfEab { given: KEY_FILE, missing: KEY_ID }),
        (_, "") => fault(KEY_ID, Cause::HalfOfEab { given: KEY_ID, missing: KEY_FILE }),
        _ => {}
    }
    let address = |key: &str| ListenAddress::parse(&effective.text(key));
    let is_over_tls = match &*effective.text("tls.acme.challenge") {
        "tls-alpn-01" => true,
        "http-01" => false,
        _ => address("tls.addr").is_some_and(|address| address.port() == HTTPS),
    };
    let http = if is_over_tls { None } else { address(HTTP_ADDRESS) };
    for other in ["listen.addr", "listen.admin_addr", "tls.addr"] {
        let collides = |http: ListenAddress| address(other).filter(|other| http.collides(*other));
        if let Some((http, found)) = http.and_then(|http| Some((http, collides(http)?))) {
            let cause = Cause::SamePort {
                one: format!("{HTTP_ADDRESS} ({http})"),
                other: format!("{other} ({found})"),
            };
            faults.push(Fault { place: effective.set_place(&[HTTP_ADDRESS, other]), cause });
        }
    }
    Some(AcmeSection {
        domains,
        contact: list("tls.acme.contact"),
        directory,
        trust: authorities::trust(effective, "tls.acme.directory_ca_file", faults),
        http,
        external_account: (!id.is_empty()).then(|| (id, PathBuf::from(file))),
        retry: effective.count("tls.acme.retry").and_then(|count| u64::try_from(count).ok()).unwrap_or(120),
    })
}
