//! Opening a connection: URLs, headers, and the first frame (WS-001 … WS-010, WS-030 … WS-034, WS-117).

use std::collections::HashSet;

use crate::support::api::Request;
use crate::support::http::{Answer, Http};
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::{FIN, TEXT, masked};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, PONG};

#[test]
fn ws_001_keys_are_case_sensitive() {
    let server = Setup::bare().app(crate::support::App { key: "AbCdEf", ..APP }, "").start();
    server.open("/app/AbCdEf?protocol=7").established(50);
    server.open("/app/abcdef?protocol=7").expect_close(
        4001,
        "App key abcdef not in this cluster. Did you forget to specify the cluster? (no such key here)",
    );
}

#[test]
fn ws_002_the_host_header_may_carry_a_port() {
    let server = TestServer::start();
    for host in ["127.0.0.1:6001", "sockets.example.com:443", "[::1]:80", "example.com"] {
        Upgrade::to(&pusher_js(APP)).host(host).open(server.addr).1.established(50);
    }
}

#[test]
fn ws_003_a_path_prefix_may_stand_in_front_of_the_app_path() {
    let server = Setup::new().config("[listen]\npath_prefix = \"/sockets\"").start();
    server.open(&format!("/sockets{}", pusher_js(APP))).established(50);
}

#[test]
fn ws_004_the_query_forms_of_all_official_clients_are_taken() {
    let server = TestServer::start();
    for query in [
        "?protocol=7&client=js&version=8.6.0&flash=false",
        "?client=java-client&protocol=5&version=2.4.4",
        "?client=pusher-dotnet-client&protocol=5&version=2.3.1",
        "?client=iOS-libPusher&version=10.1.10&protocol=7",
        "?version=not%20a%20version&flash=true&protocol=7&client=&unknown=1&unknown",
        "?unknown=1&unknown=2&&protocol=7",
        "",
        "?",
    ] {
        server.open(&format!("/app/{}{query}", APP.key)).established(50).expect_nothing_more();
    }
}

#[test]
fn ws_005_a_refusal_is_told_after_the_upgrade() {
    let server = TestServer::start();
    let (head, mut socket) = Upgrade::to("/app/nosuchkey?protocol=7").open(server.addr);
    assert_eq!(head.status, 101);
    socket.expect_close(
        4001,
        "App key nosuchkey not in this cluster. Did you forget to specify the cluster? (no such key here)",
    );
}

#[test]
fn ws_006_the_subprotocol_of_the_swift_client_is_echoed() {
    let server = TestServer::start();
    for offer in
        ["pusher-channels-protocol-7", "chat, pusher-channels-protocol-7", "pusher-channels-protocol-7,chat"]
    {
        let request = Upgrade::to(&pusher_js(APP)).header("Sec-WebSocket-Protocol", offer);
        let (head, socket) = request.open(server.addr);
        assert_eq!(head.header("sec-websocket-protocol"), Some("pusher-channels-protocol-7"), "{offer}");
        socket.established(50);
    }
}

#[test]
fn ws_006_other_subprotocols_are_not_selected_and_do_no_harm() {
    let server = TestServer::start();
    for offer in
        [None, Some("chat"), Some("pusher-channels-protocol-"), Some("pusher-channels-protocol-x"), Some("")]
    {
        let mut request = Upgrade::to(&pusher_js(APP));
        if let Some(offer) = offer {
            request = request.header("Sec-WebSocket-Protocol", offer);
        }
        let (head, socket) = request.open(server.addr);
        assert_eq!(head.header("sec-websocket-protocol"), None, "{offer:?}");
        socket.established(50);
    }
}

#[test]
fn ws_007_an_offer_of_compression_does_no_harm() {
    let server = TestServer::start();
    let offer = "permessage-deflate; client_max_window_bits";
    let request = Upgrade::to(&pusher_js(APP)).header("Sec-WebSocket-Extensions", offer);
    let (head, socket) = request.open(server.addr);
    assert_eq!(head.header("sec-websocket-extensions"), None);
    socket.established(50).expect_nothing_more();
}

