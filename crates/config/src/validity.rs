//! The validity of a certificate, and its names.

use fanfare_protocol::utc::utc;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A time that no certificate outlasts: the end of the year 9999.
const END_OF_TIME: u64 = 253_402_300_799;

/// The facts in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// In seconds since 1970.
    pub not_before: u64,
    /// In seconds since 1970.
    pub not_after: u64,
    /// Host names, wildcards included.
    pub names: Vec<String>,
    /// The certificate may sign others (CA:TRUE), and clients refuse such a certificate from a server.
    pub is_authority: bool,
}

/// Whether a certificate is valid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Valid, for so many days more.
    For {
        /// Whole days until the expiry.
        days: u64,
    },
    /// Not valid yet.
    NotYet,
    /// No longer valid.
    Expired,
}

impl Facts {
    /// Reads a certificate without checking any signature.
    ///
    /// # Errors
    /// The bytes are not a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let is_authority = is_authority(certificate);
        let certificate = EndEntityCert::try_from(certificate)?;
        let not_before = match verified_at(&certificate, 0) {
            Err(Error::CertNotValidYet { not_before, .. }) => not_before.as_secs(),
            _ => 0,
        };
        let not_after = match verified_at(&certificate, END_OF_TIME) {
            Err(Error::CertExpired { not_after, .. }) => not_after.as_secs(),
            _ => END_OF_TIME,
        };
        let names = certificate.valid_dns_names().map(str::to_owned).collect();
        Ok(Self { not_before, not_after, names, is_authority })
    }

    /// The validity at `now`, in Unix seconds.
    #[must_use]
    pub const fn validity(&self, now: u64) -> Validity {
        if now < self.not_before {
            Validity::NotYet
        } else if now > self.not_after {
            Validity::Expired
        } else {
            Validity::For { days: (self.not_after - now) / DAY }
        }
    }
}

/// Whether the extension `basicConstraints` says CA:TRUE. The library tells that only of a chain that it trusts.
fn is_authority(certificate: &[u8]) -> bool {
    // The object identifier 2.5.29.19, and then, perhaps: this extension is critical.
    const BASIC_CONSTRAINTS: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x13];
    const TRUE: [u8; 3] = [0x01, 0x01, 0xff];
    let mut at = certificate.windows(BASIC_CONSTRAINTS.len());
    let Some(start) = at.position(|bytes| bytes == BASIC_CONSTRAINTS) else { return false };
    let rest = &certificate[start + BASIC_CONSTRAINTS.len()..];
    let rest = rest.strip_prefix(&TRUE).unwrap_or(rest);
    // An octet string that holds a sequence whose first element is that truth.
    matches!(rest, [0x04, _, 0x30, _, held @ ..] if held.starts_with(&TRUE))
}

/// Verification at a time outside the validity names the validity in its error; the certificate needs no
/// signer.
fn verified_at(certificate: &EndEntityCert<'_>, seconds: u64) -> Result<(), Error> {
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).map(|_| ())
}

/// The day of a time, such as 2026-11-25 (UTC).
pub fn date(seconds: u64) -> String {
    let mut day = utc(seconds);
    day.truncate("2026-11-25".len());
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_as_its_day() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_767_225_599, "2025-12-31"),
            (4_107_542_400, "2100-03-01"),
            (END_OF_TIME, "9999-12-31"),
        ] {
            assert_eq!(date(seconds), day);
        }
    }

    #[test]
    fn a_certificate_counts_from_its_first_second_to_its_last() {
        let facts =
            Facts { not_before: 100, not_after: 100 + 3 * DAY, names: Vec::new(), is_authority: false };
        assert_eq!(facts.validity(99), Validity::NotYet);
        assert_eq!(facts.validity(100), Validity::For { days: 3 });
        assert_eq!(facts.validity(100 + 3 * DAY), Validity::For { days: 0 });
        assert_eq!(facts.validity(101 + 3 * DAY), Validity::Expired);
    }
}
