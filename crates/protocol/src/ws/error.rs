//! Why bytes are no WebSocket stream: the one table of decode errors and their close codes.

/// The bytes break RFC 6455 or a limit; the connection cannot go on.
///
/// `Display` is the text for the close frame: at most 123 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame without a mask; clients must mask every frame (RFC 6455, section 5.1).
    #[error("A frame from a client must be masked")]
    Unmasked,
    /// A reserved bit is set although no extension was agreed on (section 5.2).
    #[error("A reserved bit is set, but no extension was agreed on")]
    ReservedBits,
    /// Opcode 3 to 7 or 11 to 15 (section 5.2).
    #[error("The opcode of a frame is reserved")]
    ReservedOpcode,
    /// A control frame of more than 125 bytes (section 5.5).
    #[error("A control frame must not be longer than 125 bytes")]
    ControlTooLong,
    /// A control frame that is not the whole message (section 5.5).
    #[error("A control frame must not be fragmented")]
    ControlFragmented,
    /// A continuation frame with nothing to continue (section 5.4).
    #[error("A continuation frame came without a message to continue")]
    UnexpectedContinuation,
    /// A new message before the fragments of the last one were complete (section 5.4).
    #[error("A new message began before the last one was complete")]
    ExpectedContinuation,
    /// A length of 2^63 or more (section 5.2).
    #[error("The length of a frame has its highest bit set")]
    LengthOverflow,
    /// A close frame of one byte; a code takes two (section 5.5.1).
    #[error("The payload of a close frame must be empty or begin with a code of two bytes")]
    ClosePayload,
    /// A close code that must not be sent (section 7.4).
    #[error("The code in a close frame must not be sent")]
    CloseCode,
    /// A text, or the reason in a close frame, is not UTF-8 (WS-213).
    #[error("Text must be valid UTF-8")]
    InvalidUtf8,
    /// A message longer than the decoder's limit (WS-023).
    #[error("The message is longer than allowed (setting limits.message_bytes)")]
    TooLong,
}

impl DecodeError {
    /// The code for the close frame: 1002, 1007 or 1009.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::InvalidUtf8 => 1007,
            Self::TooLong => 1009,
            _ => 1002,
        }
    }

    /// The cause in one word, for logs and metrics; one word per close code.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooLong => "message_too_long",
            _ => "protocol_error",
        }
    }
}
