//! The bounds of the HTTP fallback, each filled (FALLBACK-027).

use std::time::Duration;

use crate::support::fallback::Fallback;
use crate::support::http::Http;
use crate::support::setup::Setup;
use crate::support::{APP, PONG, eventually, quoted};

const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;

#[test]
fn fallback_027_a_request_that_is_too_long_ends_the_session() {
    let server = Setup::new().config("[limits]\nrequest_bytes = 40000\nmessage_bytes = 20000").start();
    let mut session = Fallback::streaming(&server);
    let answer = session.post(&format!("[{}]", quoted(&"x".repeat(50_000))));
    answer.refused(413, "limits.request_bytes");
    assert_eq!(answer.head.header("access-control-allow-origin"), Some("*"));
    session.expect_close(1009, "The request is longer than allowed (setting limits.request_bytes)");
    let mut session = Fallback::streaming(&server);
    session.post(&format!("[{}]", quoted(&"x".repeat(20_001)))).refused(413, "20000");
    session.expect_close(1009, "The message is longer than allowed (setting limits.message_bytes)");
    let mut session = Fallback::streaming(&server);
    session.post(&format!("[{}]", vec!["\"\""; 1001].join(","))).refused(413, "1000");
    session.expect_close(1009, "The request is longer than allowed (setting limits.request_bytes)");
}

