//! Chance that replays: the same seed gives the same choices.
//!
//! Never asks the system for randomness.

/// A source of choices (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A source of its own for a part of the run, so that no part depends on how often another one chose.
    pub(crate) fn of(seed: u64, part: &str, number: usize) -> Self {
        let mut mixed = Self(seed);
        for byte in part.bytes().chain(number.to_le_bytes()) {
            mixed.0 ^= u64::from(byte);
            mixed.next();
        }
        Self(mixed.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            // The remainder is below `bound`.
            bound => (self.next() % bound as u64) as usize,
        }
    }

    /// True in so many cases of a hundred.
    pub(crate) fn percent(&mut self, cases: usize) -> bool {
        self.below(100) < cases
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// A time between two bounds, in milliseconds.
    pub(crate) fn milliseconds(&mut self, least: usize, most: usize) -> std::time::Duration {
        let chosen = least + self.below(most.saturating_sub(least) + 1);
        std::time::Duration::from_millis(chosen as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_choices_and_parts_have_their_own() {
        let choices = |mut chance: Chance| (0..50).map(|_| chance.below(1000)).collect::<Vec<_>>();
        assert_eq!(choices(Chance::of(7, "seat", 3)), choices(Chance::of(7, "seat", 3)));
        let others = [Chance::of(8, "seat", 3), Chance::of(7, "seat", 4), Chance::of(7, "publisher", 3)];
        for other in others {
            assert_ne!(choices(Chance::of(7, "seat", 3)), choices(other));
        }
        assert!(choices(Chance::of(1, "seat", 0)).iter().all(|choice| *choice < 1000));
    }
}
