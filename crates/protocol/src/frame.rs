//! Whole WebSocket frames, header included, made once and shared by every recipient.
//!
//! The only place that writes the header of an outgoing frame; never splits a message in fragments.

mod buffer;

use bytes::Bytes;

use self::buffer::Buffer;

pub use self::buffer::held_bytes;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The longest header of a frame that a server sends: two bytes and a 64-bit length.
const LONGEST_HEADER: usize = 10;

/// The longest payload of a control frame (RFC 6455, 5.5).
const LONGEST_CONTROL: usize = 125;

/// Memory of a message that is no reason to move the message, in bytes.
const LONGEST_SPARE: usize = 512;

/// Bytes of a waiting frame besides its payload and header: its slot in the queue, and the overhead of its buffer.
pub const FRAME_COST: usize = 128;

/// One frame, ready to be written; cloning copies no bytes. As small as can be: queues are made of frames.
#[derive(Clone, Debug)]
pub struct Frame(Bytes);

impl Frame {
    /// A text frame whose payload `write` appends; `expected` bytes are reserved for it.
    pub fn text(expected: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::data(TEXT, expected, write)
    }

    /// A text frame in the memory of a message whose end, from `start` on, is the text: what stands before is written over.
    #[must_use]
    pub fn text_within(mut message: Vec<u8>, start: usize) -> Self {
        let text = message.get(start..).unwrap_or_default();
        let (header, used) = header(TEXT, text.len() as u64);
        let Some(begin) = start.checked_sub(used).filter(|_| start <= message.len()) else {
            return Self::text(text.len(), |frame| frame.extend_from_slice(text));
        };
        message[begin..start].copy_from_slice(&header[..used]);
        // Memory that grew while a long message came.
        if message.capacity() > message.len() + message.len() / 4 + LONGEST_SPARE {
            message.shrink_to_fit();
        }
        Self(Buffer::into_bytes(message, begin))
    }

    /// A binary frame, made likewise: clients are never sent one, but an echo server needs it.
    pub fn binary(expected: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::data(BINARY, expected, write)
    }

    fn data(opcode: u8, expected: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(LONGEST_HEADER + expected);
        buffer.resize(LONGEST_HEADER, 0);
        write(&mut buffer);
        let length = (buffer.len() - LONGEST_HEADER) as u64;
        let (header, used) = header(opcode, length);
        let start = LONGEST_HEADER - used;
        buffer[start..LONGEST_HEADER].copy_from_slice(&header[..used]);
        Self(Buffer::into_bytes(buffer, start))
    }

    /// A Ping frame with an empty payload (WS-041).
    #[must_use]
    pub fn ping() -> Self {
        Self(Bytes::from_static(&[PING, 0]))
    }

    /// The Pong frame to a Ping with this payload (WS-042); longer payloads are cut at 125 bytes.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        control(PONG, payload)
    }

    /// A close frame; a frame without a code has no reason either (WS-050).
    #[must_use]
    pub fn close(code: Option<u16>, reason: &str) -> Self {
        let mut payload = Vec::with_capacity(LONGEST_CONTROL);
        if let Some(code) = code {
            payload.extend_from_slice(&code.to_be_bytes());
            payload.extend_from_slice(reason.as_bytes());
        }
        control(CLOSE, &payload)
    }

    /// The whole frame, as sent.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same frame in an exact allocation of its own, which [`held_bytes`] leaves out: for a frame
    /// that is kept for long, and bounded by its keeper.
    #[must_use]
    pub fn to_exact(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The same frame in an exact buffer, which [`held_bytes`] counts: for a frame that may be kept for long.
    /// [`Frame::exact_bytes`] tells its memory.
    #[must_use]
    pub fn to_counted(&self) -> Self {
        Self(Buffer::into_bytes(self.0.to_vec(), 0))
    }

    /// Bytes of memory that the result of [`Frame::to_counted`] counts in [`held_bytes`].
    #[must_use]
    pub fn exact_bytes(&self) -> usize {
        buffer::AROUND + self.0.len()
    }

    /// Whether the frame is a text message.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.0.first() == Some(&TEXT)
    }

    /// The message without the frame's header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let header = match self.0.get(1) {
            Some(126) => 4,
            Some(127) => LONGEST_HEADER,
            _ => 2,
        };
        &self.0[header..]
    }
}

fn control(opcode: u8, payload: &[u8]) -> Frame {
    let length = payload.len().min(LONGEST_CONTROL);
    let mut buffer = Vec::with_capacity(2 + length);
    buffer.extend_from_slice(&[opcode, length as u8]);
    buffer.extend_from_slice(&payload[..length]);
    Frame(Buffer::into_bytes(buffer, 0))
}

/// The header of an unmasked frame, and the header's length.
fn header(opcode: u8, length: u64) -> ([u8; LONGEST_HEADER], usize) {
    let mut bytes = [0; LONGEST_HEADER];
    bytes[0] = opcode;
    let used = match length {
        0..=125 => {
            bytes[1] = length as u8;
            2
        }
        126..=0xffff => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&length.to_be_bytes());
            10
        }
    };
    (bytes, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_take_the_shortest_form_of_each_length() {
        for (length, start) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::text(0, |out| out.resize(out.len() + length, b'x'));
            assert_eq!(&frame.bytes()[..start.len()], &start[..], "{length}");
            assert_eq!(frame.bytes().len(), start.len() + length);
            assert_eq!(frame.payload(), vec![b'x'; length]);
        }
    }

    #[test]
    fn a_text_within_a_message_becomes_the_frame_without_a_copy_if_there_is_room_before() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let frame = Frame::text(length, |out| out.extend_from_slice(text.as_bytes()));
            for before in [0, 1, 2, 9, 10, 40] {
                let message = ["-".repeat(before), text.clone()].concat().into_bytes();
                assert_eq!(Frame::text_within(message, before).bytes(), frame.bytes(), "{length} {before}");
            }
        }
        assert_eq!(Frame::text_within(b"ab".to_vec(), 3).bytes(), Frame::text(0, |_| ()).bytes());
    }

    #[test]
    fn a_binary_frame_differs_in_its_opcode_alone() {
        assert_eq!(
            &Frame::binary(2, |out| out.extend_from_slice(b"\xff\x00")).bytes()[..],
            b"\x82\x02\xff\x00"
        );
    }

    #[test]
    fn ws_050_a_close_frame_carries_code_and_reason() {
        assert_eq!(&Frame::close(Some(4100), "full").bytes()[..], b"\x88\x06\x10\x04full");
        assert_eq!(&Frame::close(None, "unsaid").bytes()[..], b"\x88\x00");
    }

    #[test]
    fn ws_042_a_pong_repeats_the_pings_payload() {
        assert_eq!(&Frame::pong(b"abc").bytes()[..], b"\x8a\x03abc");
        assert_eq!(&Frame::ping().bytes()[..], b"\x89\x00");
    }
}
