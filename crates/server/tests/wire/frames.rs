//! WebSocket framing: fragments of a message, and size limits (WS-020 … WS-023, RFC 6455).

use crate::support::PONG;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG_FRAME, TEXT, masked, masked_head,
};

const PUSHER_PING: &[u8] = br#"{"event":"pusher:ping","data":{}}"#;

/// A `pusher:ping` that is `length` bytes long.
fn padded_ping(length: usize) -> Vec<u8> {
    let (start, end) = (r#"{"event":"pusher:ping","x":""#, r#""}"#);
    let filling = "x".repeat(length - start.len() - end.len());
    format!("{start}{filling}{end}").into_bytes()
}

#[test]
fn ws_020_a_message_may_come_in_fragments() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(TEXT, &PUSHER_PING[..5]));
    socket.raw(&masked(CONTINUATION, b""));
    socket.raw(&masked(CONTINUATION, &PUSHER_PING[5..20]));
    socket.raw(&masked(FIN | CONTINUATION, &PUSHER_PING[20..]));
    socket.expect_text(PONG);
}

#[test]
fn ws_020_a_ping_between_fragments_is_answered_at_once() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(TEXT, &PUSHER_PING[..5]));
    socket.raw(&masked(FIN | PING, b"now"));
    assert_eq!(socket.frame(), Frame::Pong(b"now".to_vec()));
    socket.raw(&masked(FIN | CONTINUATION, &PUSHER_PING[5..]));
    socket.expect_text(PONG);
}

#[test]
fn ws_020_a_message_may_come_byte_by_byte() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for byte in masked(FIN | TEXT, &padded_ping(300)) {
        socket.raw(&[byte]);
    }
    socket.expect_text(PONG);
}

#[test]
fn ws_020_many_messages_may_come_in_one_segment_and_are_answered_in_order() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let mut segment = Vec::new();
    for number in 0..100 {
        segment.extend(masked(FIN | TEXT, PUSHER_PING));
        segment.extend(masked(FIN | TEXT, format!(r#"{{"event":"e{number}"}}"#).as_bytes()));
    }
    socket.raw(&segment);
    for number in 0..100 {
        socket.expect_text(PONG);
        socket.expect_error(&format!("Unsupported event received on socket: e{number}"));
    }
}

#[test]
fn ws_020_characters_may_be_cut_between_fragments() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let message = r#"{"event":"pusher:ping","x":"é€🎺"}"#.as_bytes();
    let (last, rest) = message.split_last().expect("the message is not empty");
    for (at, byte) in rest.iter().enumerate() {
        socket.raw(&masked(if at == 0 { TEXT } else { CONTINUATION }, &[*byte]));
    }
    socket.raw(&masked(FIN | CONTINUATION, &[*last]));
    socket.expect_text(PONG);
}

#[test]
fn ws_021_binary_messages_get_an_error_and_change_nothing() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(FIN | BINARY, br#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#));
    assert_eq!(socket.error().0, None, "WS-021: code null");
    socket.raw(&masked(FIN | BINARY, &[0xff, 0xfe, 0x00]));
    assert_eq!(socket.error().0, None, "WS-021: code null");
    socket.expect_nothing_more();
    server.api().get("/channels", &[]).expect(r#"{"channels":{}}"#);
}

#[test]
fn ws_023_a_message_may_be_as_long_as_the_limit() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(FIN | TEXT, &padded_ping(32_768)));
    socket.expect_text(PONG);
}

#[test]
fn ws_023_a_message_over_the_limit_closes_with_1009() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(FIN | TEXT, &padded_ping(32_769)));
    socket.expect_close_code(1009);
}

#[test]
fn ws_023_the_limit_is_a_setting() {
    let server = Setup::new().config("[limits]\nmessage_bytes = 40000").start();
    let mut socket = server.connect();
    socket.raw(&masked(FIN | TEXT, &padded_ping(40_000)));
    socket.expect_text(PONG);
    socket.raw(&masked(FIN | TEXT, &padded_ping(40_001)));
    socket.expect_close_code(1009);
}

