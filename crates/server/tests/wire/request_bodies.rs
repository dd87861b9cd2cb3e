//! Framing of request bodies, and the limit on reading them (LIM-030, API-005).

use std::fmt::Write;
use std::time::Instant;

use crate::support::api::{Request, now};

use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, DEADLINE};

const EVENT: &str = r#"{"name":"e","channels":["news"],"data":"in pieces"}"#;

/// The head of a signed request for [`EVENT`] with this framing of the body.
fn head(framing: &str) -> String {
    format!("{}{framing}\r\n\r\n", Request::post("/apps/3/events", EVENT).open_head())
}

/// A head without any signature.
fn unsigned(framing: &str) -> String {
    format!("POST /apps/3/events HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n")
}

#[test]
fn a_body_may_come_in_chunks() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut http = Http::connect(server.addr);
    let mut request = head("Transfer-Encoding: chunked");
    for chunk in EVENT.as_bytes().chunks(7) {
        let chunk = std::str::from_utf8(chunk).expect("ASCII");
        write!(request, "{:x}\r\n{chunk}\r\n", chunk.len()).expect("a String takes any text");
    }
    http.write(request.as_bytes());
    http.write(b"0\r\n\r\n");
    http.answer().expect("{}");
    socket.expect_event("news", "e", "in pieces");
}

#[test]
fn a_body_may_come_byte_by_byte() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    http.write(head(&format!("Content-Length: {}", EVENT.len())).as_bytes());
    for byte in EVENT.as_bytes() {
        http.write(&[*byte]);
    }
    http.answer().expect("{}");
}

#[test]
fn a_back_end_that_expects_100_continue_gets_it() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    http.write(head(&format!("Expect: 100-continue\r\nContent-Length: {}", EVENT.len())).as_bytes());
    assert_eq!(http.head().status, 100);
    http.write(EVENT.as_bytes());
    http.answer().expect("{}");
}

#[test]
fn lim_030_an_announced_body_over_the_limit_is_413_before_it_is_sent() {
    let server = TestServer::start();
    for length in ["1048577", "2147483648", "9223372036854775807"] {
        for head in
            [head(&format!("Content-Length: {length}")), unsigned(&format!("Content-Length: {length}"))]
        {
            let start = Instant::now();
            let mut http = Http::connect(server.addr);
            http.write(head.as_bytes());
            http.answer().refused(413, "");
            assert!(start.elapsed() < DEADLINE / 2, "at once, not after {:?}", start.elapsed());
        }
    }
}

#[test]
fn lim_030_a_body_over_the_limit_is_not_invited_by_100_continue() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    http.write(unsigned("Expect: 100-continue\r\nContent-Length: 1048577").as_bytes());
    http.answer().refused(413, "");
}

#[test]
fn lim_030_an_unsigned_body_over_the_limit_is_413_not_401() {
    let server = Setup::new().config("[limits]\nrequest_bytes = 20000").start();
    let mut http = Http::connect(server.addr);
    http.write(unsigned("Content-Length: 20001").as_bytes());
    http.try_write(&[b'x'; 20_001]);
    http.answer().refused(413, "");
    let mut http = Http::connect(server.addr);
    http.write(unsigned("Content-Length: 20000").as_bytes());
    http.write(&[b'x'; 20_000]);
    http.answer().refused(401, "");
}

#[test]
fn lim_030_chunks_that_add_up_to_more_than_the_limit_are_413() {
    let server = Setup::new().config("[limits]\nrequest_bytes = 20000").start();
    for head in [head("Transfer-Encoding: chunked"), unsigned("Transfer-Encoding: chunked")] {
        let mut http = Http::connect(server.addr);
        http.write(head.as_bytes());
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        for _ in 0..5 {
            http.try_write(chunk.as_bytes());
        }
        // No last chunk: the server must not wait for one.
        http.answer().refused(413, "");
    }
}

#[test]
fn lim_030_a_body_of_a_mebibyte_is_read() {
    let server = TestServer::start();
    let filling = " ".repeat((1 << 20) - EVENT.len());
    server.api().post("/events", format!("{EVENT}{filling}")).expect("{}");
    server.api().post("/events", format!("{EVENT}{filling} ")).refused(413, "");
}

#[test]
fn a_length_that_is_none_is_400() {
    let server = TestServer::start();
    for framing in ["Content-Length: many", "Content-Length: -1", "Content-Length: 5\r\nContent-Length: 6"] {
        let mut http = Http::connect(server.addr);
        http.write(unsigned(framing).as_bytes());
        assert_eq!(http.head().status, 400, "{framing}");
    }
}

#[test]
fn a_body_whose_signature_is_wrong_is_refused_before_it_comes_and_never_kept() {
    const SENDERS: usize = 32;
    const BODY: usize = 1 << 20;
    let server = TestServer::start();
    let head = unsigned_but_for_the_key(&format!("Content-Length: {BODY}"));
    // One-time memory for the first requests of this size is not measured.
    let mut warm = Http::connect(server.addr);
    warm.write(head.as_bytes());
    warm.write(&vec![b'x'; BODY]);
    warm.answer().refused(401, "Invalid signature");
    let before = server.process.peak_memory();
    let mut senders: Vec<Http> = (0..SENDERS).map(|_| Http::connect(server.addr)).collect();
    for sender in &mut senders {
        sender.write(head.as_bytes());
        // All but the end, which the server would have to wait for.
        sender.try_write(&vec![b'x'; BODY - 1]);
    }
    for sender in &mut senders {
        sender.answer().refused(401, "Invalid signature");
    }
    let grown = server.process.peak_memory().saturating_sub(before);
    // Of each refused body a piece is on its way; kept bodies would take all of it.
    assert!(grown < (SENDERS * BODY / 4 * 3) as u64, "{grown} bytes for {SENDERS} bodies of {BODY}");
}

/// A head that anybody can send who knows the app's key, which is no secret.
fn unsigned_but_for_the_key(framing: &str) -> String {
    let (key, now) = (APP.key, now());
    let md5 = "0".repeat(32);
    let signature = "0".repeat(64);
    format!(
        "POST /apps/3/events?auth_key={key}&auth_timestamp={now}&auth_version=1.0&body_md5={md5}\
         &auth_signature={signature} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"
    )
}
