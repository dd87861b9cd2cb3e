//! Refused input of the decoder: each break of RFC 6455 and of the limit, with its close code.

use super::DecodeError;
use super::sample::{Seen, close, decode, error, masked, messages, text};

#[test]
fn frames_without_a_mask_are_refused() {
    assert_eq!(error(&[0x81, 0x05, b'H', b'e', b'l', b'l', b'o']), Some(DecodeError::Unmasked));
    assert_eq!(error(&[0x89, 0x00]), Some(DecodeError::Unmasked));
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(error(&masked(0x81 | bit, b"")), Some(DecodeError::ReservedBits));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(error(&masked(0x80 | opcode, b"")), Some(DecodeError::ReservedOpcode), "{opcode}");
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [8, 9, 10] {
        assert_eq!(error(&masked(opcode, b"")), Some(DecodeError::ControlFragmented), "{opcode}");
        assert_eq!(error(&masked(0x80 | opcode, &[0; 126])), Some(DecodeError::ControlTooLong), "{opcode}");
    }
    assert_eq!(messages(&masked(0x89, &[7; 125])), [Seen::Ping(vec![7; 125])]);
}

#[test]
fn fragments_are_in_order() {
    assert_eq!(error(&masked(0x80, b"")), Some(DecodeError::UnexpectedContinuation));
    assert_eq!(error(&masked(0x00, b"")), Some(DecodeError::UnexpectedContinuation));
    for first in [0x81, 0x01, 0x82, 0x02] {
        let bytes = [masked(0x01, b"a"), masked(first, b"b")].concat();
        assert_eq!(error(&bytes), Some(DecodeError::ExpectedContinuation), "{first:#x}");
    }
    let (seen, error) = decode(10, &[masked(0x81, b"a"), masked(0x80, b"b")].concat());
    assert_eq!((seen, error), (vec![text("a")], Some(DecodeError::UnexpectedContinuation)));
}

#[test]
fn ws_023_a_message_of_exactly_the_limit_is_allowed() {
    let (exact, over) = ("x".repeat(300), "x".repeat(301));
    for first in [0x81, 0x82] {
        assert_eq!(decode(300, &masked(first, exact.as_bytes())).1, None);
        assert_eq!(decode(300, &masked(first, over.as_bytes())).1, Some(DecodeError::TooLong));
    }
    assert_eq!(decode(0, &masked(0x81, b"")).0, [text("")]);
    assert_eq!(decode(0, &masked(0x81, b"a")).1, Some(DecodeError::TooLong));
    assert_eq!(decode(usize::MAX, &masked(0x81, b"a")).0, [text("a")]);
}

#[test]
fn ws_023_the_limit_is_for_all_fragments_together() {
    for first in [0x01, 0x02] {
        let exact =
            [masked(first, &[b'x'; 100]), masked(0x00, &[b'x'; 100]), masked(0x80, &[b'x'; 100])].concat();
        assert_eq!(decode(300, &exact).0.len(), 1);
        assert_eq!(decode(299, &exact), (vec![], Some(DecodeError::TooLong)));
        let endless = masked(0x00, &[b'x'; 100]).repeat(20);
        let bytes = [masked(first, b""), endless].concat();
        assert_eq!(decode(1000, &bytes), (vec![], Some(DecodeError::TooLong)));
    }
}

#[test]
fn ws_023_the_limit_is_not_for_control_frames() {
    assert_eq!(decode(10, &masked(0x89, &[1; 125])).0, [Seen::Ping(vec![1; 125])]);
}

#[test]
fn ws_023_a_length_over_the_limit_is_refused_by_the_head_alone() {
    // Not even the mask has arrived.
    assert_eq!(error(&[0x81, 0xfe, 0x03, 0xe9]), Some(DecodeError::TooLong));
    assert_eq!(
        error(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        Some(DecodeError::TooLong)
    );
    let overflow = [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(error(&overflow), Some(DecodeError::LengthOverflow));
    assert_eq!(decode(usize::MAX, &overflow).1, Some(DecodeError::LengthOverflow));
}

#[test]
fn ws_213_text_that_is_not_utf8_is_refused() {
    for wrong in [&b"\xff"[..], b"ok \xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"] {
        assert_eq!(error(&masked(0x81, wrong)), Some(DecodeError::InvalidUtf8), "{wrong:?}");
        let late = [masked(0x01, b"ok"), masked(0x80, wrong)].concat();
        assert_eq!(error(&late), Some(DecodeError::InvalidUtf8), "{wrong:?}");
    }
    assert_eq!(error(&close(1000, b"\xff")), Some(DecodeError::InvalidUtf8));
}

#[test]
fn close_frames_have_no_code_or_a_legal_one() {
    assert_eq!(messages(&masked(0x88, b"")), [Seen::Close(None)]);
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4000, 4999] {
        assert_eq!(messages(&close(code, "bye, é".as_bytes())), [Seen::Close(Some(code))]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535] {
        assert_eq!(error(&close(code, b"")), Some(DecodeError::CloseCode), "{code}");
    }
    assert_eq!(error(&masked(0x88, b"\x03")), Some(DecodeError::ClosePayload));
}

#[test]
fn every_error_fits_a_close_frame() {
    let cases = [
        (DecodeError::Unmasked, 1002, "protocol_error"),
        (DecodeError::ReservedBits, 1002, "protocol_error"),
        (DecodeError::ReservedOpcode, 1002, "protocol_error"),
        (DecodeError::ControlTooLong, 1002, "protocol_error"),
        (DecodeError::ControlFragmented, 1002, "protocol_error"),
        (DecodeError::UnexpectedContinuation, 1002, "protocol_error"),
        (DecodeError::ExpectedContinuation, 1002, "protocol_error"),
        (DecodeError::LengthOverflow, 1002, "protocol_error"),
        (DecodeError::ClosePayload, 1002, "protocol_error"),
        (DecodeError::CloseCode, 1002, "protocol_error"),
        (DecodeError::InvalidUtf8, 1007, "invalid_utf8"),
        (DecodeError::TooLong, 1009, "message_too_long"),
    ];
    for (error, code, label) in cases {
        assert_eq!((error.code(), error.label()), (code, label), "{error:?}");
        assert!((1..=123).contains(&error.to_string().len()), "{error:?}");
    }
}
