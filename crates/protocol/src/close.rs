//! Why a connection ends: the one table of close codes (WS-050).
//!
//! Never holds a code of 4300 or more (WS-055). The caller picks a reason that fits before
//! `connection_established` (WS-056).

use std::borrow::Cow;

use crate::ws::DecodeError;

/// Longest part of an unknown key that is sent back, in bytes: so that a UUID fits, and the text into a close frame.
const MOST_OF_A_KEY: usize = 36;

/// The end of a connection, or its refusal at the handshake.
///
/// `Display` is the text for the close frame: at most 123 bytes (WS-050). Hosted Pusher's words stand first, because
/// people search for them; behind them stands what is so here. The text may repeat the key, the origin or the path that
/// came; [`CloseReason::label`] repeats nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// 4000: the app requires TLS, and the client connected without (WS-063).
    #[error("Application only accepts SSL connections, reconnect using wss:// (setting force_tls)")]
    TlsRequired,
    /// 4001: no app has this key.
    #[error(
        "App key {} not in this cluster. Did you forget to specify the cluster? (no such key here)",
        fitting(.0)
    )]
    UnknownKey(String),
    /// 4003: the app is switched off.
    #[error("Application disabled (setting enabled)")]
    AppDisabled,
    /// 4004: the app has reached its connection quota (LIM-026).
    #[error("Account over quota (at most {limit} connections, setting max_connections)")]
    OverQuota {
        /// The app's setting `max_connections`.
        limit: usize,
    },
    /// 4005: the path, given as received, is not `/app/KEY` (WS-009).
    #[error("Path not found: connect to /app/KEY, not {}", shortened(.0, 75))]
    PathNotFound(String),
    /// 4007: the protocol version is not supported.
    #[error("Unsupported protocol version: 4, 5, 6 and 7 are spoken here")]
    VersionUnsupported,
    /// 4008: no protocol version was given, and the server requires a version.
    #[error("No protocol version supplied (setting listen.version_required)")]
    VersionMissing,
    /// 4009: the page's origin is not one of the app's.
    #[error("Origin not allowed: {} (setting allowed_origins)", shortened(.0, 70))]
    OriginRefused(String),
    /// 4009: the app requires authorization, and the client did not authorize in time (WS-062).
    #[error("Connection not authorized within timeout (setting timeouts.authorize)")]
    NotAuthorized,
    /// 4009: the app's back end has ended the connections of this user (API-062).
    #[error("You got disconnected by the app.")]
    Terminated,
    /// 4009: an operator has closed the connection for good (CON-047).
    #[error("Closed by an operator of the server")]
    ClosedByOperator,
    /// 4200: an operator has closed the connection; the client reconnects at once (CON-047).
    #[error("Closed by an operator of the server, reconnect")]
    ReconnectByOperator,
    /// 4100: the node has reached its limit of connections.
    #[error("Over capacity (setting limits.connections)")]
    OverCapacity,
    /// 4100: a new session over HTTP, of whose client's address too many have no request that waits (FALLBACK-027, SIO-036).
    #[error("Too many sessions of this address have no request that waits (see listen.trusted_proxies)")]
    TooManyAway,
    /// 4100: the app could not be looked up; the key may be right.
    #[error("Apps cannot be looked up at the moment")]
    AppUnknownForNow,
    /// 4100: a new connection during graceful shutdown (WS-057).
    #[error("Server shutting down")]
    ShuttingDown,
    /// 4100: a slow consumer, whose outbox was full.
    #[error("Messages are not read fast enough (setting limits.outbox_bytes)")]
    SlowReader,
    /// 4100: the budget of all connections was exceeded, and this connection was among the largest.
    #[error("Too much waits for all clients together (setting limits.outboxes_bytes)")]
    OverMemory,
    /// 4100: a long run of commands with errors (WS-214).
    #[error("Too many invalid messages")]
    TooManyErrors,
    /// 4200: graceful shutdown; the client reconnects, to another node.
    #[error("Server shutting down")]
    ServerRestarting,
    /// 4201: no answer to a Ping frame (WS-045).
    #[error("Pong reply not received")]
    PongMissing,
    /// 4201: the client of the HTTP fallback has not asked for messages in time (FALLBACK-018, FALLBACK-021).
    #[error("No request to receive messages came in time")]
    ReceiverMissing,
    /// 4100: requests of the HTTP fallback, or POSTs of Socket.IO, bring messages faster than they are handled (FALLBACK-027,
    /// SIO-019).
    #[error("Messages come faster than they are handled")]
    InboxFull,
    /// 1009: a request of the HTTP fallback, or a POST of Socket.IO, is too long (FALLBACK-027, SIO-019).
    #[error("The request is longer than allowed (setting limits.request_bytes)")]
    RequestTooLong,
    /// 1002, 1007 or 1009: the bytes were no WebSocket stream, or a message was too long.
    #[error(transparent)]
    Undecodable(DecodeError),
    /// 1002: a text that is no packet of Socket.IO (SIO-014).
    #[error("Not a packet of Socket.IO")]
    BadPacket,
    /// 1002: a poll or POST while another of the session is under way (SIO-017).
    #[error("Requests of one session overlap")]
    Overlap,
    /// 4201: a client of Socket.IO that has not begun to receive, or not connected to its namespace (SIO-036, SIO-042).
    #[error("The session was never begun")]
    NeverBegun,
    /// The client sent a close frame, with this code (WS-051).
    #[error("")]
    ByClient(Option<u16>),
    /// The transport broke; no peer can be told.
    #[error("")]
    Gone,
}

