//! Times as operators write them: a bare number in the unit of its setting, or a text with a unit, such as `250ms`.
//!
//! The one reader of times, for the configuration as well as for the settings of apps.

/// The unit that a bare number of a setting is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
}

/// The units that a text may have, and their milliseconds; the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl TimeUnit {
    const fn milliseconds(self) -> u64 {
        match self {
            Self::Seconds => 1000,
            Self::Milliseconds => 1,
        }
    }

    /// The name of the unit, in the plural.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
        }
    }

    /// A text such as `5s`, `250ms`, `2m`, `1h` or `1d`, or a bare number, as a count of this unit.
    ///
    /// `None`: the text is none of these, or not a whole number of this unit.
    #[must_use]
    pub fn read(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return Some(number);
        }
        let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let all = number.checked_mul(*milliseconds)?;
        all.is_multiple_of(self.milliseconds()).then(|| all / self.milliseconds())
    }

    /// A count of this unit with the longest unit that it is a whole number of; what [`TimeUnit::read`] reads.
    #[must_use]
    pub fn show(self, count: u64) -> String {
        let all = count.saturating_mul(self.milliseconds());
        let (name, milliseconds) = UNITS
            .into_iter()
            .find(|(_, milliseconds)| all != 0 && all.is_multiple_of(*milliseconds))
            .unwrap_or(("s", 1000));
        format!("{}{name}", all / milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_in_the_settings_unit_and_a_text_says_its_own() {
        use TimeUnit::{Milliseconds, Seconds};
        for (unit, text, count) in [
            (Seconds, "5", 5),
            (Milliseconds, "5", 5),
            (Seconds, "5s", 5),
            (Milliseconds, "5s", 5000),
            (Milliseconds, "250ms", 250),
            (Seconds, "2000ms", 2),
            (Seconds, " 2 m ", 120),
            (Seconds, "1h", 3600),
            (Milliseconds, "1d", 86_400_000),
        ] {
            assert_eq!(unit.read(text), Some(count), "{text}");
        }
        for text in ["", "s", "-5s", "1.5s", "5 apples", "5S", "250ms", "99999999999999999999d", "1h30m"] {
            assert_eq!(Seconds.read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for (unit, count, text) in [
            (TimeUnit::Seconds, 0, "0s"),
            (TimeUnit::Seconds, 75, "75s"),
            (TimeUnit::Seconds, 3600, "1h"),
            (TimeUnit::Milliseconds, 0, "0s"),
            (TimeUnit::Milliseconds, 1500, "1500ms"),
            (TimeUnit::Milliseconds, 300_000, "5m"),
        ] {
            assert_eq!(unit.show(count), text);
            assert_eq!(unit.read(text), Some(count));
        }
    }
}
