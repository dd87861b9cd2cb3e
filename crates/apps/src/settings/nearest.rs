//! Suggestions for an unknown name.

/// Two names are similar from this score on; 1 means equal.
const NEAR: f64 = 0.6;

/// The most similar known name, if any is similar enough.
#[must_use]
pub fn nearest<T: AsRef<str>>(wanted: &str, known: impl Iterator<Item = T>) -> Option<T> {
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(wanted, known.as_ref()), known))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
