//! Headers of both versions, legal and not, and random bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A header of version 2 with this byte of version and command, this one of family and protocol, and what follows.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [V2, &[command, family], &length, rest].concat()
}

fn client(address: &str) -> Result<Told, HeaderFault> {
    Ok(Told { client: Some(address.parse().unwrap()), over_tls: false })
}

const NOBODY: Result<Told, HeaderFault> = Ok(Told { client: None, over_tls: false });

const FOUR: [u8; 12] = [203, 0, 113, 9, 192, 0, 2, 1, 199, 56, 1, 187];

#[test]
fn version_1_names_the_client_or_nobody() {
    for (header, expected) in [
        ("PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\r\n", client("203.0.113.9")),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n", client("2001:db8::7")),
        ("PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 51000 443\r\n", client("203.0.113.9")),
        ("PROXY UNKNOWN\r\n", NOBODY),
        ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", NOBODY),
    ] {
        assert_eq!(understand(header.as_bytes()), expected, "{header:?}");
    }
}

#[test]
fn a_malformed_version_1_is_a_fault() {
    for header in [
        "PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 51000\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 51000 65536\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 51000 443\r\n",
        "PROXY TCP4 0.0.0.0 192.0.2.1 51000 443\r\n",
        "PROXY TCP6 :: 2001:db8::1 51000 443\r\n",
        "PROXY TCP4 localhost 192.0.2.1 51000 443\r\n",
        "PROXY UDP4 203.0.113.9 192.0.2.1 51000 443\r\n",
        "PROXY  TCP4 203.0.113.9 192.0.2.1 51000 443\r\n",
        "PROXY \r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\r\r\n",
    ] {
        assert_eq!(understand(header.as_bytes()), Err(HeaderFault::Malformed), "{header:?}");
    }
}

#[test]
fn version_2_names_the_client_or_nobody_and_says_whether_it_used_tls() {
    let six = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &[0; 4]].concat();
    let used = |bits: u8| [&FOUR[..], &[SSL, 0, 5, bits, 0, 0, 0, 0]].concat();
    for (header, expected) in [
        (v2(0x21, 0x11, &FOUR), client("203.0.113.9")),
        (v2(0x21, 0x11, &[&FOUR[..], &[4, 0, 2, 0, 0, 5, 0, 1, 9]].concat()), client("203.0.113.9")),
        (v2(0x21, 0x11, &[&FOUR[..], &[4, 255, 255]].concat()), client("203.0.113.9")),
        (v2(0x21, 0x21, &six), client("2001:db8::7")),
        (v2(0x21, 0x31, &[b'/'; 216]), NOBODY),
        (v2(0x21, 0x00, &[]), NOBODY),
        (v2(0x21, 0x00, &[1, 2, 3]), NOBODY),
        (v2(0x20, 0x00, &[]), NOBODY),
        (v2(0x20, 0x11, &FOUR), NOBODY),
        (v2(0x20, 0xff, &[1]), NOBODY),
        (v2(0x21, 0x11, &used(1)), Ok(Told { over_tls: true, ..client("203.0.113.9").unwrap() })),
        (v2(0x21, 0x11, &used(6)), client("203.0.113.9")),
    ] {
        assert_eq!(understand(&header), expected, "{header:?}");
    }
}

#[test]
fn a_malformed_version_2_is_a_fault() {
    for header in [
        v2(0x11, 0x11, &FOUR),
        v2(0x22, 0x11, &FOUR),
        v2(0x21, 0x12, &FOUR),
        v2(0x21, 0x41, &FOUR),
        v2(0x21, 0x13, &FOUR),
        v2(0x21, 0x11, &FOUR[..11]),
        v2(0x21, 0x21, &FOUR),
        v2(0x21, 0x31, &[0; 215]),
        v2(0x21, 0x11, &[0; 12]),
        v2(0x21, 0x11, &FOUR)[..20].to_vec(),
    ] {
        assert_eq!(understand(&header), Err(HeaderFault::Malformed), "{header:?}");
    }
}

