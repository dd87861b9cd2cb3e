//! The WebSocket frames of a client (RFC 6455), decoded without doing any I/O.
//!
//! Takes bytes as read and gives whole messages. Bounds whole messages, not frames, and keeps
//! only the received bytes of a message: an announced length reserves no memory.

mod error;
mod head;
#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod stream_tests;

use std::cell::Cell;
use std::mem;
use std::ops::ControlFlow;

pub use self::error::DecodeError;
use self::head::{Expected, Head, LONGEST_CONTROL, LONGEST_HEAD, Opcode};

/// A whole message, or a control frame. Has no `Debug`: payloads are not for logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message, all fragments joined (WS-020).
    Text(&'a str),
    /// A binary message, all fragments joined: not part of the protocol (WS-021).
    Binary(&'a [u8]),
    /// A Ping frame, to be answered with a Pong frame of the same payload (at most 125 bytes).
    Ping(&'a [u8]),
    /// A Pong frame.
    Pong,
    /// A close frame and its code, if it had one. No message comes after a close frame.
    Close(Option<u16>),
}

/// The decoder of one connection. Has no heap memory between messages.
pub struct Decoder {
    /// The longest message in bytes.
    limit: usize,
    /// Set by a close frame, an error or a break; nothing is reported from then on.
    ended: bool,
    pending: Option<Box<Pending>>,
}

/// The received part of an incomplete frame or message.
#[derive(Default)]
struct Pending {
    /// The beginning of an incomplete head.
    start: Start,
    /// The frame whose payload is incomplete.
    frame: Option<Frame>,
    /// The message whose fragments are incomplete; control frames may come in between.
    message: Option<Message>,
    /// The received payload of a control frame.
    control: Vec<u8>,
}

#[derive(Default)]
struct Start {
    bytes: [u8; LONGEST_HEAD],
    length: usize,
}

#[derive(Clone, Copy)]
struct Frame {
    head: Head,
    /// Bytes of the payload received before.
    received: usize,
}

struct Message {
    opcode: Opcode,
    /// The received payload of all fragments, unmasked.
    content: Vec<u8>,
}

impl Decoder {
    /// A decoder that refuses messages of more than `max_message` bytes, all fragments together.
    #[must_use]
    pub const fn new(max_message: usize) -> Self {
        Self { limit: max_message, ended: false, pending: None }
    }

    /// Decodes the bytes just read, in place, and calls `on` for each whole message in order.
    ///
    /// The decoded bytes are clobbered. A break out of `on` is returned at once, and the rest of `bytes`
    /// is dropped. After a break, an error or a close frame, more bytes are ignored.
    ///
    /// Stops after `most` calls of `on`; returns the number of decoded bytes. The caller passes the rest again.
    ///
    /// # Errors
    /// The bytes break RFC 6455 or the limit. Messages before the fault have been reported.
    pub fn feed<B>(
        &mut self,
        bytes: &mut [u8],
        most: usize,
        on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B, usize>, DecodeError> {
        let result = self.decode(bytes, most, on);
        if !matches!(result, Ok(ControlFlow::Continue(_))) {
            self.ended = true;
        }
        if self.ended || self.pending.as_ref().is_some_and(|pending| pending.is_empty()) {
            self.pending = None;
        }
        result
    }

    /// Bytes of memory that hold an incomplete message.
    #[must_use]
    pub fn held(&self) -> usize {
        let Some(pending) = &self.pending else { return 0 };
        let message = pending.message.as_ref().map_or(0, |message| message.content.capacity());
        message + pending.control.capacity() + size_of::<Pending>()
    }

    fn decode<B>(
        &mut self,
        bytes: &mut [u8],
        most: usize,
        on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B, usize>, DecodeError> {
        let all = bytes.len();
        let reported = Cell::new(0);
        let mut on = |incoming: Incoming<'_>| {
            reported.set(reported.get() + 1);
            on(incoming)
        };
        let mut rest = bytes;
        while !rest.is_empty() && !self.ended {
            let Some((frame, head_bytes)) = self.next_frame(rest)? else {
                break;
            };
            rest = rest.split_at_mut(head_bytes.min(rest.len())).1;
            let missing = frame.head.length.saturating_sub(frame.received);
            let (payload, after) = rest.split_at_mut(missing.min(rest.len()));
            rest = after;
            frame.head.unmask(payload, frame.received);

            let begins_here = head_bytes > 0;
            let flow = if begins_here && payload.len() == missing && frame.head.is_whole_message() {
                self.report(frame.head.opcode, payload, &mut on)?
            } else {
                self.keep(frame, payload, &mut on)?
            };
            if let ControlFlow::Break(given) = flow {
                return Ok(ControlFlow::Break(given));
            }
            if reported.get() >= most {
                return Ok(ControlFlow::Continue(all - rest.len()));
            }
        }
        Ok(ControlFlow::Continue(all))
    }

    /// The frame that `bytes` belong to, and how many of the bytes are part of its head; `None` for an incomplete
    /// head, whose bytes are then kept.
    fn next_frame(&mut self, bytes: &[u8]) -> Result<Option<(Frame, usize)>, DecodeError> {
        let begun = self.pending.as_ref().and_then(|pending| pending.message.as_ref());
        let expected = Expected { begun: begun.map(|message| message.content.len()), limit: self.limit };

        let start = match self.pending.as_deref_mut() {
            Some(Pending { frame: Some(frame), .. }) => return Ok(Some((*frame, 0))),
            Some(Pending { start, .. }) if start.length > 0 => start,
            _ => {
                let read = Head::read(bytes, expected)?;
                if read.is_none() {
                    self.pending.get_or_insert_default().start.push(bytes);
                }
                return Ok(read.map(|(head, taken)| (Frame { head, received: 0 }, taken)));
            }
        };
        let known = start.length;
        start.push(bytes);
        let read = Head::read(start.bytes(), expected)?;
        if read.is_some() {
            start.length = 0;
        }
        Ok(read.map(|(head, taken)| (Frame { head, received: 0 }, taken.saturating_sub(known))))
    }

    /// Keeps a piece of a frame's payload, and reports a message that the piece completes.
    fn keep<B>(
        &mut self,
        mut frame: Frame,
        payload: &[u8],
        on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, DecodeError> {
        let Frame { head, .. } = frame;
        let pending = self.pending.get_or_insert_default();
        if head.opcode.is_control() {
            append(&mut pending.control, payload, LONGEST_CONTROL);
        } else {
            let begins = || Message { opcode: head.opcode, content: Vec::new() };
            append(&mut pending.message.get_or_insert_with(begins).content, payload, self.limit);
        }
        frame.received += payload.len();
        if frame.received < head.length {
            pending.frame = Some(frame);
            return Ok(ControlFlow::Continue(()));
        }
        pending.frame = None;
        if head.opcode.is_control() {
            let payload = mem::take(&mut pending.control);
            return self.report(head.opcode, &payload, on);
        }
        match pending.message.take_if(|_| head.last) {
            Some(message) => self.report(message.opcode, &message.content, on),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    fn report<B>(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, DecodeError> {
        let incoming = match opcode {
            Opcode::Text => Incoming::Text(utf8(payload)?),
            // A continuation is reported under the opcode of its first fragment.
            Opcode::Binary | Opcode::Continuation => Incoming::Binary(payload),
            Opcode::Ping => Incoming::Ping(payload),
            Opcode::Pong => Incoming::Pong,
            Opcode::Close => {
                let code = read_close(payload)?;
                self.ended = true;
                Incoming::Close(code)
            }
        };
        Ok(on(incoming))
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.start.length == 0 && self.frame.is_none() && self.message.is_none()
    }
}

impl Start {
    /// Adds the bytes that a head may still have.
    fn push(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        let mut added = 0;
        for (place, byte) in free.iter_mut().zip(bytes) {
            *place = *byte;
            added += 1;
        }
        self.length += added;
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Adds to a buffer that grows by doubling, so that single bytes cost no copy each, up to
/// `most`. The growth follows the received bytes, not the announced length.
fn append(buffer: &mut Vec<u8>, bytes: &[u8], most: usize) {
    let needed = buffer.len().saturating_add(bytes.len());
    if needed > buffer.capacity() {
        let room = needed.max(buffer.len().saturating_mul(2).min(most));
        buffer.reserve_exact(room - buffer.len());
    }
    buffer.extend_from_slice(bytes);
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| DecodeError::InvalidUtf8)
}

/// The code in a close frame's payload; the reason after it must be UTF-8, and is ignored.
fn read_close(payload: &[u8]) -> Result<Option<u16>, DecodeError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let (code, reason) = payload.split_first_chunk().ok_or(DecodeError::ClosePayload)?;
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(DecodeError::CloseCode);
    }
    utf8(reason)?;
    Ok(Some(code))
}
