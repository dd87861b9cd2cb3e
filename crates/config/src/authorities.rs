//! The settings called `ca_file`: whose certificates are believed of other servers, besides public authorities'.

use std::path::Path;

use fanfare_outgoing::Trust;

use super::effective::Effective;
use super::fault::{Cause, Fault};

/// Of whom certificates are believed, but for those of Redis servers.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// Of apps' own applications.
    pub authorization: Trust,
    /// Of the receivers of webhooks.
    pub webhooks: Trust,
}

impl Authorities {
    /// Reads the files that are named.
    pub(super) fn read(effective: &Effective, faults: &mut Vec<Fault>) -> Self {
        Self {
            authorization: trust(effective, "authorization.ca_file", faults),
            webhooks: trust(effective, "webhooks.ca_file", faults),
        }
    }
}

/// Reads the file that this setting names; without one it is the public authorities alone.
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
