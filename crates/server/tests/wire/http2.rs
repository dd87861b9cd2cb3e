//! HTTP/2 over TLS: the same answers over one connection (FALLBACK-028).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hyper::Version;
use rustix::process::Signal;

use crate::support::api::Request;
use crate::support::http::Http;
use crate::support::http2::{self, END_HEADERS, GOAWAY, HEADERS, RESET, frame, header_block};
use crate::support::server::pusher_js;
use crate::support::setup::Setup;
use crate::support::tls::Secured;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, DEADLINE};

const HEALTHY: &str = r#"{"health":"OK"}"#;

#[test]
fn fallback_028_who_offers_http_2_gets_the_same_answers_without_the_headers_of_one_connection() {
    let secured = Secured::start();
    let mut client = secured.http2();
    for _ in 0..3 {
        let answer = client.get("/up");
        answer.expect(HEALTHY);
        assert_eq!(answer.head.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.head.header("date").is_some_and(|date| date.ends_with(" GMT")));
        assert_eq!(answer.head.header("content-length"), Some("15"));
        for name in ["connection", "keep-alive", "transfer-encoding", "upgrade"] {
            assert_eq!(answer.head.header(name), None);
        }
    }
    client.get("/nowhere").refused(404, "/nowhere");
    // Refusals that close a connection of HTTP/1.1, or want another protocol.
    client.get(&pusher_js(APP)).refused(426, "WebSocket");
    client.get("/up").expect(HEALTHY);
}

#[test]
fn fallback_028_a_signed_request_over_http_2_reaches_subscribers_over_http_1() {
    let secured = Secured::start();
    let mut socket = secured.connect();
    socket.subscribe("news");
    let mut client = secured.http2();
    let body = r#"{"name":"hot","channel":"news","data":"\"it\""}"#;
    let target = Request::post("/apps/3/events", body).target();
    client.ask(http2::request("POST", &target, body)).expect("{}");
    socket.expect_event("news", "hot", r#""it""#);
    client.get(&Request::get("/apps/3/channels").target()).expect(r#"{"channels":{"news":{}}}"#);
    let spoilt = target.replace("auth_signature=", "auth_signature=0");
    client.ask(http2::request("POST", &spoilt, body)).refused(401, "signature");
}

#[test]
fn an_answer_to_head_has_no_body_and_its_length() {
    let secured = Secured::start();
    let mut client = secured.http2();
    let answer = client.ask(http2::request("HEAD", "/up", ""));
    assert_eq!((answer.head.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.head.header("content-length"), Some("15"));
    client.get("/up").expect(HEALTHY);
}

#[test]
fn a_large_answer_comes_whole() {
    let secured = Secured::start_with(Setup::new().config("[limits]\nchannels_per_connection = 10000"));
    let mut socket = secured.connect();
    let name = |number: usize| format!("{}{number:05}", "x".repeat(150));
    for number in 0..2000 {
        socket.ask_for(&name(number));
        socket.expect_succeeded(&name(number));
    }
    let answer = secured.http2().get(&Request::get("/apps/3/channels").target());
    assert_eq!(answer.head.status, 200);
    assert!(answer.body.len() > 2000 * 155 && answer.body.ends_with("}}"), "{}", answer.body.len());
}

#[test]
fn who_does_not_offer_http_2_or_opens_a_websocket_speaks_http_1() {
    let secured = Secured::start();
    for protocols in [&[][..], &["http/1.1"]] {
        let mut http = Http::over_tls(secured.addr(), secured.offering(protocols));
        http.get("/up").expect(HEALTHY);
        assert_eq!(http.session().alpn_protocol(), protocols.first().map(|name| name.as_bytes()));
        Upgrade::to(&pusher_js(APP)).open_over(http).1.established(50);
    }
    let http = Http::over_tls(secured.addr(), secured.offering(&["http/1.1", "h2"]));
    assert_eq!(http.session().alpn_protocol(), Some(&b"h2"[..]), "the server's preference");
}

#[test]
fn who_agrees_on_http_2_and_speaks_http_1_all_the_same_is_served() {
    let secured = Secured::start();
    let mut http = Http::over_tls(secured.addr(), secured.offering(&["h2", "http/1.1"]));
    http.get("/up").expect(HEALTHY);
    Upgrade::to(&pusher_js(APP)).open_over(http).1.established(50);
    let mut http = Http::over_tls(secured.addr(), secured.offering(&["h2"]));
    http.write(b"PO");
    http.write(b"ST /up HTTP/1.1\r\nHost: ws.test\r\nContent-Length: 0\r\n\r\n");
    http.answer().refused(405, "GET");
}

#[test]
fn a_websocket_over_http_2_is_refused_and_the_connection_goes_on() {
    let secured = Secured::start();
    let mut frames = secured.frames();
    let path = pusher_js(APP);
    let block = header_block("CONNECT", &path, &[(":protocol", "websocket")]);
    frames.write(&frame(HEADERS, END_HEADERS, 1, &block));
    let answer = frames.until(|frame| frame.stream == 1);
    assert!(matches!(answer.kind, HEADERS | RESET), "{answer:?}");
    let plain = header_block("CONNECT", "", &[]);
    frames.write(&frame(HEADERS, END_HEADERS, 3, &plain));
    frames.until(|frame| frame.stream == 3);
    frames.expect_alive(5);
}

#[test]
fn the_host_is_the_authority_and_another_beside_it_is_refused() {
    let secured = Secured::start();
    let mut client = secured.http2();
    let mut faulty = http2::request("GET", "/up", "");
    faulty.headers_mut().insert("host", "elsewhere.test".parse().expect("a legal value"));
    client.ask(faulty).refused(400, "Host");
    let mut same = http2::request("GET", "/up", "");
    same.headers_mut().insert("host", "ws.test".parse().expect("a legal value"));
    *same.version_mut() = Version::HTTP_2;
    client.ask(same).expect(HEALTHY);
}

#[test]
fn a_drain_says_goaway_and_finishes_what_is_under_way() {
    let secured = Secured::start_with(Setup::new().config("[timeouts]\ndrain = 1"));
    let socket = secured.connect();
    let mut frames = secured.frames();
    frames.expect_alive(1);
    let body = r#"{"name":"hot","channel":"news","data":"it"}"#;
    let target = Request::post("/apps/3/events", body).target();
    frames.write(&frame(HEADERS, END_HEADERS, 3, &header_block("POST", &target, &[])));
    // Ten requests behind the one under way are answered: the server has looked at that one.
    for stream in 0..10 {
        frames.expect_alive(5 + 2 * stream);
    }
    secured.server.process.signal(Signal::TERM);
    frames.until(|frame| frame.kind == GOAWAY);
    frames.write(&frame(http2::DATA, http2::END_STREAM, 3, body.as_bytes()));
    let rest = frames.until_end();
    assert!(rest.iter().any(|frame| frame.stream == 3 && frame.ends_stream()), "{rest:?}");
    drop(socket);
    secured.server.drained();
}

#[test]
fn http_2_without_tls_is_refused_in_its_own_frames() {
    let server = Setup::new().start();
    let mut tcp = TcpStream::connect(server.addr).expect("the server accepts");
    tcp.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("the server reads");
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).expect("it ends in order");
    let goaway = &answer[9..];
    assert_eq!((goaway[3], goaway[16]), (GOAWAY, 13), "HTTP_1_1_REQUIRED: {answer:?}");
    assert!(String::from_utf8_lossy(goaway).contains("HTTP/2 needs TLS"));
}
