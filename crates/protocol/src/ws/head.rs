//! The head of one frame: opcode, length, mask (RFC 6455, section 5.2).
//!
//! Reads it byte by byte in the order of the wire, so that a fault is found at the same byte
//! however the stream is cut, and before any payload is kept.

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

/// What the head of the next frame has to fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Bytes of the message under way; `None` if none is.
    pub(super) begun: Option<usize>,
    /// The longest message.
    pub(super) limit: usize,
}

/// The head of a frame that is allowed where it came.
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
    /// The head at the beginning of `bytes` and how many bytes it takes; `None` if it is cut off.
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

    /// Takes the mask off a piece of the payload, of which `before` bytes came earlier.
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

/// What the first byte says, checked against what may come now.
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

/// The length and what follows it. More bytes than a length needs are let pass: other servers take
/// them, so there may be clients that send them, and nothing can be smuggled that way.
fn read_length(short: u8, bytes: &[u8]) -> Option<(u64, &[u8])> {
    match short {
        126 => bytes.split_first_chunk().map(|(long, rest)| (u64::from(u16::from_be_bytes(*long)), rest)),
        127 => bytes.split_first_chunk().map(|(long, rest)| (u64::from_be_bytes(*long), rest)),
        _ => Some((u64::from(short), bytes)),
    }
}

/// The length, if the message stays within the limit; the limit is not for control frames.
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
