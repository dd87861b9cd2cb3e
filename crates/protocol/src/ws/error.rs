//! Why bytes are no WebSocket stream: the one table of decode errors and their close codes.

/// The bytes break RFC 6455 or a limit; the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum DecodeError {
    /// A frame without a mask; clients must mask every frame (RFC 6455, section 5.1).
    Unmasked,
    /// A reserved bit is set although no extension was agreed on (section 5.2).
    ReservedBits,
    /// Opcode 3 to 7 or 11 to 15 (section 5.2).
    ReservedOpcode,
    /// A control frame of more than 125 bytes (section 5.5).
    ControlTooLong,
    /// A control frame that is not the whole message (section 5.5).
    ControlFragmented,
    /// A continuation frame with nothing to continue (section 5.4).
    UnexpectedContinuation,
    /// A new message before the fragments of the last one were complete (section 5.4).
    ExpectedContinuation,
    /// A length of 2^63 or more (section 5.2).
    LengthOverflow,
    /// A close frame of one byte; a code takes two (section 5.5.1).
    ClosePayload,
    /// A close code that must not be sent (section 7.4).
    CloseCode,
    /// A text, or the reason in a close frame, is not UTF-8 (WS-213).
    InvalidUtf8,
    /// A message longer than the decoder's limit (WS-023).
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

    /// The text for the close frame: at most 123 bytes.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Unmasked => "A frame from a client must be masked",
            Self::ReservedBits => "A reserved bit is set, but no extension was agreed on",
            Self::ReservedOpcode => "The opcode of a frame is reserved",
            Self::ControlTooLong => "A control frame must not be longer than 125 bytes",
            Self::ControlFragmented => "A control frame must not be fragmented",
            Self::UnexpectedContinuation => "A continuation frame came without a message to continue",
            Self::ExpectedContinuation => "A new message began before the last one was complete",
            Self::LengthOverflow => "The length of a frame has its highest bit set",
            Self::ClosePayload => {
                "The payload of a close frame must be empty or begin with a code of two bytes"
            }
            Self::CloseCode => "The code in a close frame must not be sent",
            Self::InvalidUtf8 => "Text must be valid UTF-8",
            Self::TooLong => "The message is longer than allowed (setting limits.message_bytes)",
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
