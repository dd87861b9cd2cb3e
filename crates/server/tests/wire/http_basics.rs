//! Routes, methods and connections of the HTTP listeners (API-001 … API-009).

use std::net::SocketAddr;

use crate::support::APP;
use crate::support::api::Request;
use crate::support::http::{Answer, Head, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;

#[test]
fn api_001_one_connection_serves_many_requests() {
    let server = TestServer::start();
    let mut api = server.api();
    for number in 0..20 {
        api.publish("a", "e", &number.to_string());
        api.get("/channels", &[]).expect(r#"{"channels":{}}"#);
        api.get("/channels/a", &[("info", "user_count")]).refused(400, "user_count");
        api.post("/events", "not JSON").refused(400, "JSON");
    }
}

#[test]
fn api_001_requests_sent_ahead_are_answered_in_order() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    let requests = [
        Request::get("/apps/3/channels/presence-a/users"),
        Request::post("/apps/3/events", r#"{"name":"e","channel":"a","data":"d"}"#),
        Request::get("/apps/3/channels/a"),
    ];
    http.write(&requests.iter().flat_map(Request::bytes).collect::<Vec<u8>>());
    for answer in [r#"{"users":[]}"#, "{}", r#"{"occupied":false}"#] {
        http.answer().expect(answer);
    }
}

#[test]
fn api_001_a_back_end_that_asks_for_it_is_hung_up_on() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    http.write(&Request::get("/apps/3/channels").header("Connection", "close").bytes());
    http.answer().expect(r#"{"channels":{}}"#);
    assert_eq!(http.until_end(), "");
}

#[test]
fn api_003_headers_of_the_sdks_are_ignored() {
    let server = TestServer::start();
    let request = Request::get("/apps/3/channels")
        .header("X-Pusher-Library", "pusher-http-ruby 2.1.0")
        .header("Accept", "application/json, */*;q=0.1")
        .header("Accept-Encoding", "gzip, deflate")
        .header("User-Agent", "any");
    server.api().send(&request).expect(r#"{"channels":{}}"#);
}

#[test]
fn api_004_what_is_empty_is_an_object_or_a_list_and_always_json() {
    let server = TestServer::start();
    let mut api = server.api();
    for (path, info, answer) in [
        ("/channels", "", r#"{"channels":{}}"#),
        ("/channels", "subscription_count", r#"{"channels":{}}"#),
        ("/channels/a", "", r#"{"occupied":false}"#),
        ("/channels/a", "subscription_count", r#"{"occupied":false,"subscription_count":0}"#),
    ] {
        api.get(path, &[("info", info)]).expect(answer);
    }
    api.get("/channels/presence-a/users", &[]).expect(r#"{"users":[]}"#);
    for (body, answer) in [
        (r#"{"name":"e","channels":["a"],"data":"d"}"#, "{}"),
        (r#"{"name":"e","channels":["a"],"data":"d","info":"user_count"}"#, r#"{"channels":{"a":{}}}"#),
    ] {
        api.post("/events", body).expect(answer);
    }
    let item = |info| format!(r#"{{"name":"e","channel":"a","data":"d"{info}}}"#);
    for (info, answer) in [("", "{}"), (r#","info":"user_count""#, r#"{"batch":[{}]}"#)] {
        api.post("/batch_events", format!(r#"{{"batch":[{}]}}"#, item(info))).expect(answer);
    }
    api.post("/users/nobody/terminate_connections", "{}").expect("{}");
}

#[test]
fn api_006_the_name_of_the_sdk_is_ignored() {
    let server = TestServer::start();
    let mut api = server.api();
    for library in ["pusher-http-node 5.3.3", "pusher-http-php 7.2.6", "", "(none) \"\\;"] {
        let body = r#"{"name":"e","channels":["a"],"data":"d"}"#;
        let request = Request::post("/apps/3/events", body).header("X-Pusher-Library", library);
        api.send(&request).expect("{}");
    }
    let forged = Request::get("/apps/3/channels").header("X-Pusher-Library", "pusher-http-node 5.3.3");
    api.send(&forged.auth(|auth| auth.signature = Some("00".into()))).refused(401, "Invalid signature");
}

#[test]
fn api_033_the_list_of_channels_has_no_pages() {
    let server = Setup::new().config("[limits]\nchannels_per_connection = 3000").start();
    let mut socket = server.connect();
    for number in 0..3000 {
        socket.ask_for(&format!("channel-{number}"));
    }
    for number in 0..3000 {
        socket.expect_succeeded(&format!("channel-{number}"));
    }
    let answer = server.api().get("/channels", &[]).body;
    assert_eq!(answer.matches(r#"":{}"#).count(), 3000);
}

#[test]
fn api_005_a_disabled_app_may_not_publish() {
    let server = Setup::with_app("enabled = false").start();
    server.api().post("/events", r#"{"name":"e","channel":"a","data":"d"}"#).refused(403, "disabled");
    server.api().get("/channels", &[]).refused(403, "disabled");
}

#[test]
fn api_008_an_unknown_app_is_404_with_a_sentence() {
    let server = TestServer::start();
    let mut api = server.api();
    for app in ["4", "03", "x", "99999999999999999999999999"] {
        api.send(&Request::get(&format!("/apps/{app}/channels"))).refused(404, "");
        api.send(&Request::post(&format!("/apps/{app}/events"), "{}")).refused(404, "");
    }
}

#[test]
fn unknown_routes_are_404_with_a_sentence() {
    let server = TestServer::start();
    let mut api = server.api();
    for path in
        ["/apps/3/nothing", "/apps/3", "/apps", "/nothing", "/", "/apps/3/channels/a/b", "/apps/3/events/x"]
    {
        api.send(&Request::get(path)).refused(404, "");
    }
}

/// The `Accept` header of a browser that opens an address.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[test]
fn a_person_who_opens_the_servers_address_gets_a_page_and_nobody_else_does() {
    let server = Setup::new().config("[listen]\npath_prefix = \"/ws\"").start();
    let mut http = Http::connect(server.addr);
    let mut ask = |method: &str, path: &str, accept: &str| {
        http.write(format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n").as_bytes());
        http.answer()
    };
    for path in ["/", "/ws", "/ws/"] {
        let page = ask("GET", path, BROWSER);
        assert_eq!(page.head.status, 200, "{path}: {page:?}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("vary", "Accept"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            (
                "content-security-policy",
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(page.head.header(name), Some(value), "{path}");
        }
        assert!(
            page.body.contains("Fanfare is running") && page.body.contains("fanfare doctor"),
            "{}",
            page.body
        );
        for foreign in ["://", "src=", APP.key, env!("CARGO_PKG_VERSION")] {
            assert!(!page.body.contains(foreign), "{foreign}");
        }
        for accept in ["*/*", "application/json", "text/plain"] {
            ask("GET", path, accept).refused(404, "There is nothing at this path");
        }
        for method in ["POST", "OPTIONS"] {
            ask(method, path, BROWSER).refused(404, "There is nothing at this path");
        }
    }
    ask("GET", "/nothing", BROWSER).refused(404, "There is nothing at this path");
    let head = head_of(server.addr, &Request::new("HEAD", "/", "").header("Accept", BROWSER));
    assert_eq!(head.status, 200);
}

#[test]
fn api_009_other_methods_are_405_and_there_are_no_cors_headers() {
    let server = TestServer::start();
    let mut api = server.api();
    for (path, right, wrong) in [
        ("/apps/3/events", "POST", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"]),
        ("/apps/3/batch_events", "POST", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"]),
        ("/apps/3/channels", "GET", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
        ("/apps/3/channels/a", "GET", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
        ("/apps/3/channels/presence-a/users", "GET", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    ] {
        for method in wrong {
            let request = Request::new(method, path, "").header("Origin", "https://example.com");
            let answer = api.send(&request);
            answer.refused(405, "");
            assert_eq!(answer.head.header("access-control-allow-origin"), None, "API-009");
            let allowed = answer.head.header("allow").unwrap_or_default();
            assert!(allowed.contains(right), "RFC 9110 15.5.6: Allow names {right}, not {allowed:?}");
        }
    }
}

/// The answer to HEAD, after which nothing may come.
#[track_caller]
fn head_of(addr: SocketAddr, request: &Request) -> Head {
    let mut http = Http::connect(addr);
    http.write(&request.clone().header("Connection", "close").bytes());
    let head = http.head();
    assert_eq!(http.until_end(), "", "an answer to HEAD has no body");
    head
}

#[test]
fn api_009_head_is_answered_wherever_get_is_with_the_same_headers() {
    let server = TestServer::start();
    for (addr, path) in [
        (server.addr, "/up"),
        (server.addr, "/apps/3/channels"),
        (server.addr, "/apps/3/channels/a"),
        (server.addr, "/apps/3/channels/presence-a/users"),
        (server.addr, "/apps/3/connections"),
        (server.addr, "/app/278d425bdf160c739803"),
        (server.addr, "/nowhere"),
        (server.admin, "/up"),
        (server.admin, "/ready"),
        (server.admin, "/v1/openapi.json"),
        (server.admin, "/v1/apps"),
    ] {
        let mut http = Http::connect(addr);
        http.write(&Request::get(path).bytes());
        let get = http.answer().head;
        let head = head_of(addr, &Request::new("HEAD", path, ""));
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-type", "content-length", "x-content-type-options"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        assert!(head.header("content-length").is_some_and(|length| length != "0"), "{path}");
    }
    assert_eq!(head_of(server.admin, &Request::new("HEAD", "/metrics", "")).status, 200);
}

#[test]
fn api_009_head_is_405_where_get_is() {
    let server = TestServer::start();
    for path in ["/apps/3/events", "/app/278d425bdf160c739803/auth"] {
        let head = head_of(server.addr, &Request::new("HEAD", path, ""));
        assert_eq!((head.status, head.header("allow")), (405, Some("POST")), "{path}");
    }
    let head = Request::new("PUT", "/up", "");
    assert_eq!(server.api().send(&head).head.header("allow"), Some("GET, HEAD"));
}

#[test]
fn http_1_1_has_the_header_host_once_on_every_route_of_both_listeners() {
    let server = TestServer::start();
    for addr in [server.addr, server.admin] {
        for request in ["GET /up", "POST /apps/3/events", "GET /app/278d425bdf160c739803", "GET /nowhere"] {
            for hosts in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: a, b\r\n", "Host: a/b\r\n"] {
                let mut http = Http::connect(addr);
                http.write(format!("{request} HTTP/1.1\r\n{hosts}Content-Length: 0\r\n\r\n").as_bytes());
                let answer = http.answer();
                assert_eq!(answer.head.status, 400, "{request} with {hosts:?}");
                assert!(answer.body.contains("header Host exactly once"), "{}", answer.body);
                assert_eq!(http.until_end(), "");
            }
        }
        let mut http = Http::connect(addr);
        http.write(b"GET /up HTTP/1.0\r\n\r\n");
        http.answer().expect(r#"{"health":"OK"}"#);
    }
}

#[test]
fn no_browser_is_to_guess_what_an_answer_is() {
    let server = TestServer::start();
    let mut api = server.api();
    let event = r#"{"name":"e","channel":"a","data":"d"}"#;
    let answers = [
        api.get("/channels", &[]),
        api.post("/events", event),
        api.post("/channels/a/events?name=e", "<script>"),
        api.post("/events", "{"),
        api.send(&Request::new("PUT", "/up", "")),
        server.public("/%3Cscript%3E"),
        server.public("/app/%3Cscript%3E"),
        server.public("/up"),
        server.admin("/up"),
        server.admin("/ready"),
        server.admin("/metrics"),
        server.admin("/nowhere"),
        server.admin("/v1/apps"),
    ];
    for answer in answers {
        assert_eq!(answer.head.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    }
}

#[test]
fn auth_012_a_path_prefix_is_signed_or_not() {
    let server = Setup::new().config("[listen]\npath_prefix = \"/sockets\"").start();
    let mut api = server.api();
    let path = "/sockets/apps/3/channels";
    api.send(&Request::get(path)).expect(r#"{"channels":{}}"#);
    let unprefixed = Request::get(path).auth(|auth| auth.signed_path = Some("/apps/3/channels".into()));
    api.send(&unprefixed).expect(r#"{"channels":{}}"#);
}

#[test]
fn health_is_told_on_both_listeners() {
    let server = TestServer::start();
    for answer in [server.public("/up"), server.admin("/up")] {
        answer.expect(r#"{"health":"OK"}"#);
    }
}

#[test]
fn what_operators_see_is_not_public() {
    let server = TestServer::start();
    assert_eq!(server.admin("/ready").head.status, 200);
    assert_eq!(server.admin("/metrics").head.status, 200);
    for path in ["/metrics", "/ready"] {
        server.public(path).refused(404, "");
    }
}

#[test]
fn what_is_not_http_is_refused_and_does_no_harm() {
    let server = TestServer::start();
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\r\n\r\n\r\nhello\r\n\r\n", b"GET\r\n\r\n"]
    {
        let mut http = Http::connect(server.addr);
        http.write(bytes);
        http.try_write(b"\r\n\r\n");
        let answer = http.until_end();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    server.connect().expect_nothing_more();
}

/// Asks for a path with this line of a header; the answer.
fn ask(server: &TestServer, method: &str, path: &str, header: &str) -> Answer {
    let mut http = Http::connect(server.addr);
    http.write(format!("{method} {path} HTTP/1.1\r\nHost: fanfare\r\n{header}\r\n").as_bytes());
    http.answer()
}

#[test]
fn res_022_the_script_for_resuming_is_served_and_a_browser_that_has_it_is_told_so() {
    let server = TestServer::start();
    let answer = server.public("/resume.js");
    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.head.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(answer.head.header("cache-control"), Some("public, max-age=3600"));
    assert!(answer.body.contains("function fanfareResume("), "{answer:?}");
    let tag = answer.head.header("etag").expect("a tag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = ask(&server, "GET", "/resume.js", &format!("If-None-Match: {known}\r\n"));
        assert_eq!((answer.head.status, answer.body.as_str()), (304, ""), "{known}");
        assert_eq!(answer.head.header("etag"), Some(&*tag));
        assert_eq!(answer.head.header("cache-control"), Some("public, max-age=3600"));
    }
    let other = ask(&server, "GET", "/resume.js", "If-None-Match: \"other\"\r\n");
    assert_eq!((other.head.status, other.body), (200, answer.body));
    ask(&server, "POST", "/resume.js", "Content-Length: 0\r\n").refused(405, "GET");
}
