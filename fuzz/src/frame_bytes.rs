//! Any bytes as a WebSocket stream: the decoder gives messages or a fault, the same for every cut.
//!
//! Owns the promises about meaningless bytes; never assumes that they are frames.

use std::ops::ControlFlow;

use arbitrary::Unstructured;
use fanfare_protocol::ws::{DecodeError, Decoder, Incoming};

use crate::stream::{Seen, cuts, decode, oracle, pieces};

/// The first byte of the input is a limit; this value stands for none, so that a decoder that
/// reserved an announced length would fail at once.
const NO_LIMIT: u8 = u8::MAX;

/// Decodes the bytes at once, byte by byte and in pieces, and compares the results.
pub fn frame_bytes(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (Ok(limit), Ok(cuts)) = (input.arbitrary::<u8>(), cuts(&mut input)) else { return };
    let limit = if limit == NO_LIMIT { usize::MAX } else { usize::from(limit) };
    let bytes = input.take_rest();

    let mut decoder = Decoder::new(limit);
    let whole = decode(&mut decoder, [bytes]);
    assert_eq!(decode(&mut Decoder::new(limit), bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(decode(&mut Decoder::new(limit), pieces(bytes, &cuts)), whole, "cut at {cuts:?}");

    let (seen, error) = whole;
    is_bounded(&seen, limit, bytes.len());
    let has_ended = error.is_some() || matches!(seen.last(), Some(Seen::Close(_)));
    if has_ended {
        let after = decode(&mut decoder, [&[0x81, 0x80, 0, 0, 0, 0][..]]);
        assert_eq!(after, (Vec::new(), None), "nothing comes after the end");
    }
    breaks_off(bytes, limit, &seen);
    as_the_oracle_reads(bytes, &seen, error);
}

/// Panics for messages over the limit, or with more bytes than the input.
fn is_bounded(seen: &[Seen], limit: usize, fed: usize) {
    let mut total = 0_usize;
    for one in seen {
        let (length, most) = match one {
            Seen::Text(text) => (text.len(), limit),
            Seen::Binary(content) => (content.len(), limit),
            Seen::Ping(payload) => (payload.len(), 125),
            Seen::Pong | Seen::Close(_) => (0, 0),
        };
        assert!(length <= most, "{length} bytes where {most} are allowed");
        // Every frame has a head of six bytes or more.
        total += length + 6;
    }
    assert!(total <= fed, "{total} bytes of frames out of {fed}");
}

/// Panics unless a break is returned at once, without a further message.
fn breaks_off(bytes: &[u8], limit: usize, seen: &[Seen]) {
    let most = bytes.len() % 3;
    if seen.len() <= most {
        return;
    }
    let mut decoder = Decoder::new(limit);
    let mut before = Vec::new();
    let mut on = |incoming: Incoming<'_>| {
        before.push(Seen::from(incoming));
        if before.len() > most { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
    };
    let ended = decoder.feed(&mut bytes.to_vec(), usize::MAX, &mut on);
    let after = decoder.feed(&mut bytes.to_vec(), usize::MAX, &mut on);
    assert_eq!(ended, Ok(ControlFlow::Break("enough")));
    assert_eq!(after, Ok(ControlFlow::Continue(bytes.len())));
    assert_eq!(before, seen[..=most], "up to the break");
}

/// fastwebsockets reads every accepted stream the same, and may accept more. A broken text is an error there as soon
/// as a fragment shows the fault, and the control frames up to the last fragment are missing then.
fn as_the_oracle_reads(bytes: &[u8], seen: &[Seen], error: Option<DecodeError>) {
    let other = oracle(bytes);
    if error.is_some() && other.starts_with(seen) {
        return;
    }
    let missed = seen.strip_prefix(other.as_slice());
    let is_message = |one: &Seen| matches!(one, Seen::Text(_) | Seen::Binary(_));
    let agree = missed.is_some_and(|missed| !missed.iter().any(is_message));
    assert!(agree, "fastwebsockets {other:?}, ours {seen:?} and {error:?}");
}
