//! `[tls]`: the listener's address, and the files of the certificates that it shows.

use std::path::PathBuf;

use super::acme::{self, AcmeSection, DOMAINS};
use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::given::{Given, GivenEntry};
use super::keys::{Keys, kind_of};
use super::listen_address::ListenAddress;
use crate::certificate::{AUTHORITY, Certificate, Files};

/// The list of further certificates.
pub(super) const CERTIFICATES: &str = "tls.certificates";

const ADDRESS: &str = "tls.addr";
const KEYS: [&str; 3] = [ADDRESS, "tls.cert_file", "tls.key_file"];

/// `[tls]`, where it is set.
#[derive(Clone, Debug)]
pub struct TlsSection {
    /// The listener of clients and back ends over TLS.
    pub addr: ListenAddress,
    /// The certificates; the first is for clients that name no host, or one that no certificate is for.
    pub files: Vec<Files>,
    /// `[tls.acme]`: a certificate from an authority, behind those of files.
    pub acme: Option<AcmeSection>,
}

impl TlsSection {
    /// What is to be said of certificates that can be used, but that many clients refuse; a sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let warning = |files: &Files| {
            let certificate = Certificate::read(files).ok()?;
            let (setting, file) = (files.certificate_setting(), files.certificate.display());
            certificate.is_authority().then(|| format!("{setting}: {file}: {AUTHORITY}"))
        };
        self.files.iter().filter_map(warning).collect()
    }

    /// The certificates of `[[tls.certificates]]`.
    pub(super) fn listed(&self) -> &[Files] {
        let listed = self.files.iter().position(|files| files.number > 0);
        listed.map_or(&[], |first| &self.files[first..])
    }
}

/// Requires an address and a certificate, or neither; reads the files if `look_into` is true.
pub(super) fn read(
    effective: &Effective,
    listed: Vec<GivenEntry>,
    keys: &Keys,
    look_into: bool,
    faults: &mut Vec<Fault>,
) -> Option<TlsSection> {
    let acme = acme::read(effective, faults);
    let others = listed.first().map(|entry| (CERTIFICATES, entry.place.clone()));
    let others = others.or_else(|| acme.as_ref().map(|_| (DOMAINS, effective.get(DOMAINS).1.clone())));
    let mut all: Vec<(Files, [Origin; 2])> = own(effective, others, faults).into_iter().collect();
    let listed = listed.into_iter().enumerate();
    all.extend(listed.filter_map(|(at, entry)| check(at + 1, entry, keys, faults)));
    if look_into {
        for (files, [certificate_place, key_place]) in &all {
            let Err(error) = Certificate::read(files) else { continue };
            let is_of_key = error.is_of_key();
            let place = if is_of_key { key_place } else { certificate_place }.clone();
            let cause = Cause::Certificate { key: error.setting(files), fault: error.to_string() };
            faults.push(Fault { place, cause });
        }
    }
    if (all.is_empty() && acme.is_none()) || effective.is_faulty(ADDRESS) {
        return None;
    }
    let addr = ListenAddress::parse(&effective.text(ADDRESS))?;
    Some(TlsSection { addr, files: all.into_iter().map(|(files, _)| files).collect(), acme })
}

/// The certificate of `tls.cert_file` and `tls.key_file`; `other` is another source of certificates, with its place.
fn own(
    effective: &Effective,
    other: Option<(&str, Origin)>,
    faults: &mut Vec<Fault>,
) -> Option<(Files, [Origin; 2])> {
    let (given, missing): (Vec<_>, Vec<_>) =
        KEYS.into_iter().partition(|key| !effective.text(key).is_empty());
    if KEYS.into_iter().any(|key| effective.is_faulty(key)) {
        return None;
    }
    let place_of = |key: &str| effective.get(key).1.clone();
    match (&*given, &other) {
        ([], None) | ([ADDRESS], Some(_)) => return None,
        ([], Some((given, place))) => {
            let cause = Cause::TlsWithoutAddress { given: format!("{given} is") };
            faults.push(Fault { place: place.clone(), cause });
            return None;
        }
        _ if missing.is_empty() => {}
        _ => {
            let cause = Cause::TlsIncomplete { given: given.join(" and "), missing: missing.join(" and ") };
            faults.push(Fault { place: place_of(given[0]), cause });
            return None;
        }
    }
    let files = Files {
        number: 0,
        certificate: PathBuf::from(effective.text(KEYS[1])),
        key: PathBuf::from(effective.text(KEYS[2])),
    };
    Some((files, [place_of(KEYS[1]), place_of(KEYS[2])]))
}

/// Checks an entry of the list; `None` if anything is wrong.
fn check(
    number: usize,
    given: GivenEntry,
    keys: &Keys,
    faults: &mut Vec<Fault>,
) -> Option<(Files, [Origin; 2])> {
    let GivenEntry { place: entry_place, name, settings } = given;
    let mut found = [None, None];
    let mut is_right = true;
    for Given { place, key, value } in settings {
        let shown = format!("{name}.{key}");
        let checked = match kind_of(&keys.certificate, &key) {
            Some(kind) => kind.check(&shown, value),
            None => Err(Cause::UnknownKey { key: shown, hint: keys.nearest_of_certificate(&key) }),
        };
        match checked {
            Ok(value) => {
                let path = value.as_str().filter(|text| !text.is_empty()).map(PathBuf::from);
                found[usize::from(key == "key_file")] = path.map(|path| (path, place));
            }
            Err(cause) => {
                is_right = false;
                faults.push(Fault { place, cause });
            }
        }
    }
    if is_right {
        let missing = ["cert_file", "key_file"].into_iter().zip(&found).filter(|(_, found)| found.is_none());
        faults.extend(missing.map(|(key, _)| Fault {
            place: entry_place.clone(),
            cause: Cause::CertificateIncomplete { certificate: name.clone(), key },
        }));
    }
    let [Some((certificate, certificate_place)), Some((key, key_place))] = found else { return None };
    Some((Files { number, certificate, key }, [certificate_place, key_place]))
}
