//! The settings called `ca_file`: certificate authorities to trust for other servers, besides the public
//! ones.

use std::path::Path;

use fanfare_outgoing::Trust;

use super::effective::Effective;
use super::fault::{Cause, Fault};

/// The trusted authorities, except those of Redis servers.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// Of apps' own applications.
    pub authorization: Trust,
    /// Of the receivers of webhooks.
    pub webhooks: Trust,
}

impl Authorities {
    /// Reads the configured files.
    pub(super) fn read(effective: &Effective, faults: &mut Vec<Fault>) -> Self {
        Self {
            authorization: trust(effective, "authorization.ca_file", faults),
            webhooks: trust(effective, "webhooks.ca_file", faults),
        }
    }
}

/// Reads the file that this setting names; without a file only the public authorities are trusted.
pub(super) fn trust(effective: &Effective, key: &str, faults: &mut Vec<Fault>) -> Trust {
    let path = effective.text(key);
    if path.is_empty() {
        return Trust::public();
    }
    Trust::with_file(Path::new(&path)).unwrap_or_else(|fault| {
        let place = effective.get(key).1.clone();
        faults.push(Fault { place, cause: Cause::CaFile { key: key.to_owned(), path, fault } });
        Trust::public()
    })
}