/// What is read of a connection on which these pieces come, one at a time, and what is left on the socket.
async fn read_of(pieces: &[&[u8]]) -> (Result<Told, HeaderFault>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut receiver, _) = listener.accept().await.unwrap();
    sender.set_nodelay(true).unwrap();
    let sending = async {
        for piece in pieces {
            // The other side may have had enough.
            let _ = sender.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _ = sender.shutdown().await;
    };
    let both = async { tokio::join!(read(&receiver), sending).0 };
    let told = tokio::time::timeout(Duration::from_secs(10), both).await.expect("it ends");
    let mut left = Vec::new();
    let _ = receiver.read_to_end(&mut left).await;
    (told, left)
}

#[tokio::test]
async fn not_a_byte_beyond_the_header_is_taken_however_it_is_cut() {
    let request: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    let v1: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\r\n";
    for header in [v1, b"PROXY UNKNOWN\r\n", &v2(0x21, 0x11, &FOUR), &v2(0x20, 0, &[])] {
        let whole = [header, request].concat();
        let expected = understand(header);
        for at in 0..whole.len() {
            let (told, left) = read_of(&[&whole[..at], &whole[at..]]).await;
            assert_eq!((told, &left[..]), (expected, request), "{header:?} at {at}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(read_of(&single).await, (expected, request.to_vec()), "{header:?}");
    }
}

#[tokio::test]
async fn what_is_too_long_or_missing_or_ends_early_is_a_fault() {
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat();
    assert_eq!(read_of(&[&long]).await.0, Err(HeaderFault::TooLong));
    let too_long = [V2, &[0x21, 0x11, 0xff, 0xff], &FOUR].concat();
    assert_eq!(read_of(&[&too_long]).await.0, Err(HeaderFault::TooLong));
    let longest = v2(0x21, 0x11, &[&FOUR[..], &[0; MOST_OF_V2 - FIXED_OF_V2 - 12]].concat());
    assert_eq!(read_of(&[&longest]).await.0, client("203.0.113.9"));
    assert_eq!(read_of(&[b"GET /up HTTP/1.1\r\n"]).await.0, Err(HeaderFault::Missing));
    assert_eq!(read_of(&[b"PROXYING / HTTP/1.1\r\n"]).await.0, Err(HeaderFault::Missing));
    assert_eq!(read_of(&[b""]).await.0, Err(HeaderFault::Silent));
    for early in [&b"PRO"[..], b"PROXY TCP4 1", V2, &v2(0x21, 0x11, &FOUR)[..20]] {
        assert_eq!(read_of(&[early]).await.0, Err(HeaderFault::Ended), "{early:?}");
    }
}

/// Pseudo-random numbers, always the same ones.
fn numbers() -> impl Iterator<Item = u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
}

#[test]
fn no_bytes_make_the_parser_panic_and_what_it_accepts_is_a_clients_address() {
    let mut random = numbers();
    let mut accepted = 0;
    for _ in 0..200_000 {
        let mut take = |count: usize| random.by_ref().take(count).collect::<Vec<_>>();
        let kind = take(3);
        let rest = take(usize::from(kind[0]));
        let header = match kind[1] % 4 {
            0 => [V2, &rest].concat(),
            // Most are legal up to the family, so that the rest is reached.
            1 => {
                v2(0x20 | kind[2] & 3, [0, 0x11, 0x21, 0x31, 0x12, kind[2]][usize::from(kind[2]) % 6], &rest)
            }
            2 => [V1, &rest, b"\r\n"].concat(),
            _ => {
                let mut legal = b"PROXY TCP4 203.0.113.9 192.0.2.1 51000 443\r\n".to_vec();
                let at = usize::from(kind[0]) % legal.len();
                legal[at] = kind[2];
                legal
            }
        };
        if let Ok(told) = understand(&header) {
            accepted += 1;
            assert!(told.client.is_none_or(|client| !client.is_unspecified()), "{header:?}");
        }
    }
    assert!(accepted > 1000, "too few were legal to see anything: {accepted}");
}