#[test]
fn ws_023_an_announced_length_over_the_limit_is_not_waited_for() {
    let server = TestServer::start();
    for (kind, length) in [(TEXT, 32_769), (TEXT, 1 << 31), (BINARY, 1 << 40)] {
        let mut socket = server.connect();
        socket.raw(&masked_head(FIN | kind, length));
        socket.expect_close_code(1009);
    }
}

#[test]
fn ws_023_the_limit_counts_the_whole_message_not_its_fragments() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(TEXT, &[b'x'; 16_000]));
    socket.raw(&masked(CONTINUATION, &[b'x'; 16_000]));
    socket.raw(&masked_head(CONTINUATION, 769));
    socket.expect_close_code(1009);
}

#[test]
fn ws_042_a_ping_frame_gets_a_pong_frame_with_the_same_payload() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for payload in [&b""[..], b"hello", &[0xff; 125]] {
        socket.raw(&masked(FIN | PING, payload));
        assert_eq!(socket.frame(), Frame::Pong(payload.to_vec()));
    }
}

#[test]
fn an_unasked_pong_frame_is_no_fault() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(FIN | PONG_FRAME, b"unasked"));
    socket.expect_nothing_more();
}

#[test]
fn ws_213_text_that_is_not_utf_8_closes_with_1007() {
    let server = TestServer::start();
    for text in [&b"\xff"[..], b"{\"event\":\"\xc3\x28\"}", b"\xed\xa0\x80", b"\xf0\x9f\x8e"] {
        let mut socket = server.connect();
        socket.raw(&masked(FIN | TEXT, text));
        socket.expect_close_code(1007);
    }
}

#[test]
fn ws_213_fragments_that_are_not_utf_8_together_close_with_1007() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(TEXT, b"\xe2\x82"));
    socket.raw(&masked(FIN | CONTINUATION, b"x"));
    socket.expect_close_code(1007);
}

#[test]
fn a_frame_without_a_mask_closes_with_1002() {
    let server = TestServer::start();
    for first in [FIN | TEXT, FIN | PING, FIN | CLOSE] {
        let mut socket = server.connect();
        socket.raw(&[first, 0x02, 0x03, 0xe8]);
        socket.expect_close_code(1002);
    }
}

#[test]
fn frames_against_rfc_6455_close_with_1002() {
    let server = TestServer::start();
    let cases: [(&str, Vec<u8>); 10] = [
        ("first reserved bit", masked(FIN | 0x40 | TEXT, PUSHER_PING)),
        ("second reserved bit", masked(FIN | 0x20 | TEXT, PUSHER_PING)),
        ("third reserved bit", masked(FIN | 0x10 | TEXT, PUSHER_PING)),
        ("reserved data opcode", masked(FIN | 0x3, PUSHER_PING)),
        ("reserved control opcode", masked(FIN | 0xb, b"")),
        ("continuation of nothing", masked(FIN | CONTINUATION, PUSHER_PING)),
        ("message within a message", [masked(TEXT, b"{"), masked(FIN | TEXT, PUSHER_PING)].concat()),
        ("ping in fragments", masked(PING, b"")),
        ("ping of 126 bytes", masked(FIN | PING, &[b'x'; 126])),
        ("length with its highest bit set", masked_head(FIN | TEXT, 1 << 63)),
    ];
    for (what, bytes) in cases {
        let mut socket = server.connect();
        socket.raw(&bytes);
        match socket.frame() {
            Frame::Close(Some(1002), _) => socket.expect_end(),
            // The last frame is too long as well as malformed.
            Frame::Close(Some(1009), _) if what.starts_with("length") => socket.expect_end(),
            other => panic!("{what}: expected a close with 1002, got {other:?}"),
        }
    }
}
