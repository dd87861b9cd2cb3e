//! From when to when a certificate counts, and the names that it is for.

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A moment that no certificate outlasts: the end of the year 9999.
const END_OF_TIME: u64 = 253_402_300_799;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// In seconds since 1970.
    pub not_before: u64,
    /// In seconds since 1970.
    pub not_after: u64,
    /// The names of hosts, wildcards included.
    pub names: Vec<String>,
}

/// Whether a certificate counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// It does, for so many days more.
    For { days: u64 },
    /// It does not yet.
    NotYet,
    /// It does no longer.
    Expired,
}

impl Facts {
    /// Reads them; the cryptography is not looked at.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
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
        Ok(Self { not_before, not_after, names })
    }

    pub fn validity(&self, now: u64) -> Validity {
        if now < self.not_before {
            Validity::NotYet
        } else if now > self.not_after {
            Validity::Expired
        } else {
            Validity::For { days: (self.not_after - now) / DAY }
        }
    }
}

/// Asked of a moment when it cannot count, a certificate tells when it does; nobody has to have signed it.
fn verified_at(certificate: &EndEntityCert<'_>, seconds: u64) -> Result<(), Error> {
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).map(|_| ())
}

/// A moment as the day that it falls on, such as 2026-11-25 (UTC).
pub(super) fn date(seconds: u64) -> String {
    // Years begin in March here, so that the day which comes and goes is their last.
    let days = seconds / DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year + year_of_era + era * 400)
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
        let facts = Facts { not_before: 100, not_after: 100 + 3 * DAY, names: Vec::new() };
        assert_eq!(facts.validity(99), Validity::NotYet);
        assert_eq!(facts.validity(100), Validity::For { days: 3 });
        assert_eq!(facts.validity(100 + 3 * DAY), Validity::For { days: 0 });
        assert_eq!(facts.validity(101 + 3 * DAY), Validity::Expired);
    }
}