#[test]
fn ws_008_a_plain_get_of_an_app_is_told_to_upgrade() {
    let server = TestServer::start();
    let answer = server.public(&pusher_js(APP));
    answer.refused(426, "WebSocket");
    assert_eq!(answer.head.header("upgrade"), Some("websocket"), "RFC 9110 15.5.22 demands the header");
}

#[test]
fn ws_009_an_upgrade_elsewhere_is_closed_with_4005() {
    let server = TestServer::start();
    for path in [
        "/",
        "/app",
        "/apps",
        "/nowhere",
        "/up",
        "/apps/3/channels",
        "/app/a/b",
        "/App/278d425bdf160c739803",
        "///app/278d425bdf160c739803",
        "/app/278d425bdf160c739803//",
    ] {
        let reason = format!("Path not found: connect to /app/KEY, not {path}");
        server.open(&format!("{path}?protocol=7")).expect_close(4005, &reason);
    }
    let mut old = server.open("/nowhere?protocol=5");
    old.expect_close_by_event(4005, "Path not found: connect to /app/KEY, not /nowhere");
}

#[test]
fn ws_003_a_slash_too_many_at_either_end_of_the_path_does_no_harm() {
    let server = TestServer::start();
    let prefixed = Setup::new().config("[listen]\npath_prefix = \"/sockets\"").start();
    let target = pusher_js(APP);
    let (_, query) = target.split_once('?').expect("pusher-js sends a query");
    let key = APP.key;
    for (server, path) in [
        (&server, format!("/app/{key}/")),
        (&server, format!("//app/{key}")),
        (&server, format!("//app/{key}/")),
        (&prefixed, format!("/sockets//app/{key}")),
        (&prefixed, format!("/sockets/app/{key}/")),
    ] {
        server.open(&format!("{path}?{query}")).established(50);
    }
}

#[test]
fn ws_030_the_first_frame_comes_once_and_unasked() {
    let server = TestServer::start();
    let mut socket = server.open(&pusher_js(APP)).established(50);
    socket.expect_nothing_more();
}

#[test]
fn ws_031_socket_ids_are_two_numbers_and_never_the_same() {
    let server = TestServer::start();
    let ids: HashSet<String> = (0..50).map(|_| server.connect().id).collect();
    assert_eq!(ids.len(), 50);
    for id in ids {
        let (high, low) = id.split_once('.').expect("LIM-006: two numbers and a dot");
        for number in [high, low] {
            let value: u64 = number.parse().expect("LIM-006: a decimal number");
            assert!(value < 1 << 53, "WS-031: {id}");
        }
    }
}

#[test]
fn ws_032_the_first_frame_names_the_activity_timeout_that_is_set() {
    let server = Setup::new().config("[timeouts]\nactivity = 17").start();
    for version in 4..=7 {
        server.open(&format!("/app/{}?protocol={version}", APP.key)).established(17);
    }
}

#[test]
fn ws_117_frames_in_the_same_segment_as_the_upgrade_request_are_answered() {
    let server = TestServer::start();
    let subscribe = br#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#;
    let ping = br#"{"event":"pusher:ping","data":{}}"#;
    let behind = [masked(FIN | TEXT, subscribe), masked(FIN | TEXT, ping)].concat();
    let (_, socket) = Upgrade::to(&pusher_js(APP)).followed_by(&behind).open(server.addr);
    let mut socket = socket.established(50);
    socket.expect_succeeded("news");
    socket.expect_text(PONG);
}

#[test]
fn ws_117_half_a_frame_behind_the_upgrade_request_is_completed_later() {
    let server = TestServer::start();
    let ping = masked(FIN | TEXT, br#"{"event":"pusher:ping","data":{}}"#);
    let (_, socket) = Upgrade::to(&pusher_js(APP)).followed_by(&ping[..9]).open(server.addr);
    let mut socket = socket.established(50);
    socket.raw(&ping[9..]);
    socket.expect_text(PONG);
}

#[test]
fn browsers_name_several_connection_options() {
    let server = TestServer::start();
    let request = Upgrade::to(&pusher_js(APP)).header("Connection", "keep-alive, Upgrade");
    request.open(server.addr).1.established(50);
}

#[test]
fn a_key_of_any_length_and_content_is_answered_within_the_bounds_of_a_close_frame() {
    let server = TestServer::start();
    for key in ["x".repeat(4000), "%C3%A9".repeat(300), "%00%0A%22".into(), "%FF".into()] {
        server.open(&format!("/app/{key}?protocol=7")).expect_close_code(4001);
    }
}

#[test]
fn an_odd_key_of_a_handshake_is_taken_as_health_checks_send_it() {
    let server = TestServer::start();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: haproxy\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: haproxy\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
        pusher_js(APP)
    );
    let mut http = Http::connect(server.addr);
    http.write(request.as_bytes());
    assert_eq!(http.head().status, 101);
}

