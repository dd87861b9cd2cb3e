//! Which certificate a client is shown: the one that is for the name in its handshake, else the first.
//!
//! An exact name comes before a wildcard; of several certificates for one name the earlier one is shown.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_config::certificate::Certificate;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates by the names that they are for.
#[derive(Debug, Default)]
pub struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the `*.` of a wildcard.
    wildcards: HashMap<String, Arc<CertifiedKey>>,
    first: Option<Arc<CertifiedKey>>,
}

impl ByName {
    /// The certificates, in the order of preference.
    pub fn new<'a>(certificates: impl Iterator<Item = &'a Certificate>) -> Self {
        let mut all = Self::default();
        for certificate in certificates {
            let certified = Arc::new(certificate.certified());
            for name in certificate.names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut all.wildcards, parent),
                    None => (&mut all.exact, &*name),
                };
                names.entry(name.to_owned()).or_insert_with(|| Arc::clone(&certified));
            }
            all.first.get_or_insert(certified);
        }
        all
    }

    /// The certificate for a host name in lower case, or for a client that names none; `None` without any certificate.
    pub fn of(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let parent = || name.split_once('.').and_then(|(_, parent)| self.wildcards.get(parent));
            self.exact.get(name).or_else(parent)
        });
        named.or(self.first.as_ref()).map(Arc::clone)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.of(hello.server_name())
    }
}
