//! A client's errors on a connection that stays open: the one table of `pusher:error` texts.
//!
//! Hosted Pusher's words wherever they are known, because people search for these words (WS-131).

mod client_event;
mod over_quota;
mod sign_in;
mod told;
mod wording;

use crate::channel::InvalidName;

pub use client_event::ClientEventFault;
pub use over_quota::OverQuota;
pub use sign_in::SignInFault;

use wording::{echoed, half_character};

/// The beginning of the HTTP API's message for a path without a route; a colon and the path follow. Other programs
/// of this project recognise the server by this text.
pub const NOTHING_AT: &str = "There is nothing at this path";

/// The HTTP API's message while the other nodes' part of an answer is not known (CL-021). Other programs of this project
/// recognise the cause by this text.
pub const NUMBERS_AWAY: &str = "The nodes' shared numbers cannot be read at the moment; try again";

/// A failed command; answered with one `pusher:error`, and nothing else changes (WS-130).
///
/// `Display` is the `message` of the error event. The text may repeat the client's, so logs get
/// [`ProtocolError::label`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Not JSON, not an object, or no string `event` (WS-210, WS-211).
    #[error("Received invalid JSON")]
    InvalidJson,
    /// A binary message (WS-021).
    #[error("Binary messages are not part of the protocol")]
    BinaryMessage,
    /// An event that clients may not send (WS-212).
    #[error("Unsupported event received on socket: {}", echoed(.0))]
    UnsupportedEvent(String),
    /// `data` is no object, nor a string that holds one (WS-113).
    #[error("Expected parameter data to be a hash")]
    DataNotAHash,
    /// A required member of `data` is missing.
    #[error("Missing parameter: {0}")]
    MissingParameter(&'static str),
    /// A member of `data` is no string, but must be one.
    #[error("Expected parameter {0} to be a string")]
    NotAString(&'static str),
    /// A member of `data` that must be a text holds half a surrogate pair, which is no character.
    #[error("{}", half_character(.0))]
    HalfCharacter(&'static str),
    /// The name breaks LIM-001, LIM-002 or LIM-015 (WS-135).
    #[error("{}", invalid_name(.name, *.fault))]
    InvalidChannelName {
        /// The name as received.
        name: String,
        /// The rule that the name breaks.
        fault: InvalidName,
    },
    /// Subscribed already (WS-137).
    #[error("Existing subscription to channel {0}")]
    ExistingSubscription(String),
    /// The connection is not subscribed (WS-141).
    #[error("No current subscription to channel {}, or subscription in progress", echoed(.0))]
    NoSubscription(String),
    /// The connection has as many subscriptions as it may.
    #[error(
        "This connection is subscribed to {limit} channels, the most it may be \
         (setting limits.channels_per_connection)"
    )]
    TooManyChannels {
        /// The setting `limits.channels_per_connection`.
        limit: usize,
    },
    /// The connection subscribes or signs in more often than it may.
    #[error(
        "Too many subscriptions and sign-ins: at most {limit} a second \
         (setting limits.subscriptions_per_second)"
    )]
    TooManySubscriptions {
        /// The setting `limits.subscriptions_per_second`.
        limit: usize,
    },
    /// A guarded channel without `auth`.
    #[error("Auth info required to subscribe to {0}")]
    AuthMissing(String),
    /// `auth` without a colon.
    #[error("Auth value for subscription to {0} is invalid: should be of format 'key:signature'")]
    AuthFormat(String),
    /// `auth` with a key that is not the app's.
    #[error("Invalid key in subscription auth data: '{}'", echoed(.0))]
    AuthKey(String),
    /// The signature is not that of the text (AUTH-024).
    #[error("Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {}", echoed(.got))]
    AuthSignature {
        /// What the server signed.
        signed: String,
        /// The client's signature.
        got: String,
    },
    /// Another user's `#server-to-user-…`, or a connection without a signed-in user (WS-191).
    #[error("Only the signed-in user may subscribe to {0}")]
    NotSignedIn(String),
    /// A presence channel without `channel_data` (WS-115).
    #[error("Missing parameter: data.channel_data is required to subscribe to {0}")]
    ChannelDataMissing(String),
    /// `channel_data` is not JSON, or its `user_id` neither string nor integer (WS-116).
    #[error(
        "Invalid channel_data for subscription to {0}: should be a JSON object \
         with a string or integer user_id"
    )]
    ChannelDataInvalid(String),
    /// `channel_data` is larger than allowed (LIM-021).
    #[error(
        "channel_data of {size} bytes exceeds the allowed maximum \
         ({limit} bytes, setting limits.member_bytes)"
    )]
    MemberTooBig {
        /// The setting `limits.member_bytes`.
        limit: usize,
        /// The size of `channel_data` in bytes.
        size: usize,
    },
    /// `user_id` is longer than allowed (LIM-022).
    #[error(
        "user_id of {length} characters exceeds the allowed maximum \
         ({limit} characters, setting limits.user_id)"
    )]
    UserIdTooLong {
        /// The setting `limits.user_id`.
        limit: usize,
        /// The length of `user_id` in characters.
        length: usize,
    },
    /// `pusher:signin` failed (WS-184).
    #[error(transparent)]
    SignIn(SignInFault),
    /// The watchlist is longer than allowed (LIM-023); the first users are watched (WS-196).
    #[error(
        "The watchlist has {length} users, but only the first {limit} are watched \
         (setting limits.watchlist)"
    )]
    WatchlistTooLong {
        /// The setting `limits.watchlist`.
        limit: usize,
        /// The watchlist's length.
        length: usize,
    },
    /// The presence channel holds as many users as it may (WS-136).
    #[error("Presence channel {channel} has its maximum of {limit} users (setting limits.members)")]
    ChannelFull {
        /// The channel.
        channel: String,
        /// The setting `limits.members`.
        limit: usize,
    },
    /// A client event was not forwarded (WS-161 … WS-169).
    #[error(transparent)]
    ClientEvent(ClientEventFault),
}

