//! What somebody may have meant by a name that does not exist.

/// Two names are near from here on; 1 means the same.
const NEAR: f64 = 0.6;

/// The known name that takes the fewest changes, if it is near at all.
#[must_use]
pub fn nearest<T: AsRef<str>>(wanted: &str, known: impl Iterator<Item = T>) -> Option<T> {
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(wanted, known.as_ref()), known))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
