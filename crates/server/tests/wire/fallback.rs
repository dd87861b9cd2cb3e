//! The HTTP fallback of pusher-js: sessions over `xhr_streaming` and `xhr` (FALLBACK-010 …).

use std::time::Duration;

use fanfare_testing::redis::Redis;

use crate::cluster::pair;
use crate::support::fallback::Fallback;
use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, PONG, quoted};

const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;

/// What every answer of the fallback needs, a refusal too.
#[track_caller]
fn expect_readable(answer: &Answer) {
    assert_eq!(answer.head.header("access-control-allow-origin"), Some("*"), "{answer:?}");
    assert_eq!(answer.head.header("cache-control"), Some("no-store, no-transform"), "{answer:?}");
}

fn request(server: &TestServer, method: &str, path: &str) -> Answer {
    let mut http = Http::connect(server.addr);
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://page.example\r\n");
    http.write(format!("{head}Content-Length: 0\r\n\r\n").as_bytes());
    http.answer()
}

fn session_path(tail: &str) -> String {
    format!("/pusher/app/{}/7/abcdefgh{tail}", APP.key)
}

#[test]
fn fallback_015_a_stream_opens_with_its_first_message_and_goes_on() {
    let server = TestServer::start();
    let mut session = Fallback::of(server.addr, APP);
    let (head, _) = session.stream();
    assert_eq!(session.line(), "o");
    session.expect_established();
    session.send(PING);
    session.expect_text(PONG);
    session.subscribe("news");
    server.api().publish("news", "e", "é😀");
    session.expect_event("news", "e", "é😀");
    // FALLBACK-014
    assert_eq!(head.header("content-type"), Some("application/javascript; charset=UTF-8"));
    assert_eq!(head.header("x-accel-buffering"), Some("no"));
    assert_eq!(head.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn fallback_015_polls_are_answered_with_what_waits() {
    let server = TestServer::start();
    let mut session = Fallback::of(server.addr, APP);
    assert_eq!(session.poll(), "o\n", "the first poll opens and ends");
    session.expect_established();
    session.subscribe("news");
    let mut api = server.api();
    for number in 0..3 {
        api.publish("news", "e", &number.to_string());
    }
    let mut waiting = session.poll();
    while waiting.matches("event").count() < 3 {
        waiting.push_str(&session.poll());
    }
    let events = waiting.lines().flat_map(|line| {
        serde_json::from_str::<Vec<String>>(line.strip_prefix('a').expect("messages")).expect("strings")
    });
    let expected: Vec<String> =
        (0..3).map(|n| format!(r#"{{"event":"e","data":"{n}","channel":"news"}}"#)).collect();
    assert_eq!(events.collect::<Vec<_>>(), expected);
}

#[test]
fn fallback_015_a_poll_waits_for_the_next_event() {
    let server = TestServer::start();
    let mut session = Fallback::polling(&server);
    session.subscribe("news");
    let mut poll = session.ask("xhr", "");
    poll.head();
    assert!(poll.is_left_alone_for(Duration::from_millis(200)));
    server.api().publish("news", "e", "1");
    let event = quoted(r#"{"event":"e","data":"1","channel":"news"}"#);
    assert_eq!(poll.chunk(), format!("a[{event}]\n").into_bytes());
    assert_eq!(poll.chunk(), b"");
}

#[test]
fn fallback_011_requests_to_receive_name_the_version_and_what_else_they_name_is_ignored() {
    let server = TestServer::start();
    // Neither a type nor a body, as Internet Explorer asks; and twice the same text.
    let asked = session_path("/xhr?protocol=7&client=js&version=8.6.0&t=1&n=1");
    assert_eq!(request(&server, "POST", &asked).body, "o\n");
    let first = request(&server, "POST", &asked).body;
    assert!(first.starts_with("a[") && first.contains("connection_established"), "{first}");
    for (name, query, begins) in [
        ("8/00000001", "", "o\n"),
        ("8/00000002", "?protocol=4&n=x&t=&client=&version=1&other=1", "o\n"),
        ("8/00000003", "?protocol=3", "o\nc[4007,"),
        ("8/00000004", "?protocol=8", "o\nc[4007,"),
    ] {
        let path = format!("/pusher/app/{}/{name}/xhr{query}", APP.key);
        let body = request(&server, "POST", &path).body;
        assert!(body.starts_with(begins) && (begins.len() > 2 || body == begins), "{query}: {body}");
    }
}

#[test]
fn fallback_012_clients_of_both_transports_are_members_of_one_channel() {
    let server = Setup::with_app("client_events = true").start();
    let mut streaming = Fallback::streaming(&server);
    let mut polling = Fallback::polling(&server);
    let mut socket: Socket = server.connect();
    socket.join(APP, "presence-room", r#"{"user_id":"ws"}"#);
    for (session, user) in [(&mut streaming, "streaming"), (&mut polling, "polling")] {
        session.ask_signed(APP, "presence-room", Some(&format!(r#"{{"user_id":"{user}"}}"#)));
        assert!(session.message().contains("subscription_succeeded"));
        socket.expect_event(
            "presence-room",
            "pusher_internal:member_added",
            &format!(r#"{{"user_id":"{user}","user_info":{{}}}}"#),
        );
    }
    streaming.expect_event(
        "presence-room",
        "pusher_internal:member_added",
        r#"{"user_id":"polling","user_info":{}}"#,
    );
    polling.send(r#"{"event":"client-typing","data":{"on":true},"channel":"presence-room"}"#);
    let typing =
        r#"{"event":"client-typing","data":"{\"on\":true}","channel":"presence-room","user_id":"polling"}"#;
    socket.expect_text(typing);
    streaming.expect_text(typing);
    socket.client_event("presence-room", "client-typing", "1");
    let typing = r#"{"event":"client-typing","data":"1","channel":"presence-room","user_id":"ws"}"#;
    streaming.expect_text(typing);
    polling.expect_text(typing);
    server.expect_metric("fanfare_fallback_sessions", 2.0);
}

#[test]
fn fallback_012_several_messages_of_a_request_are_handled_in_their_order() {
    let server = TestServer::start();
    let mut session = Fallback::streaming(&server);
    let ask = |channel: &str| {
        quoted(&format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#))
    };
    let names: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    let asks: Vec<String> = names.iter().map(|name| ask(name)).collect();
    assert_eq!(session.post(&format!("[{}]", asks.join(","))).head.status, 204);
    for name in &names {
        session.expect_succeeded(name);
    }
}

#[test]
fn fallback_012_a_body_that_is_no_array_of_strings_is_refused_and_the_session_goes_on() {
    let server = TestServer::start();
    let mut session = Fallback::streaming(&server);
    for body in ["", "{}", "[1]", "[\"a\"", "null"] {
        let answer = session.post(body);
        answer.refused(400, "JSON array of strings");
        expect_readable(&answer);
    }
    session.send(PING);
    session.expect_text(PONG);
}

#[test]
fn fallback_012_what_is_sent_to_an_unknown_session_is_refused() {
    let server = Setup::new().app(OTHER, "").start();
    let session = Fallback::streaming(&server);
    let answer = request(&server, "POST", &session_path("/xhr_send"));
    answer.refused(404, "no such session");
    expect_readable(&answer);
    // The name is known, but of another app's key.
    let stranger = Fallback::at(server.addr, &session.path.replace(APP.key, OTHER.key));
    assert_eq!(stranger.post("[]").head.status, 404);
    assert_eq!(session.post("[]").head.status, 204);
}

#[test]
fn fallback_013_preflights_are_answered_whatever_they_ask_for() {
    let server = TestServer::start();
    let unknown_key = "/pusher/app/nokey/7/abcdefgh/xhr".to_owned();
    let paths =
        ["/xhr_streaming?protocol=7&t=1&n=1", "/xhr?protocol=7", "/xhr_send?t=1&n=1"].map(session_path);
    for path in paths.into_iter().chain([unknown_key]) {
        let answer = request(&server, "OPTIONS", &path);
        assert_eq!((answer.head.status, &*answer.body), (204, ""));
        expect_readable(&answer);
        assert_eq!(answer.head.header("access-control-allow-methods"), Some("POST, OPTIONS"));
        assert_eq!(answer.head.header("access-control-allow-headers"), Some("content-type"));
        assert_eq!(answer.head.header("access-control-max-age"), None);
    }
}

#[test]
fn fallback_013_refusals_can_be_read_by_pages() {
    let server = TestServer::start();
    let get = request(&server, "GET", &session_path("/xhr"));
    get.refused(405, "POST");
    assert_eq!(get.head.header("allow"), Some("POST, OPTIONS"));
    let names = ["7/abcdefg", "07/abcdefgh", "7/abcdefgw", "1000/abcdefgh"];
    let unnamed = names.map(|name| request(&server, "POST", &format!("/pusher/app/{}/{name}/xhr", APP.key)));
    for answer in unnamed.iter().chain([&get]) {
        expect_readable(answer);
    }
    for answer in unnamed {
        answer.refused(404, "A session is");
    }
}

#[test]
fn fallback_019_a_heartbeat_of_the_client_is_answered_with_no_messages() {
    let server = TestServer::start();
    let mut session = Fallback::streaming(&server);
    assert_eq!(session.post("[]").head.status, 204);
    assert_eq!(session.line(), "a[]");
    let mut session = Fallback::polling(&server);
    assert_eq!(session.post("[]").head.status, 204);
    assert_eq!(session.poll(), "a[]\n");
}

#[test]
fn fallback_020_silence_is_broken_by_heartbeats() {
    let server = Setup::new().config("[timeouts]\nactivity = 1").start();
    let mut session = Fallback::streaming(&server);
    for _ in 0..2 {
        assert_eq!(session.line(), "h");
        assert_eq!(session.post("[]").head.status, 204);
        assert_eq!(session.line(), "a[]");
    }
    let mut session = Fallback::polling(&server);
    assert_eq!(session.poll(), "h\n", "a poll ends");
    assert_eq!(session.poll(), "h\n");
}

#[test]
fn fallback_023_a_session_lives_on_one_node_and_hears_of_the_others() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let mut session = Fallback::streaming(&one);
    session.subscribe("news");
    let mut socket = two.connect();
    socket.subscribe("news");
    two.api().publish("news", "e", "1");
    session.expect_event("news", "e", "1");
    one.api().publish("news", "e", "2");
    session.expect_event("news", "e", "2");
    socket.expect_event("news", "e", "1");
    socket.expect_event("news", "e", "2");
    // A request that goes astray finds no session.
    let astray = Fallback::at(two.addr, &session.path);
    assert_eq!(astray.post("[]").head.status, 404);
}

#[test]
fn fallback_026_paths_stand_behind_the_prefix_with_and_without_pusher() {
    let server = Setup::new().config("[listen]\npath_prefix = \"/ws\"").start();
    for path in ["/pusher/app", "/app", "/ws/pusher/app", "/ws/app"] {
        let mut session = Fallback::below(server.addr, &format!("{path}/{}", APP.key));
        session.stream();
        assert_eq!(session.line(), "o", "{path}");
        session.expect_established();
        session.send(PING);
        session.expect_text(PONG);
    }
}

#[test]
fn fallback_030_sockjs_is_told_at_once_that_there_is_none() {
    let server = TestServer::start();
    for method in ["GET", "POST"] {
        let answer = request(&server, method, "/pusher/info");
        answer.refused(404, "SockJS is not served");
        assert!(!answer.body.contains("setting"), "no setting brings it: {}", answer.body);
        expect_readable(&answer);
    }
}

#[test]
fn fallback_is_served_unless_it_is_switched_off() {
    let server = Setup::new().config("[listen]\nfallback = false").start();
    for tail in ["/xhr_streaming?protocol=7", "/xhr?protocol=7", "/xhr_send"] {
        let answer = request(&server, "POST", &session_path(tail));
        answer.refused(404, "listen.fallback");
        expect_readable(&answer);
    }
    server.connect();
}