impl ProtocolError {
    /// The `code` of the error event; hosted Pusher has null for nearly everything (WS-130, WS-134).
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::NotSignedIn(_) | Self::SignIn(_) => Some(4009),
            Self::ClientEvent(fault) if fault.is_about_rate() => Some(4301),
            Self::TooManySubscriptions { .. } => Some(4301),
            Self::WatchlistTooLong { .. } => Some(4302),
            _ => None,
        }
    }

    /// Whether a correct but unknowing client may cause the error again and again, so that the error must never
    /// close the connection (WS-163, WS-214).
    #[must_use]
    pub const fn is_harmless(&self) -> bool {
        match self {
            Self::ClientEvent(fault) => fault.is_about_rate(),
            Self::WatchlistTooLong { .. } => true,
            _ => false,
        }
    }

    /// The HTTP-like status of soketi's `pusher:subscription_error`; `None` where soketi sends no such event (WS-133).
    #[must_use]
    pub const fn subscription_error_status(&self) -> Option<(&'static str, u16)> {
        match self {
            Self::AuthMissing(_) | Self::AuthFormat(_) | Self::AuthKey(_) | Self::AuthSignature { .. } => {
                Some(("AuthError", 401))
            }
            Self::ChannelFull { .. } => Some(("LimitReached", 4100)),
            Self::MemberTooBig { .. } => Some(("LimitReached", 4301)),
            Self::InvalidChannelName { .. } => Some(("LimitReached", 4009)),
            _ => None,
        }
    }

    /// The cause in one word, for logs; holds no text of the client.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::BinaryMessage => "binary_message",
            Self::UnsupportedEvent(_) => "unsupported_event",
            Self::DataNotAHash => "data_not_a_hash",
            Self::MissingParameter(_) => "missing_parameter",
            Self::NotAString(_) => "not_a_string",
            Self::HalfCharacter(_) => "half_character",
            Self::InvalidChannelName { .. } => "invalid_channel_name",
            Self::ExistingSubscription(_) => "existing_subscription",
            Self::NoSubscription(_) => "no_subscription",
            Self::TooManyChannels { .. } => "too_many_channels",
            Self::TooManySubscriptions { .. } => "too_many_subscriptions",
            Self::AuthMissing(_) => "unsigned",
            Self::AuthFormat(_) => "malformed_auth",
            Self::AuthKey(_) => "wrong_key",
            Self::AuthSignature { .. } => "wrong_signature",
            Self::NotSignedIn(_) => "not_signed_in",
            Self::ChannelDataMissing(_) => "channel_data_missing",
            Self::ChannelDataInvalid(_) => "channel_data_invalid",
            Self::MemberTooBig { .. } => "member_too_big",
            Self::UserIdTooLong { .. } => "user_id_too_long",
            Self::ChannelFull { .. } => "channel_full",
            Self::SignIn(fault) => fault.label(),
            Self::WatchlistTooLong { .. } => "watchlist_too_long",
            Self::ClientEvent(fault) => fault.label(),
        }
    }
}

/// The message for an illegal channel name, for both of its users: sockets and the HTTP API (WS-135, API-020).
#[must_use]
pub fn invalid_name(name: &str, fault: InvalidName) -> String {
    let name = echoed(name);
    match fault {
        InvalidName::Characters => format!("Invalid channel name: {name}"),
        InvalidName::TooLong { limit, length } => format!(
            "Invalid channel name: {name} ({length} characters, at most {limit}, setting limits.channel_name)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_131_texts_are_hosted_pushers() {
        let cases = [
            (ProtocolError::ExistingSubscription("a".into()), "Existing subscription to channel a"),
            (
                ProtocolError::NoSubscription("a".into()),
                "No current subscription to channel a, or subscription in progress",
            ),
            (ProtocolError::AuthMissing("private-a".into()), "Auth info required to subscribe to private-a"),
            (
                ProtocolError::AuthFormat("private-a".into()),
                "Auth value for subscription to private-a is invalid: should be of format 'key:signature'",
            ),
            (ProtocolError::AuthKey("k".into()), "Invalid key in subscription auth data: 'k'"),
            (
                ProtocolError::AuthSignature { signed: "1.2:private-a".into(), got: "ff".into() },
                "Invalid signature: Expected HMAC SHA256 hex digest of 1.2:private-a, but got ff",
            ),
            (ProtocolError::UnsupportedEvent("x".into()), "Unsupported event received on socket: x"),
            (ProtocolError::InvalidJson, "Received invalid JSON"),
            (ProtocolError::DataNotAHash, "Expected parameter data to be a hash"),
            (ProtocolError::MissingParameter("data.channel"), "Missing parameter: data.channel"),
            (
                ProtocolError::InvalidChannelName { name: "a b".into(), fault: InvalidName::Characters },
                "Invalid channel name: a b",
            ),
            (
                ProtocolError::ClientEvent(ClientEventFault::Incomplete),
                "Invalid client event (must contain channel and data)",
            ),
            (
                ProtocolError::ClientEvent(ClientEventFault::NotSubscribed("private-a".into())),
                "Cannot broadcast client event (connection not subscribed to channel private-a)",
            ),
            (
                ProtocolError::ClientEvent(ClientEventFault::Off),
                "To send client events, you must enable this feature in the Settings page of your dashboard. (here: client_events = true in the app's settings)",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_client_gets_back_only_the_beginning_of_a_long_text() {
        let error = ProtocolError::UnsupportedEvent("é".repeat(20_000));
        assert!(error.to_string().len() < 300);
    }
}
