//! Lengths as JavaScript counts them: in UTF-16 units.

/// Number of UTF-16 units of a text in UTF-8; of other bytes, some number that is no larger than theirs.
#[must_use]
pub fn units(text: &[u8]) -> usize {
    text.iter().map(|&byte| units_begun(byte)).sum()
}

/// The first so many units of the text, and the rest; `None` where the text is shorter, or the cut is within a character.
pub(crate) fn split_at_units(text: &str, units: usize) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if bytes.get(..units)?.is_ascii() {
        return text.split_at_checked(units);
    }
    let (mut at, mut counted) = (0, 0);
    while counted < units {
        counted += units_begun(*bytes.get(at)?);
        at += 1;
        while bytes.get(at).is_some_and(|byte| !is_first(*byte)) {
            at += 1;
        }
    }
    if counted == units { text.split_at_checked(at) } else { None }
}

/// Units of the character that begins with this byte; 0 for a byte within a character.
const fn units_begun(byte: u8) -> usize {
    is_first(byte) as usize + (byte >= 0xf0) as usize
}

const fn is_first(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_beyond_the_first_plane_are_two_units() {
        for (text, count) in [("", 0), ("abc", 3), ("é", 1), ("☃", 1), ("😀", 2), ("é😀x", 4)] {
            assert_eq!(units(text.as_bytes()), count, "{text}");
            assert_eq!(units(text.as_bytes()), text.encode_utf16().count(), "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_only() {
        assert_eq!(split_at_units("abc", 2), Some(("ab", "c")));
        assert_eq!(split_at_units("é😀x", 3), Some(("é😀", "x")));
        assert_eq!(split_at_units("é😀x", 2), None, "within a character");
        assert_eq!(split_at_units("é😀x", 4), Some(("é😀x", "")));
        assert_eq!(split_at_units("é😀x", 5), None, "too short");
        assert_eq!(split_at_units("ab", 3), None);
        assert_eq!(split_at_units("", 0), Some(("", "")));
    }
}
