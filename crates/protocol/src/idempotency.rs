//! Idempotency keys: a publish that a back end repeats with the same key is done once (API-022 … API-024).
//!
//! What a key is, and what makes two requests the same one. Knows no clock and remembers nothing.

use sha2::{Digest, Sha256};

use crate::auth::Query;

/// The header with the key, in lower case.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// The field of a body with the key; the header goes before it.
pub const IDEMPOTENCY_FIELD: &str = "idempotency_key";

/// The longest key, in characters.
pub const LONGEST_IDEMPOTENCY_KEY: usize = 255;

/// How long a key is remembered after its first use, in milliseconds.
pub const IDEMPOTENCY_LIFE: u64 = 300_000;

/// A keyed request: digests alone, so that each takes the same memory however long its key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Names the key, within the app and the path.
    pub place: [u8; 16],
    /// The same for repeats of one request, different for all others.
    pub fingerprint: [u8; 16],
}

/// Whether a text may be a key: 1 to 255 printable characters of ASCII.
#[must_use]
pub fn is_idempotency_key(text: &[u8]) -> bool {
    (1..=LONGEST_IDEMPOTENCY_KEY).contains(&text.len())
        && text.iter().all(|byte| (0x20..=0x7e).contains(byte))
}

impl KeyedRequest {
    /// A request with a key; `path` names the app, too. Of the query everything but the signature counts, which a retry
    /// makes anew.
    #[must_use]
    pub fn new(path: &str, key: &[u8], query: &Query, body: &[u8]) -> Self {
        let place = digest([path.as_bytes(), key].into_iter());
        let beside = query.beside_signature().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        Self { place, fingerprint: digest(std::iter::once(body).chain(beside)) }
    }
}

/// Half of a SHA-256 of the parts, each with its length before it.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut whole = Sha256::new();
    for part in parts {
        whole.update((part.len() as u64).to_be_bytes());
        whole.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&whole.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_022_a_key_has_1_to_255_printable_characters() {
        for key in ["a", " ~", "6f1e-42", &"x".repeat(255)] {
            assert!(is_idempotency_key(key.as_bytes()), "{key}");
        }
        for key in ["", "a\n", "\u{7f}", "é", &"x".repeat(256)] {
            assert!(!is_idempotency_key(key.as_bytes()), "{key:?}");
        }
    }

    #[test]
    fn api_022_a_retry_that_is_signed_anew_is_the_same_request_and_any_other_is_not() {
        let request = |path: &str, key: &str, query: &str, body: &str| {
            KeyedRequest::new(path, key.as_bytes(), &Query::parse(query), body.as_bytes())
        };
        let first = request("/apps/3/events", "k", "auth_timestamp=1&auth_signature=a&body_md5=b&x=1", "{}");
        assert_eq!(first, request("/apps/3/events", "k", "x=1&auth_timestamp=2&auth_signature=c", "{}"));
        for other in [("/apps/4/events", "k"), ("/apps/3/batch_events", "k"), ("/apps/3/events", "K")] {
            assert_ne!(first.place, request(other.0, other.1, "x=1", "{}").place, "{other:?}");
        }
        for (query, body) in [("x=1", "{} "), ("x=2", "{}"), ("", "{}")] {
            let other = request("/apps/3/events", "k", query, body);
            assert_eq!(first.place, other.place);
            assert_ne!(first.fingerprint, other.fingerprint, "{query} {body}");
        }
    }
}
