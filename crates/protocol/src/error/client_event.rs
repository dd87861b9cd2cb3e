//! Faults of a client event, and their texts (WS-161 … WS-169).
//!
//! Hosted Pusher's words where they are known (WS-131).

use super::over_quota::OverQuota;
use super::wording::echoed;

/// Why a client event was not forwarded; `Display` is the `message` of the error event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientEventFault {
    /// Client events are off for the app.
    #[error(
        "To send client events, you must enable this feature in the Settings page of your dashboard. \
         (here: client_events = true in the app's settings)"
    )]
    Off,
    /// No `channel` or no `data` (WS-169).
    #[error("Invalid client event (must contain channel and data)")]
    Incomplete,
    /// The connection is not subscribed to the channel.
    #[error("Cannot broadcast client event (connection not subscribed to channel {})", echoed(.0))]
    NotSubscribed(String),
    /// The channel is neither private nor presence.
    #[error("Cannot broadcast client event (channel {} is neither private nor presence)", echoed(.0))]
    Unguarded(String),
    /// The name is longer than allowed (LIM-016).
    #[error(
        "The event name of {length} characters exceeds the allowed maximum \
         ({limit} characters, setting limits.event_name)"
    )]
    NameTooLong {
        /// The setting `limits.event_name`.
        limit: usize,
        /// The name's length in characters.
        length: usize,
    },
    /// The data is larger than allowed (LIM-012).
    #[error(
        "The data of this client event ({size} bytes) exceeds the allowed maximum \
         ({limit} bytes, setting limits.client_event_bytes)"
    )]
    TooBig {
        /// The setting `limits.client_event_bytes`.
        limit: usize,
        /// The data's size in bytes.
        size: usize,
    },
    /// The connection's rate limit of client events is reached; the event was dropped (LIM-014, WS-163).
    #[error(
        "This connection sends more than {limit} client events a second; the event was dropped \
         (setting limits.client_events_per_second)"
    )]
    TooMany {
        /// The setting `limits.client_events_per_second`.
        limit: usize,
    },
    /// The app's quota of messages is used up; the event was dropped.
    #[error("{0}; the event was dropped")]
    OverQuota(OverQuota),
}

impl ClientEventFault {
    /// Whether a rate limit or quota was reached, of the connection or of the whole app.
    pub(super) const fn is_about_rate(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::OverQuota(_))
    }

    /// The cause in one word, for logs.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Off => "client_events_off",
            Self::Incomplete => "client_event_incomplete",
            Self::NotSubscribed(_) => "client_event_not_subscribed",
            Self::Unguarded(_) => "client_event_on_unguarded_channel",
            Self::NameTooLong { .. } => "client_event_name_too_long",
            Self::TooBig { .. } => "client_event_too_big",
            Self::TooMany { .. } => "client_event_rate",
            Self::OverQuota(_) => "over_message_quota",
        }
    }
}
