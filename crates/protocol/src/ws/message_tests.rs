//! Accepted input of the decoder: RFC 6455's examples, the order of messages, and the memory used.

use std::ops::ControlFlow;

use super::sample::{Seen, close, masked, messages, text};
use super::{DecodeError, Decoder, Incoming};

#[test]
fn a_masked_hello_of_the_rfc_is_read() {
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(messages(&bytes), [text("Hello")]);
}

#[test]
fn a_masked_pong_of_the_rfc_is_read() {
    let bytes = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(messages(&bytes), [Seen::Pong]);
}

#[test]
fn ws_020_fragments_are_joined_around_control_frames() {
    let bytes = [
        masked(0x01, b"Hel"),
        masked(0x89, b"Hello"),
        masked(0x00, b""),
        masked(0x8a, b""),
        masked(0x80, b"lo"),
        masked(0x81, b"next"),
    ]
    .concat();
    assert_eq!(messages(&bytes), [Seen::Ping(b"Hello".to_vec()), Seen::Pong, text("Hello"), text("next")]);
}

#[test]
fn payloads_of_every_length_encoding_are_read() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 70_001] {
        let content = "x".repeat(length);
        let bytes = [masked(0x81, content.as_bytes()), masked(0x82, content.as_bytes())].concat();
        assert_eq!(
            messages(&bytes),
            [text(&content), Seen::Binary(content.clone().into_bytes())],
            "{length}"
        );
    }
}

#[test]
fn a_length_in_more_bytes_than_it_needs_is_read() {
    let short = [0x81, 0xfe, 0, 1, 0, 0, 0, 0, b'a'];
    let long = [0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, b'b'];
    assert_eq!(messages(&[&short[..], &long[..]].concat()), [text("a"), text("b")]);
}

#[test]
fn ws_021_binary_messages_are_reported_as_such() {
    let bytes = [masked(0x02, b"\xff"), masked(0x80, b"\xfe"), masked(0x82, b"")].concat();
    assert_eq!(messages(&bytes), [Seen::Binary(b"\xff\xfe".to_vec()), Seen::Binary(vec![])]);
}

#[test]
fn ws_213_a_character_may_be_cut_by_fragments() {
    let bytes = [masked(0x01, b"\xf0\x9f"), masked(0x89, b""), masked(0x80, b"\x8e\xba")].concat();
    assert_eq!(messages(&bytes), [Seen::Ping(vec![]), text("🎺")]);
}

#[test]
fn nothing_comes_after_a_close_frame() {
    let bytes =
        [masked(0x01, b"unfinished"), close(1000, b""), masked(0x80, b""), masked(0x83, b"")].concat();
    assert_eq!(messages(&bytes), [Seen::Close(Some(1000))]);
    let mut decoder = Decoder::new(100);
    decoder.drink([&bytes[..]]);
    assert_eq!(decoder.drink([&masked(0x81, b"late")[..]]), (vec![], None));
    assert!(decoder.is_idle(), "the unfinished message is let go");
}

#[test]
fn nothing_comes_after_an_error() {
    let mut decoder = Decoder::new(100);
    let bytes = [masked(0x81, b"a"), masked(0x83, b""), masked(0x81, b"b")].concat();
    assert_eq!(decoder.drink([&bytes[..]]), (vec![text("a")], Some(DecodeError::ReservedOpcode)));
    assert_eq!(decoder.drink([&masked(0x81, b"c")[..]]), (vec![], None));
}

#[test]
fn a_break_is_given_back_at_once() {
    let mut decoder = Decoder::new(100);
    let mut bytes = [masked(0x81, b"a"), masked(0x81, b"b"), masked(0x83, b"")].concat();
    let mut calls = 0;
    let mut on = |_: Incoming<'_>| {
        calls += 1;
        ControlFlow::Break("enough")
    };
    assert_eq!(decoder.feed(&mut bytes, usize::MAX, &mut on), Ok(ControlFlow::Break("enough")));
    assert_eq!(decoder.feed(&mut masked(0x81, b"c"), usize::MAX, &mut on), Ok(ControlFlow::Continue(7)));
    assert_eq!(calls, 1);
}

#[test]
fn an_idle_decoder_is_small_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 64, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(1000);
    let bytes =
        [masked(0x81, &[b'a'; 500]), masked(0x01, b"b"), masked(0x89, b"c"), masked(0x80, b"d")].concat();
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(decoder.drink([head, tail]).0.len(), 3);
        assert!(decoder.is_idle(), "cut at {cut}");
    }
}

#[test]
fn what_is_announced_but_does_not_come_costs_nothing() {
    let mut decoder = Decoder::new(1 << 15);
    let bytes = masked(0x81, &[b'x'; 1 << 15]);
    decoder.drink([&bytes[..8]]);
    assert_eq!(decoder.content(), 0, "only the head has come");
    decoder.drink([&bytes[8..108]]);
    assert_eq!(decoder.content(), 100);
    for byte in &bytes[108..] {
        decoder.drink([std::slice::from_ref(byte)]);
        let arrived =
            decoder.pending.as_ref().and_then(|p| p.message.as_ref()).map_or(0, |m| m.content.len());
        assert!(decoder.content() <= arrived.saturating_mul(2).min(1 << 15));
    }
    assert_eq!(decoder.content(), 0, "the message is complete");
}
