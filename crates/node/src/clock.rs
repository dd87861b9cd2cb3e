//! Wall-clock time, for signatures, certificates, daily quotas and dates of answers.
//!
//! Never measures durations: the clock may be set back.

use std::time::SystemTime;

use fanfare_protocol::utc::since_1970;

/// Seconds since 1970.
#[must_use]
pub fn unix_seconds() -> u64 {
    since_1970(SystemTime::now()).as_secs()
}

/// Milliseconds since 1970.
#[must_use]
pub fn unix_milliseconds() -> u64 {
    u64::try_from(since_1970(SystemTime::now()).as_millis()).unwrap_or(u64::MAX)
}
