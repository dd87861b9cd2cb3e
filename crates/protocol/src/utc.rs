//! Moments in a readable form.
//!
//! Knows no clock: the caller reads the clock and gives the moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The Unix time of `moment`; zero for moments before 1970.
#[must_use]
pub fn since_1970(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Unix seconds as `2023-11-14T22:13:20Z`. The date is counted in years that begin in March, so that a
/// leap day is the last day of its year; every 400 years have 146,097 days.
#[must_use]
pub fn utc(seconds: u64) -> String {
    const DAYS_TO_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = seconds / 86_400 + DAYS_TO_MARCH_OF_YEAR_0;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turned) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + turned;
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Milliseconds since 1970 as `2023-11-14T22:13:20.123Z`.
#[must_use]
pub fn utc_milliseconds(milliseconds: u64) -> String {
    let second = utc(milliseconds / 1000);
    format!("{}.{:03}Z", second.trim_end_matches('Z'), milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_010_times_are_utc_in_rfc_3339() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(utc(seconds), text);
        }
        assert!(!utc(u64::MAX).is_empty());
        assert_eq!(utc_milliseconds(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
    }

    #[test]
    fn a_moment_before_1970_counts_as_its_beginning() {
        assert_eq!(since_1970(UNIX_EPOCH + Duration::from_millis(1_500)), Duration::from_millis(1_500));
        assert_eq!(since_1970(UNIX_EPOCH - Duration::from_secs(1)), Duration::ZERO);
    }
}
