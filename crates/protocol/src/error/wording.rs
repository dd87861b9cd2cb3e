//! Parts that several error messages share.

use std::borrow::Cow;

use crate::close::shortened;

/// Longest part of a client's own text that is echoed to the client, in bytes.
const MOST_ECHOED: usize = 200;

/// The message for a member of `data` that holds half a character.
pub(super) fn half_character(name: &str) -> String {
    format!("Expected parameter {name} to be a string of whole characters, not half a surrogate pair")
}

/// A client's own text as echoed to the client.
pub(super) fn echoed(text: &str) -> Cow<'_, str> {
    shortened(text, MOST_ECHOED)
}
