//! How sessions of the HTTP fallback begin again, move, and end.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::fallback::Fallback;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, PONG, eventually, eventually_within, over_quota, quoted};

const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;

/// UTF-16 units after which pusher-js asks for another stream (FALLBACK-018).
const BORDER: usize = 256 * 1024;

/// Waits until nobody is in the channel.
#[track_caller]
fn expect_empty(server: &TestServer, channel: &str, within: Duration) {
    let mut api = server.api();
    eventually_within(within, "the channel is empty", || {
        (api.get(&format!("/channels/{channel}"), &[]).body == r#"{"occupied":false}"#).then_some(())
    });
}

/// A request to receive is refused with this code, by both kinds.
#[track_caller]
fn expect_refused(server: &TestServer, app: crate::support::App, code: u16, reason: &str, headers: &str) {
    let expected = format!("o\nc[{code},{}]\n", quoted(reason));
    for kind in ["xhr_streaming", "xhr"] {
        let session = Fallback::of(server.addr, app).with(headers);
        let answer = session.ask(kind, "").answer();
        assert_eq!((answer.head.status, &*answer.body), (200, &*expected), "FALLBACK-022");
        assert_eq!(answer.head.header("access-control-allow-origin"), Some("*"));
        assert_eq!(session.post("[]").head.status, 404, "there is no session");
    }
}

#[test]
fn fallback_022_refusals_are_those_of_websockets() {
    let stranger = crate::support::App { id: "9", key: "nosuchkey", secret: "x" };
    let server = Setup::with_app("allowed_origins = [\"a.example\"]")
        .app(OTHER, "force_tls = true")
        .config("[listen]\ntrusted_proxies = [\"127.0.0.1\"]")
        .start();
    expect_refused(
        &server,
        stranger,
        4001,
        "App key nosuchkey not in this cluster. Did you forget to specify the cluster? (no such key here)",
        "",
    );
    let reason = "Origin not allowed: http://page.example (setting allowed_origins)";
    expect_refused(&server, APP, 4009, reason, "");
    let reason = "Application only accepts SSL connections, reconnect using wss:// (setting force_tls)";
    expect_refused(&server, OTHER, 4000, reason, "");
    let headers = "X-Forwarded-Proto: https\r\n";
    let mut session = Fallback::of(server.addr, OTHER).with(headers);
    assert_eq!(session.poll(), "o\n");
    session.expect_established();
}

#[test]
fn fallback_024_old_versions_are_told_by_c_alone_too() {
    let server = TestServer::start();
    for (version, code) in [(4, 4001), (5, 4001), (7, 4001), (3, 4007)] {
        let path = format!("/pusher/app/nosuchkey/{version}/abcdefgh");
        let mut http = Http::connect(server.addr);
        http.write(
            format!(
                "POST {path}/xhr_streaming?protocol={version} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        );
        let body = http.answer().body;
        assert!(body.starts_with(&format!("o\nc[{code},")), "{body}");
        assert_eq!(body.lines().count(), 2, "{body}");
    }
}

#[test]
fn fallback_022_a_full_app_or_server_takes_no_session() {
    let server =
        Setup::with_app("max_connections = 1").app(OTHER, "").config("[limits]\nconnections = 2").start();
    let mut first = Fallback::streaming(&server);
    expect_refused(&server, APP, 4004, &over_quota(1), "");
    let mut second = Fallback::of(server.addr, OTHER);
    assert_eq!(second.poll(), "o\n");
    expect_refused(&server, OTHER, 4100, "Over capacity (setting limits.connections)", "");
    first.break_off();
    eventually("the seat is free", || {
        let mut third = Fallback::of(server.addr, OTHER);
        (third.poll() == "o\n").then_some(())
    });
}

#[test]
fn fallback_016_a_session_that_is_lost_begins_anew_with_o() {
    let server = TestServer::start();
    let mut session = Fallback::streaming(&server);
    session.subscribe("news");
    session.break_off();
    expect_empty(&server, "news", Duration::from_secs(5));
    session.stream();
    assert_eq!(session.line(), "o", "to pusher-js a second o says that the session was lost");
}

#[test]
fn fallback_017_a_client_that_is_dropped_is_told_why() {
    let server = TestServer::with_stored_app(&[]);
    let mut streaming = Fallback::streaming(&server);
    let mut polling = Fallback::polling(&server);
    let waiting = polling.ask("xhr", "");
    server.commanded(&["app", "disable", APP.id]);
    let reason = "Application disabled (setting enabled)";
    streaming.expect_close(4003, reason);
    let mut waiting = waiting;
    assert_eq!(waiting.answer().body, format!("c[4003,{}]\n", quoted(reason)));
    assert_eq!(streaming.post("[]").head.status, 404, "the session has ended");
    eventually("nobody is let in", || polling.poll().starts_with("o\nc[4003,").then_some(()));
}

#[test]
fn fallback_017_a_client_between_two_polls_is_told_by_the_next() {
    let server = TestServer::start();
    let mut session = Fallback::polling(&server);
    session.ask_signed(APP, "private-a", None);
    session.expect_succeeded("private-a");
    session.send(r#"{"event":"pusher:signin","data":{"auth":"x","user_data":"{}"}}"#);
    // The session has ended before the next poll.
    let long = format!("[{}]", quoted(&"x".repeat(40_000)));
    let answer = session.post(&long);
    assert_eq!(answer.head.status, 413);
    eventually("the session has ended", || (session.post("[]").head.status == 404).then_some(()));
    let told = session.poll();
    assert!(told.starts_with("a["), "what waits comes first: {told}");
    assert!(told.contains("pusher:error"));
    let close =
        format!("c[1009,{}]\n", quoted("The message is longer than allowed (setting limits.message_bytes)"));
    assert!(told.ends_with(&close), "{told}");
}

#[test]
fn fallback_018_after_256_ki_units_the_next_stream_goes_on_without_loss() {
    let server = Setup::new().config("[limits]\nevent_bytes = 100000\noutbox_bytes = 4000000").start();
    let mut session = Fallback::streaming(&server);
    session.subscribe("news");
    let mut api = server.api();
    // Two bytes each: the server must count as the client does.
    let event = |number: usize| format!("{number:03}{}", "é".repeat(20_000));
    let count = 40;
    let (mut sent, mut got, mut streams) = (0, 0, 1);
    while got < count {
        if sent < count {
            api.publish("news", "e", &event(sent));
            sent += 1;
        }
        if sent < count && sent % 20 != 0 {
            continue;
        }
        while got < sent {
            if session.units > BORDER {
                // As pusher-js does: ends the request and sends another.
                session.break_off();
                session.stream();
                streams += 1;
            }
            session.expect_event("news", "e", &event(got));
            got += 1;
        }
    }
    assert!(streams > 2, "{streams} streams");
    session.send(PING);
    session.expect_text(PONG);
}

#[test]
fn fallback_018_a_stream_that_has_had_its_fill_gets_nothing_more() {
    let server = Setup::new()
        .config("[limits]\nevent_bytes = 300000\nrequest_bytes = 4000000\noutbox_bytes = 4000000")
        .start();
    let mut session = Fallback::streaming(&server);
    session.subscribe("news");
    let large = "x".repeat(BORDER);
    server.api().publish("news", "e", &large);
    session.expect_event("news", "e", &large);
    server.api().publish("news", "e", "2");
    let (_, old) = session.stream();
    session.expect_event("news", "e", "2");
    assert_eq!(old.expect("it is open").chunk(), b"", "nothing but its end");
}

#[test]
fn fallback_018_a_client_that_asks_for_no_other_stream_is_told_so_in_the_end() {
    let server = Setup::new()
        .config(
            "[limits]\nevent_bytes = 300000\nrequest_bytes = 4000000\noutbox_bytes = 2000000\n[timeouts]\nactivity = 1\npong = 60",
        )
        .start();
    let mut session = Fallback::streaming(&server);
    session.subscribe("news");
    let large = "x".repeat(BORDER);
    server.api().publish("news", "e", &large);
    session.expect_event("news", "e", &large);
    session.expect_close(4201, "No request to receive messages came in time");
    eventually("the session is gone", || (session.post("[]").head.status == 404).then_some(()));
    server.expect_metric("fanfare_closes_total{code=\"4201\",reason=\"receiver_missing\"}", 1.0);
}

#[test]
fn fallback_021_a_session_whose_client_does_not_ask_ends_after_ten_seconds() {
    let server = TestServer::start();
    let mut session = Fallback::polling(&server);
    session.subscribe("news");
    let since = Instant::now();
    expect_empty(&server, "news", Duration::from_secs(25));
    assert!(since.elapsed() > Duration::from_secs(8), "{:?}", since.elapsed());
    eventually("the session is gone", || (session.post("[]").head.status == 404).then_some(()));
    server.expect_metric("fanfare_fallback_sessions", 0.0);
    server.expect_metric("fanfare_closes_total{code=\"4201\",reason=\"receiver_missing\"}", 1.0);
}

/// A member of a presence channel, and a page that has joined it by a stream.
#[track_caller]
fn member_and_page(server: &TestServer) -> (Socket, Fallback) {
    let mut socket = server.connect();
    socket.join(APP, "presence-room", r#"{"user_id":"ws"}"#);
    let session = Fallback::streaming(server);
    session.ask_signed(APP, "presence-room", Some(r#"{"user_id":"page"}"#));
    socket.expect_event(
        "presence-room",
        "pusher_internal:member_added",
        r#"{"user_id":"page","user_info":{}}"#,
    );
    (socket, session)
}

/// The page is closed, and the member hears of that.
#[track_caller]
fn expect_left_at_once(mut member: Socket, page: &mut Fallback) {
    page.break_off();
    let since = Instant::now();
    member.expect_event("presence-room", "pusher_internal:member_removed", r#"{"user_id":"page"}"#);
    assert!(since.elapsed() < Duration::from_secs(8), "a page that is closed is not waited for");
}

#[test]
fn fallback_025_a_stream_that_breaks_off_ends_its_session() {
    let server = TestServer::start();
    let (member, mut page) = member_and_page(&server);
    expect_left_at_once(member, &mut page);
}

#[test]
fn fallback_025_a_client_that_sends_more_behind_its_stream_does_not_stay_when_it_has_gone() {
    let server = TestServer::start();
    let (member, mut page) = member_and_page(&server);
    page.pipeline("xhr_streaming");
    expect_left_at_once(member, &mut page);
    server.expect_metric(
        "fanfare_http_connections_closed_total{listener=\"public\",reason=\"pipelined\"}",
        1.0,
    );
}

#[test]
fn the_body_of_a_request_that_receives_is_passed_over() {
    let server = TestServer::start();
    let session = Fallback::of(server.addr, APP);
    let mut http = session.ask("xhr", &" ".repeat(200_000));
    assert_eq!(http.answer().body, "o\n");
    assert_eq!(http.get("/up").head.status, 200, "the connection stays usable");
    let mut stream = Fallback::of(server.addr, APP).ask("xhr_streaming", &" ".repeat(200_000));
    assert_eq!(stream.head().status, 200);
    assert!(stream.chunk().starts_with(b"o\na["));
    assert!(stream.is_left_alone_for(Duration::from_millis(200)), "the stream goes on");
}

#[test]
fn fallback_025_a_newer_request_takes_over() {
    let server = TestServer::start();
    let mut session = Fallback::streaming(&server);
    session.subscribe("news");
    let (_, older) = session.stream();
    let mut older = older.expect("it is open");
    assert_eq!(older.chunk(), b"", "the older ends in order");
    server.api().publish("news", "e", "1");
    session.expect_event("news", "e", "1");
    // A poll takes over as well.
    let mut poll = session.ask("xhr", "");
    poll.head();
    assert_eq!(session.next_line(), None);
    server.api().publish("news", "e", "2");
    assert!(poll.chunk().starts_with(b"a["));
}

#[test]
fn ws_057_sessions_are_ended_by_a_drain_with_4200() {
    let server = Setup::new().config("[timeouts]\ndrain = 1").start();
    let mut streaming = Fallback::streaming(&server);
    let polling = Fallback::polling(&server);
    let mut waiting = polling.ask("xhr", "");
    waiting.head();
    server.process.signal(Signal::TERM);
    streaming.expect_close(4200, "Server shutting down");
    assert_eq!(waiting.chunk(), b"c[4200,\"Server shutting down\"]\n");
    server.drained();
}

#[test]
fn ws_062_a_session_that_does_not_authorize_itself_is_ended() {
    let server = Setup::with_app("authorized_connections = true").config("[timeouts]\nauthorize = 1").start();
    let mut quiet = Fallback::streaming(&server);
    let mut authorized = Fallback::streaming(&server);
    authorized.ask_signed(APP, "private-a", None);
    authorized.expect_succeeded("private-a");
    quiet.expect_close(4009, "Connection not authorized within timeout (setting timeouts.authorize)");
    authorized.send(PING);
    authorized.expect_text(PONG);
}

#[test]
fn ws_044_a_client_that_answers_no_heartbeat_is_gone() {
    let server = Setup::new().config("[timeouts]\nactivity = 1\npong = 1").start();
    let mut session = Fallback::streaming(&server);
    assert_eq!(session.line(), "h");
    let last = loop {
        let line = session.line();
        if line != "h" {
            break line;
        }
    };
    assert_eq!(last, "c[4201,\"Pong reply not received\"]");
}
