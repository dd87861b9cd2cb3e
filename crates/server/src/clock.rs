//! The calendar's clock, for signatures, certificates, quotas of a day and dates of answers.
//!
//! Never used for measuring how long something takes: it may be set back.

use std::time::SystemTime;

use fanfare_protocol::utc::since_1970;

/// Seconds since 1970.
#[must_use]
pub fn unix_seconds() -> u64 {
    since_1970(SystemTime::now()).as_secs()
}
