//! Peers on the wrong port, and peers that stall or break off in TLS: closed, without effect on others.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::stream::Stream;
use crate::support::tls::{Authority, BOTH, Secured};
use crate::support::{DEADLINE, eventually};

/// The beginning of a record that announces 16 KiB of a handshake.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03";

fn impatient() -> Secured {
    Secured::start_with(Setup::new().config("[timeouts]\nhandshake = 1"))
}

fn expect_undisturbed(good: &mut Socket) {
    good.expect_nothing_more();
}

/// All bytes until the server hangs up.
fn until_end(mut stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    let mut all = Vec::new();
    // The connection may be reset, if the server did not read everything.
    if let Err(error) = stream.read_to_end(&mut all) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "not hung up on");
    }
    all
}

/// The hello of a client with this version at most, with a cipher of that time.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    // No session; TLS_RSA_WITH_AES_128_CBC_SHA and TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; no compression;
    // signatures by ecdsa_secp256r1_sha256.
    body.extend([0, 0, 4, 0x00, 0x2f, 0xc0, 0x2b, 1, 0]);
    body.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(body.len()).expect("a short hello");
    let mut record = vec![0x16, version[0], version[1], 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

#[test]
fn tls_1_0_and_1_1_are_refused_with_an_alert() {
    let secured = Secured::start();
    for version in [[3, 1], [3, 2]] {
        let mut stream = TcpStream::connect(secured.addr()).expect("the server accepts");
        stream.write_all(&hello(version)).expect("the server reads");
        let answer = until_end(stream);
        // An alert, fatal, protocol_version.
        assert_eq!((answer.first(), answer.get(5..7)), (Some(&21), Some(&[2, 70][..])), "{answer:?}");
    }
    secured.connect().expect_nothing_more();
}

#[test]
fn plain_http_to_the_tls_port_is_told_what_is_spoken_there() {
    let secured = Secured::start();
    for request in [
        "GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        format!("POST /apps/3/events HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(5000)),
    ] {
        let mut http = Http::connect(secured.addr());
        http.write(request.as_bytes());
        http.answer().refused_with(400, "This port speaks TLS: begin with https:// or with wss://.");
        assert_eq!(http.until_end(), "");
    }
}

#[test]
fn tls_to_the_plain_port_harms_nobody() {
    let server = TestServer::start();
    let mut good = server.connect();
    let config = Authority::new().client(&BOTH);
    for _ in 0..20 {
        assert!(Http::try_over_tls(server.addr, config.clone()).is_err(), "TLS on a plain port");
        expect_undisturbed(&mut good);
    }
    assert_eq!(server.public("/up").head.status, 200);
}

#[test]
fn clients_that_stall_in_the_handshake_are_cut_off_and_hold_nobody_up() {
    let secured = impatient();
    let mut good = secured.connect();
    let stalled: Vec<TcpStream> = (0..200)
        .map(|at| {
            let mut stream = TcpStream::connect(secured.addr()).expect("the server accepts");
            stream.write_all(&HALF_A_HELLO[..at % HALF_A_HELLO.len()]).expect("the server reads");
            stream
        })
        .collect();
    secured.connect().expect_nothing_more();
    expect_undisturbed(&mut good);
    for stream in stalled {
        until_end(stream);
    }
    expect_undisturbed(&mut good);
}

#[test]
fn a_handshake_that_trickles_is_cut_off() {
    let secured = impatient();
    let mut stream = TcpStream::connect(secured.addr()).expect("the server accepts");
    stream.write_all(HALF_A_HELLO).expect("the server reads");
    // The announced bytes would take more than a minute.
    eventually("the trickle is cut off", || stream.write_all(&[0]).is_err().then_some(()));
}

#[test]
fn a_client_that_says_nothing_after_the_handshake_is_cut_off() {
    let secured = impatient();
    assert_eq!(secured.http().until_end(), "");
}

#[test]
fn noise_in_place_of_a_handshake_harms_nobody() {
    let secured = Secured::start();
    let mut good = secured.connect();
    for noise in [
        &b"\x00\x01\x02"[..],
        &[0xff; 5000],
        &[0x16; 70_000],
        b"\x16\x03\x01\xff\xff",
        b"\x80\x2e\x01\x00\x02",
    ] {
        let mut stream = TcpStream::connect(secured.addr()).expect("the server accepts");
        // The connection may be closed before all bytes were sent.
        drop(stream.write_all(noise));
        drop(stream.shutdown(Shutdown::Write));
        until_end(stream);
        expect_undisturbed(&mut good);
    }
}

#[test]
fn noise_in_place_of_records_ends_that_connection_alone() {
    let secured = Secured::start();
    let mut good = secured.connect();
    for noise in [
        &b"\x17\x03\x03\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 100_000],
    ] {
        let bad = secured.connect();
        secured.server.expect_metric("fanfare_connections{app=\"3\"}", 2.0);
        let mut tcp = bad.stream().tcp();
        drop(tcp.write_all(noise));
        secured.server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
        expect_undisturbed(&mut good);
    }
}

#[test]
fn a_client_that_breaks_off_in_the_handshake_leaves_nothing() {
    let secured = Secured::start();
    let mut good = secured.connect();
    for length in 0..HALF_A_HELLO.len() {
        let mut stream = TcpStream::connect(secured.addr()).expect("the server accepts");
        stream.write_all(&HALF_A_HELLO[..length]).expect("the server reads");
        drop(stream);
    }
    expect_undisturbed(&mut good);
    assert!(matches!(secured.http().stream(), Stream::Tls(_)));
}

#[test]
fn a_client_without_the_authority_refuses_and_the_server_goes_on() {
    let secured = Secured::start();
    let stranger = Authority::new().client(&BOTH);
    let refused = Http::try_over_tls(secured.addr(), stranger).err().expect("not believed").to_string();
    assert!(refused.contains("UnknownIssuer") || refused.contains("BadSignature"), "{refused}");
    secured.connect().expect_nothing_more();
}
