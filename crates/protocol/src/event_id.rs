//! The id of an accepted publish, a ULID: 48 bits of milliseconds since 1970 and 80 other bits, in 26 characters.
//!
//! Knows no clock and no randomness: the caller brings both.

use std::fmt;

/// What back ends are told the id by, in each answer to an accepted publish (CON-043).
pub const EVENT_ID_HEADER: &str = "fanfare-event-id";

/// Characters of the printed form.
const LENGTH: usize = 26;

/// Bits that are no time.
const FREE_BITS: u32 = 80;

/// The 32 digits, in the order of ASCII, so that texts sort as ids do.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The id of one accepted publish; of a batch as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

impl EventId {
    /// The id of a moment in milliseconds since 1970; of `random` the lower 79 bits count, so that there is room above for
    /// the ids of the same millisecond.
    #[must_use]
    pub const fn new(milliseconds: u64, random: u128) -> Self {
        let random = random & ((1 << (FREE_BITS - 1)) - 1);
        Self((milliseconds as u128) << FREE_BITS | random)
    }

    /// The next id, if the clock has not moved on.
    #[must_use]
    pub const fn successor(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The id's moment, in milliseconds since 1970.
    #[must_use]
    pub const fn milliseconds(self) -> u64 {
        (self.0 >> FREE_BITS) as u64
    }

    /// The id as a number, for other nodes.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The id of another node's number.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The printed form.
    #[must_use]
    pub fn digits(self) -> [u8; LENGTH] {
        let digit = |place: usize| {
            let bits = self.0 >> (5 * (LENGTH - 1 - place));
            DIGITS[(bits & 31) as usize]
        };
        std::array::from_fn(digit)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_043_an_id_is_a_ulid_of_26_characters() {
        let id = EventId::new(1_469_918_176_385, 0);
        assert_eq!(id.to_string(), "01ARYZ6S410000000000000000");
        assert_eq!(id.milliseconds(), 1_469_918_176_385);
        let last = EventId::new((1 << 48) - 1, u128::MAX);
        assert_eq!(last.to_string(), "7ZZZZZZZZZFZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn con_043_ids_of_one_millisecond_follow_each_other_also_as_texts() {
        let mut last = EventId::new(7, u128::MAX);
        for _ in 0..100 {
            let next = last.successor();
            assert!(next > last && next.to_string() > last.to_string());
            assert_eq!(next.milliseconds(), 7);
            last = next;
        }
    }
}