/// A handshake in which a part may be wrong.
fn handshake(request_line: &str, headers: &str, body: &str) -> String {
    format!(
        "{request_line}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{headers}\r\n{body}"
    )
}

#[track_caller]
fn answered(server: &TestServer, request: &str) -> Answer {
    let mut http = Http::connect(server.addr);
    http.write(request.as_bytes());
    http.answer()
}

#[test]
fn a_handshake_by_post_is_no_handshake() {
    let server = TestServer::start();
    let post = format!("POST {} HTTP/1.1", pusher_js(APP));
    answered(&server, &handshake(&post, "Host: localhost\r\nContent-Length: 0\r\n", "")).refused(405, "GET");
}

#[test]
fn a_signed_request_with_a_whole_handshake_is_answered_as_one_without() {
    let server = TestServer::start();
    let body = r#"{"name":"e","channel":"a","data":"d"}"#;
    let request = Request::post("/apps/3/events", body)
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    let mut api = server.api();
    for _ in 0..3 {
        api.send(&request).expect("{}");
    }
}

#[test]
fn a_handshake_with_a_body_is_refused_and_hung_up_on() {
    let server = TestServer::start();
    let get = format!("GET {} HTTP/1.1", pusher_js(APP));
    for (framing, body) in
        [("Content-Length: 5", "hello"), ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")]
    {
        let mut http = Http::connect(server.addr);
        http.write(handshake(&get, &format!("Host: localhost\r\n{framing}\r\n"), body).as_bytes());
        http.answer().refused(400, "A WebSocket handshake has no body");
        assert_eq!(http.until_end(), "", "what was the body is not read as a request");
    }
    let request = handshake(&get, "Host: localhost\r\nContent-Length: 0\r\n", "");
    let mut http = Http::connect(server.addr);
    http.write(request.as_bytes());
    assert_eq!(http.head().status, 101, "a length of 0 is no body");
}

#[test]
fn a_handshake_in_http_1_0_is_told_what_nginx_lacks_and_is_logged() {
    let server = TestServer::start();
    for headers in ["Host: localhost\r\n", ""] {
        let request = handshake(&format!("GET {} HTTP/1.0", pusher_js(APP)), headers, "");
        let mut http = Http::connect(server.addr);
        http.write(request.as_bytes());
        let answer = http.answer();
        answer.refused(426, "HTTP/1.0");
        answer.refused(426, "`proxy_http_version 1.1;`");
        assert_eq!(answer.head.header("upgrade"), Some("websocket"));
        assert_eq!(answer.head.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
    }
    server.process.log_line("the handshake", |line| {
        (line.contains("WebSocket handshake refused") && line.contains("HTTP/1.0")).then_some(())
    });
}

#[test]
fn the_headers_of_an_upgrade_are_ignored_where_no_websocket_is() {
    let server = TestServer::start();
    let upgrade = |request: Request| request.header("Connection", "upgrade").header("Upgrade", "websocket");
    let mut api = server.api();
    api.send(&upgrade(Request::get("/up"))).expect(r#"{"health":"OK"}"#);
    api.send(&upgrade(Request::get("/apps/3/channels"))).expect(r#"{"channels":{}}"#);
    let event = r#"{"name":"e","channel":"a","data":"d"}"#;
    api.send(&upgrade(Request::post("/apps/3/events", event))).expect("{}");
    api.send(&upgrade(Request::get("/nowhere"))).refused(404, "/nowhere");
    api.send(&upgrade(Request::post("/app/x/auth", "{}"))).refused(404, "no app with the key x");
    api.send(&upgrade(Request::get("/app/278d425bdf160c739803"))).refused(400, "Sec-WebSocket-Key");
}
