//! Shared by the tests of the decoder: frames to decode, and records of the decoded messages.

use std::ops::ControlFlow;

use super::*;

/// A decoded message, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

impl From<Incoming<'_>> for Seen {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(content) => Self::Binary(content.to_vec()),
            Incoming::Ping(payload) => Self::Ping(payload.to_vec()),
            Incoming::Pong => Self::Pong,
            Incoming::Close(code) => Self::Close(code),
        }
    }
}

/// One masked frame; `first` is the first byte of the head.
pub(super) fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let length = payload.len();
    let mut bytes = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => bytes.push(0x80 | short),
        (_, Ok(long)) => {
            bytes.push(0xfe);
            bytes.extend(long.to_be_bytes());
        }
        _ => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, [0x37, 0xfa, 0x21, 0x3d])
}

pub(super) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(0x88, &[&code.to_be_bytes(), reason].concat())
}

impl Decoder {
    /// Capacity of the content that is held between two reads.
    pub(super) fn content(&self) -> usize {
        self.held().saturating_sub(size_of::<super::Pending>())
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Feeds the pieces one after the other; returns the messages and the end.
    pub(super) fn drink<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Seen>, Option<DecodeError>) {
        let mut seen = Vec::new();
        let mut on = |incoming: Incoming<'_>| {
            seen.push(Seen::from(incoming));
            ControlFlow::<()>::Continue(())
        };
        for piece in pieces {
            if let Err(error) = self.feed(&mut piece.to_vec(), usize::MAX, &mut on) {
                return (seen, Some(error));
            }
        }
        (seen, None)
    }

    /// Feeds the bytes one message a turn; returns the messages and the end.
    fn sip(&mut self, bytes: &[u8]) -> (Vec<Seen>, Option<DecodeError>) {
        let (mut seen, mut rest) = (Vec::new(), bytes.to_vec());
        while !rest.is_empty() {
            let before = seen.len();
            let mut on = |incoming: Incoming<'_>| {
                seen.push(Seen::from(incoming));
                ControlFlow::<()>::Continue(())
            };
            match self.feed(&mut rest, 1, &mut on) {
                Ok(ControlFlow::Continue(decoded)) => drop(rest.drain(..decoded)),
                Ok(ControlFlow::Break(())) => unreachable!("nothing breaks"),
                Err(error) => return (seen, Some(error)),
            }
            assert!(seen.len() <= before + 1, "one a turn");
        }
        (seen, None)
    }
}

/// Decodes at once, byte by byte and message by message, and compares the three results.
pub(super) fn decode(limit: usize, bytes: &[u8]) -> (Vec<Seen>, Option<DecodeError>) {
    let whole = Decoder::new(limit).drink([bytes]);
    assert_eq!(Decoder::new(limit).drink(bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(Decoder::new(limit).sip(bytes), whole, "message by message");
    whole
}

pub(super) fn messages(bytes: &[u8]) -> Vec<Seen> {
    let (seen, error) = decode(1 << 20, bytes);
    assert_eq!(error, None);
    seen
}

pub(super) fn error(bytes: &[u8]) -> Option<DecodeError> {
    let (seen, error) = decode(1000, bytes);
    assert_eq!(seen, []);
    error
}

pub(super) fn text(content: &str) -> Seen {
    Seen::Text(content.to_owned())
}