#[test]
fn fallback_012_a_request_that_sends_to_an_unknown_session_leaves_its_connection_usable() {
    let server = Setup::new().config("[socketio]\nenabled = true").start();
    let mut http = Http::connect(server.addr);
    for (target, status) in [
        (format!("/pusher/app/{}/1/abcdefgh/xhr_send", APP.key), 404),
        ("/socket.io/?EIO=3&transport=polling&sid=1.1".to_owned(), 400),
        (format!("/pusher/app/{}/1/abcdefgh/xhr_send", APP.key), 404),
    ] {
        http.write(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n").as_bytes());
        http.write(&vec![b' '; 200_000]);
        assert_eq!(http.answer().head.status, status, "{target}");
    }
}

#[test]
fn fallback_027_one_address_cannot_take_all_seats_by_sessions_that_wait_for_nothing() {
    let server = Setup::new()
        .config("[listen]\ntrusted_proxies = []\n[limits]\nconnections = 100\n[socketio]\nenabled = true")
        .start();
    let mut sessions: Vec<_> = (0..64).map(|_| Fallback::of(server.addr, APP)).collect();
    for session in &mut sessions {
        assert_eq!(session.poll(), "o\n");
    }
    let refused = Fallback::of(server.addr, APP).poll();
    let told = "Too many sessions of this address have no request that waits (see listen.trusted_proxies)";
    assert_eq!(refused, format!("o\nc[4100,\"{told}\"]\n"));
    assert_eq!(server.public("/socket.io/?EIO=4&transport=polling").head.status, 403);
    server.expect_metric("fanfare_closes_total{code=\"4100\",reason=\"too_many_away\"}", 2.0);
    server.connect().subscribe("news");
    // Polls that are away keep no stream out, whose request receives from the first moment.
    Fallback::streaming(&server).subscribe("news");
    // A session in which a poll waits does not count.
    let mut session = sessions.pop().expect("there are many");
    session.poll();
    session.ask("xhr", "").head();
    eventually("another may begin", || (Fallback::of(server.addr, APP).poll() == "o\n").then_some(()));
}

#[test]
fn fallback_027_large_bodies_that_do_not_arrive_take_their_room_from_their_own_address_alone() {
    const LARGE: usize = 1 << 20;
    let body = |bytes: usize| [b"[".as_slice(), &vec![b' '; bytes - 2], b"]"].concat();
    let limits = format!("[limits]\nrequest_bytes = {LARGE}\nhttp_connections_per_address = 1000");
    let server = Setup::new().config(&format!("{limits}\n[timeouts]\nhandshake = 60")).start();
    let session = Fallback::streaming(&server);
    let stranger = Fallback::at(server.addr, &session.path).with("X-Forwarded-For: 198.51.100.1\r\n");
    let send = |session: &Fallback, bytes: usize| {
        let mut http = session.announce("xhr_send", bytes);
        assert_eq!(http.head().status, 100);
        http.write(&body(bytes));
        http
    };
    // What is announced, and has not come, takes no room.
    let mut held: Vec<_> = (0..8).map(|_| stranger.announce("xhr_send", LARGE)).collect();
    assert_eq!(send(&stranger, 100_000).answer().head.status, 204);
    // All the room of an address, 4 MiB.
    for http in &mut held {
        assert_eq!(http.head().status, 100);
        http.write(&body(20_000));
    }
    let mut waiting = eventually("there is no room", || {
        let mut http = send(&stranger, 30_000);
        http.is_left_alone_for(Duration::from_millis(500)).then_some(http)
    });
    // A small body needs none, and other addresses have theirs.
    assert_eq!(send(&stranger, 1000).answer().head.status, 204);
    assert_eq!(send(&session, LARGE).answer().head.status, 204);
    drop(held);
    assert_eq!(waiting.answer().head.status, 204);
}

#[test]
fn fallback_027_a_client_that_does_not_read_is_closed_as_a_slow_consumer() {
    let server = Setup::new().config("[limits]\noutbox_bytes = 262144").start();
    let session = Fallback::of(server.addr, APP);
    let mut unread = Http::connect_narrow(server.addr);
    let path = &session.path;
    unread.write(
        format!("POST {path}/xhr_streaming?protocol=7 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            .as_bytes(),
    );
    unread.head();
    session.send(r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#);
    let mut api = server.api();
    let data = "x".repeat(9_000);
    let slow = "fanfare_closes_total{code=\"4100\",reason=\"slow_reader\"}";
    let mut published = 0;
    while server.metric(slow) < 0.5 {
        assert!(published < 5_000, "the outbox has no bound");
        for _ in 0..20 {
            api.publish("news", "e", &data);
            published += 1;
        }
    }
    eventually("its session is gone", || (session.post("[]").head.status == 404).then_some(()));
    // Whoever reads at last gets whole lines, and why.
    let chunks = std::iter::from_fn(|| Some(unread.chunk()).filter(|chunk| !chunk.is_empty()));
    let text = String::from_utf8(chunks.flatten().collect()).expect("text");
    let mut lines: Vec<&str> = text.lines().collect();
    let told = quoted("Messages are not read fast enough (setting limits.outbox_bytes)");
    assert_eq!(lines.pop(), Some(&*format!("c[4100,{told}]")));
    for list in lines.iter().filter_map(|line| line.strip_prefix('a')) {
        serde_json::from_str::<Vec<String>>(list).expect("FALLBACK-014: an array of strings");
    }
    // Nobody else is affected.
    let mut other = Fallback::streaming(&server);
    other.send(PING);
    other.expect_text(PONG);
}

#[test]
fn fallback_027_the_answer_of_a_poll_that_is_not_read_is_given_up() {
    let server = Setup::new()
        .config(
            "[limits]\nevent_bytes = 600000\nrequest_bytes = 4000000\noutbox_bytes = 5000000\n\
             [timeouts]\nhttp_write = 1",
        )
        .start();
    let mut session = Fallback::polling(&server);
    session.subscribe("news");
    let mut unread = Http::connect_narrow(server.addr);
    let path = &session.path;
    unread.write(
        format!("POST {path}/xhr?protocol=7 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").as_bytes(),
    );
    unread.head();
    server.api().publish("news", "e", &"x".repeat(600_000));
    server.expect_metric("fanfare_http_connections_closed_total{listener=\"public\",reason=\"unread\"}", 1.0);
    eventually("its session is gone", || (session.post("[]").head.status == 404).then_some(()));
    server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
}

#[test]
fn fallback_027_messages_that_come_faster_than_they_are_handled_end_the_session() {
    let server = Setup::new().config("[limits]\nrequest_bytes = 60000\noutbox_bytes = 50000000").start();
    // Each request fills the inbox.
    let body = format!("[{}]", vec![quoted(PING); 500].join(","));
    eventually("one is refused", || {
        let session = Fallback::of(server.addr, APP);
        // What waits for a client that does not read slows the handling down.
        let mut unread = session.ask("xhr_streaming", "");
        unread.head();
        let mut http = session.ask("xhr_send", &body);
        for _ in 0..20 {
            http.write(&session.request("xhr_send", &body));
        }
        let statuses: Vec<u16> = (0..21).map(|_| http.answer().head.status).collect();
        let refused = statuses.iter().position(|&status| status == 503)?;
        assert!(statuses[..refused].iter().all(|&status| status == 204), "{statuses:?}");
        assert!(statuses[refused..].iter().all(|status| [503, 404].contains(status)), "{statuses:?}");
        Some(())
    });
    eventually("the session has ended", || {
        let name = "fanfare_closes_total{code=\"4100\",reason=\"inbox_full\"}";
        (server.metric(name) > 0.5).then_some(())
    });
}

#[test]
fn fallback_027_a_session_that_never_polls_after_o_gives_its_seat_back() {
    let server = Setup::new().config("[limits]\nconnections = 1").start();
    let mut session = Fallback::of(server.addr, APP);
    assert_eq!(session.poll(), "o\n");
    crate::support::eventually_within(std::time::Duration::from_secs(25), "the seat is free", || {
        let mut other = Fallback::of(server.addr, APP);
        (other.poll() == "o\n").then_some(())
    });
}

#[test]
fn fallback_027_waiting_requests_do_not_count_as_http_connections() {
    // As many descriptors as leave room for few HTTP connections beside the seats.
    let server = Setup::new()
        .config("[limits]\nconnections = 200\nhttp_connections = 20\nhttp_connections_per_address = 20")
        .start();
    let mut sessions: Vec<Fallback> = (0..60).map(|_| Fallback::streaming(&server)).collect();
    let polls: Vec<_> = (0..60)
        .map(|_| {
            let session = Fallback::polling(&server);
            let mut poll = session.ask("xhr", "");
            poll.head();
            (session, poll)
        })
        .collect();
    server.api().get("/channels", &[]).expect(r#"{"channels":{}}"#);
    for session in &mut sessions {
        session.send(PING);
        session.expect_text(PONG);
    }
    for (session, mut poll) in polls {
        session.send(PING);
        assert_eq!(poll.chunk(), format!("a[{}]\n", quoted(PONG)).into_bytes());
    }
}
