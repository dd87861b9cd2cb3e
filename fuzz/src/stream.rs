//! WebSocket streams: writing frames, cutting bytes in pieces, and two readers.
//!
//! Owns both readers, Fanfare's and the oracle; never says which of them is right.

use std::ops::ControlFlow;

use arbitrary::Unstructured;
use fanfare_protocol::ws::{DecodeError, Decoder, Incoming};
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use tokio::io::AsyncWriteExt;

/// A message read from a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
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

/// The number of bytes of a frame's length.
#[derive(Clone, Copy)]
pub enum Width {
    /// The fewest possible.
    Least,
    /// Two more, or eight if two are too few: clients should not, but all servers accept such a length.
    Wider,
    /// Eight more.
    Widest,
}

/// One masked frame; `first` is the first byte of its head.
pub fn frame(first: u8, payload: &[u8], mask: [u8; 4], width: Width) -> Vec<u8> {
    let length = payload.len();
    let mut bytes = vec![first];
    match (width, u8::try_from(length), u16::try_from(length)) {
        (Width::Least, Ok(short @ 0..=125), _) => bytes.push(0x80 | short),
        (Width::Least | Width::Wider, _, Ok(long)) => {
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

/// The positions of the cuts of a stream: up to fifteen numbers.
pub fn cuts(input: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u16>> {
    let count = input.arbitrary::<u8>()? % 16;
    (0..count).map(|_| input.arbitrary()).collect()
}

/// The bytes in pieces, empty ones among them.
pub fn pieces<'a>(bytes: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let begins = std::iter::once(0).chain(ends.clone());
    begins.zip(ends.iter()).map(|(begin, end)| &bytes[begin..*end]).collect()
}

/// Feeds the pieces one after the other; returns the messages and the end.
pub fn decode<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Option<DecodeError>) {
    let mut seen = Vec::new();
    let mut on = |incoming: Incoming<'_>| {
        seen.push(Seen::from(incoming));
        ControlFlow::<()>::Continue(())
    };
    for piece in pieces {
        if let Err(error) = decoder.feed(&mut piece.to_vec(), usize::MAX, &mut on) {
            return (seen, Some(error));
        }
    }
    (seen, None)
}

/// The messages that fastwebsockets reads, up to a close frame, a fault or the end.
pub fn oracle(bytes: &[u8]) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(bytes.len().max(1));
        client.write_all(bytes).await.expect("the pipe holds all bytes");
        drop(client);
        let mut socket = WebSocket::after_handshake(server, Role::Server);
        socket.set_auto_close(false);
        socket.set_auto_pong(false);
        let mut socket = FragmentCollector::new(socket);
        let mut seen = Vec::new();
        while let Ok(frame) = socket.read_frame().await {
            let payload = frame.payload.to_vec();
            seen.push(match frame.opcode {
                OpCode::Text => Seen::Text(String::from_utf8(payload).expect("it checks texts")),
                OpCode::Binary => Seen::Binary(payload),
                OpCode::Ping => Seen::Ping(payload),
                OpCode::Pong => Seen::Pong,
                OpCode::Close => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    seen.push(Seen::Close(code));
                    break;
                }
                OpCode::Continuation => unreachable!("fragments are collected"),
            });
        }
        seen
    })
}
