//! Faults of `pusher:signin`, and their texts (WS-184).
//!
//! Hosted Pusher's texts are unknown but for the missing parameter; the other texts follow Pusher's texts for
//! subscriptions.

use std::borrow::Cow;

use super::wording::{echoed, half_character};

/// Why a connection was not signed in; the connection's state is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInFault {
    /// A required member of `data` is missing.
    Missing(&'static str),
    /// A member of `data` is no string, but must be one.
    NotAString(&'static str),
    /// A member of `data` that must be a text holds half a surrogate pair, which is no character.
    HalfCharacter(&'static str),
    /// `data` is no object, nor a string that holds one.
    DataNotAHash,
    /// `auth` without a colon.
    AuthFormat,
    /// `auth` with a key that is not the app's.
    AuthKey(String),
    /// The signature is not that of the text (AUTH-030).
    Signature {
        /// What the server signed.
        signed: String,
        /// The client's signature.
        got: String,
    },
    /// `user_data` is no JSON object whose `id` is a string that is not empty (WS-181).
    NoId,
    /// The id has illegal characters (LIM-005).
    IdCharacters(String),
    /// The id is longer than allowed.
    IdTooLong {
        /// The setting `limits.user_id`.
        limit: usize,
        /// The id's length in characters.
        length: usize,
    },
    /// `watchlist` is no array of strings (WS-181).
    Watchlist,
    /// The connection is signed in as another user (WS-182).
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

    /// The `message` of the error event.
    pub(super) fn message(&self) -> Cow<'static, str> {
        let text = match self {
            Self::AuthFormat => {
                return Cow::Borrowed(
                    "Auth value for signin is invalid: should be of format 'key:signature'",
                );
            }
            Self::NoId => {
                return Cow::Borrowed(
                    "Invalid user_data for signin: should be a JSON object with a non-empty string id",
                );
            }
            Self::Watchlist => {
                return Cow::Borrowed(
                    "Invalid user_data for signin: watchlist should be an array of strings",
                );
            }
            Self::DataNotAHash => return Cow::Borrowed("Expected parameter data to be a hash"),
            Self::NotAString(name) => format!("Expected parameter {name} to be a string"),
            Self::HalfCharacter(name) => half_character(name),
            Self::Missing(name) => format!("Missing parameter: {name}"),
            Self::AuthKey(key) => format!("Invalid key in signin auth data: '{}'", echoed(key)),
            Self::Signature { signed, got } => format!(
                "Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {}",
                echoed(got)
            ),
            Self::IdCharacters(id) => format!(
                "Invalid user_data for signin: the id {} may hold only A-Z a-z 0-9 _ - = @ , . ;",
                echoed(id)
            ),
            Self::IdTooLong { limit, length } => format!(
                "Invalid user_data for signin: the id of {length} characters exceeds the allowed maximum \
                 ({limit} characters, setting limits.user_id)"
            ),
            Self::OtherUser(id) => format!("This connection is signed in as {} already", echoed(id)),
        };
        Cow::Owned(text)
    }
}
