//! Whole streams of generated frames: cut anywhere, arbitrary bytes, and against another decoder.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::head::LONGEST_CONTROL;
use super::sample::{Seen, frame};
use super::{Decoder, Pending};

/// A message as a client sends it: the frames, and their meaning.
#[derive(Clone, Debug)]
struct Sent {
    bytes: Vec<u8>,
    means: Vec<Seen>,
}

fn control() -> impl Strategy<Value = Sent> {
    (any::<bool>(), vec(any::<u8>(), 0..=125), any::<[u8; 4]>()).prop_map(|(is_ping, payload, mask)| Sent {
        bytes: frame(if is_ping { 0x89 } else { 0x8a }, &payload, mask),
        means: vec![if is_ping { Seen::Ping(payload) } else { Seen::Pong }],
    })
}

/// A text or binary message in up to five fragments, with control frames between them.
fn data() -> impl Strategy<Value = Sent> {
    let content = prop_oneof![
        any::<String>().prop_map(|text| (1, text.into_bytes())),
        vec(any::<u8>(), 0..300).prop_map(|bytes| (2, bytes)),
        (0_usize..70_000).prop_map(|length| (1, vec![b'x'; length])),
    ];
    (content, vec((any::<Index>(), any::<[u8; 4]>(), proptest::option::of(control())), 0..5)).prop_map(
        |((opcode, content), cuts)| {
            let mut sent = Sent { bytes: Vec::new(), means: Vec::new() };
            let (mut rest, mut first) = (&content[..], opcode);
            for (cut, mask, between) in cuts {
                let (fragment, after) = rest.split_at(cut.index(rest.len() + 1));
                sent.bytes.extend(frame(first, fragment, mask));
                if let Some(control) = between {
                    sent.bytes.extend(control.bytes);
                    sent.means.extend(control.means);
                }
                (rest, first) = (after, 0);
            }
            sent.bytes.extend(frame(0x80 | first, rest, [0xa5, 0, 0xff, 0x3c]));
            sent.means.push(match opcode {
                1 => Seen::Text(String::from_utf8(content).expect("texts are generated from strings")),
                _ => Seen::Binary(content),
            });
            sent
        },
    )
}

fn stream() -> impl Strategy<Value = Sent> {
    vec(prop_oneof![1 => control(), 3 => data()], 0..6).prop_map(|all| {
        let mut stream = Sent { bytes: Vec::new(), means: Vec::new() };
        for sent in all {
            stream.bytes.extend(sent.bytes);
            stream.means.extend(sent.means);
        }
        stream
    })
}

/// The bytes in pieces, empty ones among them.
fn cut<'a>(bytes: &'a [u8], at: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = at.iter().map(|index| index.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let begins = std::iter::once(0).chain(ends.clone());
    begins.zip(ends.iter()).map(|(begin, end)| &bytes[begin..*end]).collect()
}

/// The beginnings of nearly right heads, so that arbitrary bytes pass the first checks.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let first =
        prop_oneof![Just(0x81), Just(0x01), Just(0x80), Just(0x00), Just(0x02), Just(0x89), Just(0x88)];
    let piece = prop_oneof![
        6 => (first, vec(any::<u8>(), 0..20), any::<[u8; 4]>()).prop_map(|(first, payload, mask)| frame(first, &payload, mask)),
        1 => vec(any::<u8>(), 0..6),
        1 => any::<u16>().prop_map(|length| [&[0x81, 0xfe][..], &length.to_be_bytes()].concat()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_valid_stream_means_the_same_however_it_is_cut(sent in stream(), at in vec(any::<Index>(), 0..40)) {
        let pieces = cut(&sent.bytes, &at);
        let mut decoder = Decoder::new(70_000);
        prop_assert_eq!(decoder.drink(pieces), (sent.means, None));
        prop_assert!(decoder.is_idle());
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_cut(
        bytes in prop_oneof![nearly_frames(), vec(any::<u8>(), 0..200)],
        at in vec(any::<Index>(), 0..20),
    ) {
        let whole = Decoder::new(50).drink([&bytes[..]]);
        prop_assert_eq!(Decoder::new(50).drink(cut(&bytes, &at)), whole);
    }

    #[test]
    fn any_bytes_hold_no_more_than_a_message_and_a_frame_of_control(
        bytes in nearly_frames(),
        limit in 0_usize..100,
    ) {
        let mut decoder = Decoder::new(limit);
        for byte in bytes {
            if decoder.drink([&[byte][..]]).1.is_some() {
                prop_assert!(decoder.is_idle());
                break;
            }
            prop_assert!(decoder.held() <= limit + LONGEST_CONTROL + size_of::<Pending>());
        }
    }

    #[test]
    fn fastwebsockets_reads_the_same(sent in stream(), at in vec(any::<Index>(), 0..10)) {
        let mut bytes = sent.bytes;
        bytes.extend(frame(0x88, &[0x03, 0xe8], [1, 2, 3, 4]));
        let (seen, error) = Decoder::new(70_000).drink(cut(&bytes, &at));
        prop_assert_eq!(error, None);
        prop_assert_eq!(oracle(bytes), seen);
    }
}

/// The messages that fastwebsockets decodes, up to the close frame at the end.
fn oracle(bytes: Vec<u8>) -> Vec<Seen> {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
    use tokio::io::AsyncWriteExt;

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(bytes.len());
        client.write_all(&bytes).await.expect("the pipe holds all bytes");
        let mut socket = WebSocket::after_handshake(server, Role::Server);
        socket.set_auto_close(false);
        socket.set_auto_pong(false);
        let mut socket = FragmentCollector::new(socket);
        let mut seen = Vec::new();
        loop {
            let frame = socket.read_frame().await.expect("a valid stream");
            let payload = frame.payload.to_vec();
            seen.push(match frame.opcode {
                OpCode::Text => Seen::Text(String::from_utf8(payload).expect("text is UTF-8")),
                OpCode::Binary => Seen::Binary(payload),
                OpCode::Ping => Seen::Ping(payload),
                OpCode::Pong => Seen::Pong,
                OpCode::Close => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    seen.push(Seen::Close(code));
                    return seen;
                }
                OpCode::Continuation => unreachable!("fragments are collected"),
            });
        }
    })
}
