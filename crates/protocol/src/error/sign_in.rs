//! Faults of `pusher:signin`, and their texts (WS-184).
//!
//! Hosted Pusher's texts are unknown but for the missing parameter; the other texts follow Pusher's texts for
//! subscriptions.

use super::wording::{echoed, half_character};

/// Why a connection was not signed in; its state is unchanged. `Display` is the `message` of the error event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInFault {
    /// A required member of `data` is missing.
    #[error("Missing parameter: {0}")]
    Missing(&'static str),
    /// A member of `data` is no string, but must be one.
    #[error("Expected parameter {0} to be a string")]
    NotAString(&'static str),
    /// A member of `data` that must be a text holds half a surrogate pair, which is no character.
    #[error("{}", half_character(.0))]
    HalfCharacter(&'static str),
    /// `data` is no object, nor a string that holds one.
    #[error("Expected parameter data to be a hash")]
    DataNotAHash,
    /// `auth` without a colon.
    #[error("Auth value for signin is invalid: should be of format 'key:signature'")]
    AuthFormat,
    /// `auth` with a key that is not the app's.
    #[error("Invalid key in signin auth data: '{}'", echoed(.0))]
    AuthKey(String),
    /// The signature is not that of the text (AUTH-030).
    #[error("Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {}", echoed(.got))]
    Signature {
        /// What the server signed.
        signed: String,
        /// The client's signature.
        got: String,
    },
    /// `user_data` is no JSON object whose `id` is a string that is not empty (WS-181).
    #[error("Invalid user_data for signin: should be a JSON object with a non-empty string id")]
    NoId,
    /// The id has illegal characters (LIM-005).
    #[error(
        "Invalid user_data for signin: the id {} may hold only A-Z a-z 0-9 _ - = @ , . ;",
        echoed(.0)
    )]
    IdCharacters(String),
    /// The id is longer than allowed.
    #[error(
        "Invalid user_data for signin: the id of {length} characters exceeds the allowed maximum \
         ({limit} characters, setting limits.user_id)"
    )]
    IdTooLong {
        /// The setting `limits.user_id`.
        limit: usize,
        /// The id's length in characters.
        length: usize,
    },
    /// `watchlist` is no array of strings (WS-181).
    #[error("Invalid user_data for signin: watchlist should be an array of strings")]
    Watchlist,
    /// The connection is signed in as another user (WS-182).
    #[error("This connection is signed in as {} already", echoed(.0))]
    OtherUser(String),
}

impl SignInFault {
    /// The cause in one word, for logs.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing_parameter",
            Self::NotAString(_) => "not_a_string",
            Self::HalfCharacter(_) => "half_character",
            Self::DataNotAHash => "data_not_a_hash",
            Self::AuthFormat => "malformed_auth",
            Self::AuthKey(_) => "wrong_key",
            Self::Signature { .. } => "wrong_signature",
            Self::NoId | Self::IdCharacters(_) | Self::IdTooLong { .. } | Self::Watchlist => {
                "user_data_invalid"
            }
            Self::OtherUser(_) => "signed_in_as_other",
        }
    }
}
