//! A minimal codec of WebSocket frames for the generator and its yardstick: whole text messages in single
//! frames.

/// A text message.
pub(crate) const TEXT: u8 = 1;
/// The end of a connection, with a code.
pub(crate) const CLOSE: u8 = 8;
/// Asks whether the peer is alive.
pub(crate) const PING: u8 = 9;
/// Answers a ping.
pub(crate) const PONG: u8 = 10;

/// The key of RFC 6455's own example. Every client sends this key, so that the answer is known as well.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to [`KEY`].
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A complete frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The kind of frame, such as [`TEXT`].
    pub opcode: u8,
    /// The payload's position.
    pub payload: std::ops::Range<usize>,
    /// The payload's mask.
    pub mask: Option<[u8; 4]>,
}

/// The frame that begins at `from`; `None` until complete.
pub(crate) fn next(bytes: &[u8], from: usize) -> Option<Frame> {
    let head = bytes.get(from..from + 2)?;
    let short = usize::from(head[1] & 0x7f);
    let (length, mut at) = match short {
        126 => (usize::from(u16::from_be_bytes(bytes.get(from + 2..from + 4)?.try_into().ok()?)), from + 4),
        127 => {
            let long = u64::from_be_bytes(bytes.get(from + 2..from + 10)?.try_into().ok()?);
            (usize::try_from(long).ok()?, from + 10)
        }
        _ => (short, from + 2),
    };
    let mut mask = None;
    if head[1] & 0x80 != 0 {
        mask = Some(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4;
    }
    let end = at.checked_add(length)?;
    (end <= bytes.len()).then_some(Frame { opcode: head[0] & 0x0f, payload: at..end, mask })
}

/// Applies a mask to a payload, or removes the mask.
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
}

/// Appends a frame in a server's form.
pub(crate) fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a frame in a client's form. The mask protects proxies, and there are none here: the mask is always
/// the same, but not zero, because servers might have a fast path for zero.
pub(crate) fn put_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x3e];
    put_head(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&MASK);
    let from = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[from..], MASK);
}

fn put_head(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(masked | short),
        (_, Ok(middle)) => {
            out.push(masked | 126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_any_length_is_found_once_all_of_it_is_there() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            for masked in [false, true] {
                let mut bytes = vec![0; 3];
                if masked {
                    put_masked(&mut bytes, TEXT, &payload)
                } else {
                    put(&mut bytes, TEXT, &payload)
                }
                assert_eq!(next(&bytes[..bytes.len() - 1], 3), None, "{length}");
                let frame = next(&bytes, 3).unwrap();
                assert_eq!((frame.opcode, frame.payload.end), (TEXT, bytes.len()));
                if let Some(mask) = frame.mask {
                    apply_mask(&mut bytes[frame.payload.clone()], mask);
                }
                assert_eq!(frame.mask.is_some(), masked);
                assert_eq!(bytes[frame.payload], payload);
            }
        }
    }
}