impl CloseReason {
    /// The code for the close frame; `None` sends a close frame without one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        Some(match self {
            Self::TlsRequired => 4000,
            Self::UnknownKey(_) => 4001,
            Self::AppDisabled => 4003,
            Self::OverQuota { .. } => 4004,
            Self::PathNotFound(_) => 4005,
            Self::VersionUnsupported => 4007,
            Self::VersionMissing => 4008,
            Self::OriginRefused(_) | Self::NotAuthorized | Self::Terminated | Self::ClosedByOperator => 4009,
            Self::OverCapacity
            | Self::TooManyAway
            | Self::AppUnknownForNow
            | Self::ShuttingDown
            | Self::SlowReader
            | Self::OverMemory
            | Self::TooManyErrors
            | Self::InboxFull => 4100,
            Self::ServerRestarting | Self::ReconnectByOperator => 4200,
            Self::PongMissing | Self::ReceiverMissing | Self::NeverBegun => 4201,
            Self::RequestTooLong => 1009,
            Self::BadPacket | Self::Overlap => 1002,
            Self::Undecodable(error) => error.code(),
            Self::ByClient(code) => return *code,
            Self::Gone => return None,
        })
    }

    /// The cause in one word, for logs and metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::TlsRequired => "tls_required",
            Self::UnknownKey(_) => "unknown_key",
            Self::AppDisabled => "app_disabled",
            Self::OverQuota { .. } => "over_quota",
            Self::PathNotFound(_) => "path_not_found",
            Self::VersionUnsupported => "version_unsupported",
            Self::VersionMissing => "version_missing",
            Self::OriginRefused(_) => "origin_refused",
            Self::NotAuthorized => "not_authorized",
            Self::Terminated => "terminated",
            Self::ClosedByOperator => "closed_by_operator",
            Self::ReconnectByOperator => "reconnect_by_operator",
            Self::OverCapacity => "over_capacity",
            Self::TooManyAway => "too_many_away",
            Self::AppUnknownForNow => "apps_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::SlowReader => "slow_reader",
            Self::OverMemory => "over_memory",
            Self::TooManyErrors => "too_many_errors",
            Self::ServerRestarting => "server_restarting",
            Self::PongMissing => "pong_missing",
            Self::ReceiverMissing => "receiver_missing",
            Self::InboxFull => "inbox_full",
            Self::RequestTooLong => "request_too_long",
            Self::Undecodable(error) => error.label(),
            Self::BadPacket => "bad_packet",
            Self::Overlap => "overlapping_requests",
            Self::NeverBegun => "never_begun",
            Self::ByClient(_) => "by_client",
            Self::Gone => "gone",
        }
    }

    /// Whether a peer is left for the close frame.
    #[must_use]
    pub const fn can_be_told(&self) -> bool {
        !matches!(self, Self::Gone)
    }

    /// Whether the queued frames are dropped, because the client does not read them.
    #[must_use]
    pub const fn gives_up_what_waits(&self) -> bool {
        matches!(self, Self::SlowReader | Self::OverMemory)
    }

    /// Whether a client is told not to come back: codes 4000 to 4099.
    #[must_use]
    pub fn forbids_return(&self) -> bool {
        self.is_by_server() && self.code().is_some_and(|code| (4000..4100).contains(&code))
    }

    /// Whether the server decided to close, so that old clients get an event first (WS-053).
    #[must_use]
    pub const fn is_by_server(&self) -> bool {
        !matches!(self, Self::Gone | Self::ByClient(_))
    }
}

