//! The head of one frame: opcode, length, mask (RFC 6455, section 5.2).
//!
//! Reads the head byte by byte in the order of the wire, so that a fault is found at the same byte
//! for every cut of the stream, and before any payload is kept.

use super::error::DecodeError;

/// The longest head of a client's frame: two bytes, a length of eight, a mask of four.
pub(super) const LONGEST_HEAD: usize = 14;

/// The longest payload of a control frame.
pub(super) const LONGEST_CONTROL: usize = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn read(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The conditions for the next frame's head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Bytes of the incomplete message; `None` between messages.
    pub(super) begun: Option<usize>,
    /// The longest message.
    pub(super) limit: usize,
}

/// The head of a frame that is allowed at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) opcode: Opcode,
    /// Whether the frame is the last of its message.
    pub(super) last: bool,
    /// Bytes of the payload.
    pub(super) length: usize,
    mask: [u8; 4],
}

impl Head {
    /// The head at the beginning of `bytes` and its length in bytes; `None` for an incomplete head.
    pub(super) fn read(bytes: &[u8], expected: Expected) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let last = first & 0x80 != 0;
        let opcode = read_opcode(first, last, expected.begun.is_some())?;

        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        if second & 0x80 == 0 {
            return Err(DecodeError::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > LONGEST_CONTROL {
            return Err(DecodeError::ControlTooLong);
        }
        let (length, rest) = match read_length(short, rest) {
            Some(read) => read,
            None => return Ok(None),
        };
        let length = check_length(length, opcode, expected)?;

        let Some((&mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        Ok(Some((Self { opcode, last, length, mask }, bytes.len() - rest.len())))
    }

    /// Whether the frame alone is a message.
    pub(super) const fn is_whole_message(&self) -> bool {
        self.last && !matches!(self.opcode, Opcode::Continuation)
    }

    /// Unmasks a piece of the payload, with `before` bytes ahead of the piece.
    pub(super) fn unmask(&self, payload: &mut [u8], before: usize) {
        let mut mask = self.mask;
        mask.rotate_left(before % 4);
        let [a, b, c, d] = mask;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(mask.into_iter().cycle()) {
            *byte ^= key;
        }
    }
}

/// The opcode of the first byte, after a check against the allowed frames.
fn read_opcode(first: u8, last: bool, begun: bool) -> Result<Opcode, DecodeError> {
    if first & 0x70 != 0 {
        return Err(DecodeError::ReservedBits);
    }
    let opcode = Opcode::read(first & 0x0f).ok_or(DecodeError::ReservedOpcode)?;
    match opcode {
        Opcode::Close | Opcode::Ping | Opcode::Pong if !last => Err(DecodeError::ControlFragmented),
        Opcode::Continuation if !begun => Err(DecodeError::UnexpectedContinuation),
        Opcode::Text | Opcode::Binary if begun => Err(DecodeError::ExpectedContinuation),
        _ => Ok(opcode),
    }
}

/// The length and the bytes behind it. A length in more bytes than needed is accepted, as by other
/// servers: clients may send such lengths, and no request can be smuggled that way.
fn read_length(short: u8, bytes: &[u8]) -> Option<(u64, &[u8])> {
    match short {
        126 => bytes.split_first_chunk().map(|(long, rest)| (u64::from(u16::from_be_bytes(*long)), rest)),
        127 => bytes.split_first_chunk().map(|(long, rest)| (u64::from_be_bytes(*long), rest)),
        _ => Some((u64::from(short), bytes)),
    }
}

/// The length, for a message within the limit; control frames are not limited.
fn check_length(length: u64, opcode: Opcode, expected: Expected) -> Result<usize, DecodeError> {
    if length >> 63 != 0 {
        return Err(DecodeError::LengthOverflow);
    }
    let length = usize::try_from(length).map_err(|_| DecodeError::TooLong)?;
    let left = expected.limit.saturating_sub(expected.begun.unwrap_or(0));
    if !opcode.is_control() && length > left {
        return Err(DecodeError::TooLong);
    }
    Ok(length)
}
