//! Legal names for events of back ends (LIM-004, LIM-007); client events have stricter rules of their own.

use crate::app::Limits;

/// Why a text is no legal event name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEventName {
    /// The text is empty.
    #[error("Expected name parameter not to be empty")]
    Empty,
    /// The text is too long (LIM-004).
    #[error(
        "The event name of {length} characters exceeds the allowed maximum ({limit}, setting limits.event_name)"
    )]
    TooLong {
        /// The setting `limits.event_name`.
        limit: usize,
        /// The text's length in characters.
        length: usize,
    },
    /// The name is reserved for the protocol (LIM-007).
    #[error("Event names beginning with pusher:, pusher_internal: and fanfare: are reserved")]
    Reserved,
}

/// Checks the name of an event that a back end sends.
///
/// # Errors
/// The name is empty, longer than the app's limit in characters, or reserved for the protocol.
pub fn check_event_name(name: &str, limits: &Limits) -> Result<(), InvalidEventName> {
    let (limit, length) = (limits.event_name, name.chars().count());
    if name.is_empty() {
        Err(InvalidEventName::Empty)
    } else if length > limit {
        Err(InvalidEventName::TooLong { limit, length })
    } else if is_reserved(name) {
        Err(InvalidEventName::Reserved)
    } else {
        Ok(())
    }
}

/// Whether only the protocol itself has events of this name: Pusher's, or what resuming adds to it (RES-006).
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    ["pusher:", "pusher_internal:", "fanfare:"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lim_004_and_lim_007_a_name_has_a_length_in_characters_and_is_not_the_protocols() {
        let limits = Limits { event_name: 7, ..Limits::default() };
        let check = |name| check_event_name(name, &limits);
        assert_eq!(check(""), Err(InvalidEventName::Empty));
        assert_eq!(check("öööööööö"), Err(InvalidEventName::TooLong { limit: 7, length: 8 }));
        assert_eq!(check("pusher:"), Err(InvalidEventName::Reserved));
        for name in ["ööööööö", "pusher", "pusher-", "Pusher:", "client-", "fanfare"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert!(is_reserved("pusher_internal:x") && is_reserved("fanfare:resumed"));
    }
}
