//! What can be wrong with a client event, and its texts (WS-161 … WS-169).
//!
//! Hosted Pusher's words where they are known (WS-131).

use std::borrow::Cow;

use super::over_quota::OverQuota;
use super::wording::echoed;

/// Why an event of a client was not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEventFault {
    /// The app does not have client events.
    Off,
    /// No `channel` or no `data` (WS-169).
    Incomplete,
    /// The connection does not listen to the channel.
    NotSubscribed(String),
    /// The channel is neither private nor presence.
    Unguarded(String),
    /// The name is longer than LIM-016.
    NameTooLong {
        /// The setting `limits.event_name`.
        limit: usize,
        /// Characters that came.
        length: usize,
    },
    /// The data is larger than LIM-012.
    TooBig {
        /// The setting `limits.client_event_bytes`.
        limit: usize,
        /// What came.
        size: usize,
    },
    /// More of them than LIM-014; this one was dropped (WS-163).
    TooMany {
        /// The setting `limits.client_events_per_second`.
        limit: usize,
    },
    /// The app has had all the messages that it may; this one was dropped.
    OverQuota(OverQuota),
}

impl ClientEventFault {
    /// Whether there are too many of them, of the connection or of the whole app.
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

    /// The `message` of the error event.
    pub(super) fn message(&self) -> Cow<'static, str> {
        let text = match self {
            Self::Off => {
                return Cow::Borrowed(
                    "To send client events, you must enable this feature in the Settings page of your \
                     dashboard. (setting client_events)",
                );
            }
            Self::Incomplete => {
                return Cow::Borrowed("Invalid client event (must contain channel and data)");
            }
            Self::NotSubscribed(channel) => format!(
                "Cannot broadcast client event (connection not subscribed to channel {})",
                echoed(channel)
            ),
            Self::Unguarded(channel) => format!(
                "Cannot broadcast client event (channel {} is neither private nor presence)",
                echoed(channel)
            ),
            Self::NameTooLong { limit, length } => format!(
                "The event name of {length} characters exceeds the allowed maximum \
                 ({limit} characters, setting limits.event_name)"
            ),
            Self::TooBig { limit, size } => format!(
                "The data of this client event ({size} bytes) exceeds the allowed maximum \
                 ({limit} bytes, setting limits.client_event_bytes)"
            ),
            Self::TooMany { limit } => format!(
                "This connection sends more than {limit} client events a second; the event was dropped \
                 (setting limits.client_events_per_second)"
            ),
            Self::OverQuota(over) => format!("{over}; the event was dropped"),
        };
        Cow::Owned(text)
    }
}