/// The key, or as much of it as fits into a close frame.
fn fitting(key: &str) -> Cow<'_, str> {
    let ellipsis = '…'.len_utf8();
    if key.len() <= MOST_OF_A_KEY { Cow::Borrowed(key) } else { shortened(key, MOST_OF_A_KEY - ellipsis) }
}

/// The text, or its first `most` bytes (fewer, not to cut a character) and an ellipsis.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<CloseReason> {
        vec![
            CloseReason::TlsRequired,
            CloseReason::UnknownKey("é".repeat(300)),
            CloseReason::AppDisabled,
            CloseReason::OverQuota { limit: usize::MAX },
            CloseReason::PathNotFound("é".repeat(300)),
            CloseReason::VersionUnsupported,
            CloseReason::VersionMissing,
            CloseReason::OriginRefused("é".repeat(300)),
            CloseReason::NotAuthorized,
            CloseReason::Terminated,
            CloseReason::ClosedByOperator,
            CloseReason::ReconnectByOperator,
            CloseReason::OverCapacity,
            CloseReason::TooManyAway,
            CloseReason::AppUnknownForNow,
            CloseReason::ShuttingDown,
            CloseReason::SlowReader,
            CloseReason::OverMemory,
            CloseReason::TooManyErrors,
            CloseReason::ServerRestarting,
            CloseReason::PongMissing,
            CloseReason::ReceiverMissing,
            CloseReason::InboxFull,
            CloseReason::RequestTooLong,
            CloseReason::BadPacket,
            CloseReason::Overlap,
            CloseReason::NeverBegun,
            CloseReason::ByClient(Some(1000)),
            CloseReason::Gone,
        ]
    }

    #[test]
    fn ws_050_every_text_fits_a_close_frame() {
        for reason in all() {
            assert!(reason.to_string().len() <= 123, "{reason:?}");
        }
    }

    #[test]
    fn a_key_as_long_as_a_uuid_is_repeated_whole() {
        let key = "f".repeat(36);
        assert!(CloseReason::UnknownKey(key.clone()).to_string().contains(&format!(" {key} ")));
        assert!(CloseReason::UnknownKey(key + "f").to_string().contains('…'));
    }

    #[test]
    fn ws_055_no_code_is_4300_or_above() {
        for reason in all() {
            assert!(reason.code().is_none_or(|code| code < 4300), "{reason:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_answered_in_hosted_pushers_words() {
        assert_eq!(
            CloseReason::UnknownKey("abc".into()).to_string(),
            "App key abc not in this cluster. Did you forget to specify the cluster? (no such key here)"
        );
    }
}
