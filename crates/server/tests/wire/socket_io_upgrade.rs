//! Socket.IO: the change from polling to a WebSocket, with and without what waits.

use std::time::{Duration, Instant};

use crate::support::application::Application;
use crate::support::echo::{Echo, speaking, subscribe};
use crate::support::echo_polling::{Polling, body_of, payload};
use crate::support::http::Http;
use crate::support::socket::{FIN, Frame, TEXT, masked};
use crate::support::upgrade::Upgrade;

const OPEN: &str = "fanfare_connections{app=\"3\"}";

#[test]
fn sio_020_and_sio_023_a_session_changes_to_a_websocket() {
    let server = speaking("").start();
    for version in [3, 4] {
        let mut session = Polling::connect(&server, version);
        session.join("news");
        let (poll, websocket) = (session.target(), session.websocket_target());
        let mut echo = session.upgraded();
        echo.settle();
        server.api().publish("news", "e", "1");
        echo.expect_event("e", "news", "1");
        let answer = server.public(&poll);
        assert_eq!((answer.head.status, &*answer.body), (400, r#"{"code":3,"message":"Bad request"}"#));
        let mut http = Http::connect(server.addr);
        http.write(&Upgrade::to(&websocket).bytes());
        assert_eq!(http.answer().head.status, 400, "a second upgrade");
        server.expect_metric(OPEN, 1.0);
        echo.socket.close();
        server.expect_metric(OPEN, 0.0);
        assert_eq!(server.public(&poll).body, r#"{"code":1,"message":"Session ID unknown"}"#);
    }
}

#[test]
fn sio_106_metrics_tell_the_dialect_and_the_transport() {
    let server = speaking("").start();
    let opened = |dialect: &str, transport: &str| {
        format!(r#"fanfare_connections_opened_total{{dialect="{dialect}",transport="{transport}"}}"#)
    };
    let (socket, echo) = (server.connect(), Echo::connect(&server, 3));
    let polling = Polling::connect(&server, 4);
    server.expect_metric(OPEN, 3.0);
    let upgraded = polling.upgraded();
    let expect_opened = || {
        for (dialect, transport) in
            [("pusher", "websocket"), ("socket_io", "websocket"), ("socket_io", "polling")]
        {
            server.expect_metric(&opened(dialect, transport), 1.0);
        }
    };
    expect_opened();
    // The session is one connection, before the change and after, and its WebSocket is no HTTP connection.
    server.expect_metric(OPEN, 3.0);
    server.expect_metric("fanfare_http_connections{listener=\"public\"}", 0.0);
    server.expect_metric("fanfare_fallback_sessions", 0.0);
    let id = upgraded.id.clone();
    for socket in [socket, echo.socket, upgraded.socket] {
        socket.close();
    }
    server.expect_metric(OPEN, 0.0);
    server.expect_metric("fanfare_http_connections{listener=\"public\"}", 0.0);
    expect_opened();
    let end = server.process.log_line("the session's end", |line| {
        (line.contains("connection closed") && line.contains(&id)).then(|| line.to_owned())
    });
    assert!(end.contains("transport=\"socket_io_websocket\""), "the log has the last transport: {end}");
}

#[test]
fn sio_020_polls_beside_a_websocket_that_hangs_are_ended_as_often_as_by_engine_io() {
    const POLLS: u32 = 5;
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 4);
    let mut socket = session.probed();
    let since = Instant::now();
    for _ in 0..POLLS {
        session.begin_poll();
        assert_eq!(session.poll_answer().body, "6");
    }
    assert!(since.elapsed() >= Duration::from_millis(90) * POLLS, "{:?}", since.elapsed());
    socket.send("5");
    Echo { socket, id: session.id.clone() }.settle();
}

#[test]
fn sio_021_nothing_is_lost_or_doubled_at_the_change() {
    let server = speaking("").start();
    for version in [3, 4] {
        let mut session = Polling::connect(&server, version);
        session.join("news");
        let mut api = server.api();
        session.begin_poll();
        let mut socket = session.candidate();
        api.publish("news", "e", "0");
        assert_eq!(payload(version, &session.poll_answer().body), [r#"42["e","news",0]"#]);
        session.begin_poll();
        session.probe(&mut socket);
        // A poll that comes late is ended at once, or gets what waits.
        api.publish("news", "e", "1");
        session.begin_poll();
        let late = payload(version, &session.poll_answer().body);
        assert_eq!(late, [r#"42["e","news",1]"#]);
        session.begin_poll();
        assert_eq!(payload(version, &session.poll_answer().body), ["6"]);
        for number in 2..200 {
            api.publish("news", "e", &number.to_string());
        }
        // What follows the `5` in the same segment is heard.
        let after =
            [masked(FIN | TEXT, b"5"), masked(FIN | TEXT, subscribe("late", "{}").as_bytes())].concat();
        socket.raw(&after);
        let mut echo = Echo { socket, id: session.id.clone() };
        for number in 2..200 {
            echo.expect_event("e", "news", &number.to_string());
        }
        echo.settle();
        api.publish("late", "e", "x");
        echo.expect_event("e", "late", r#""x""#);
        echo.settle();
    }
}

#[test]
fn sio_021_what_posts_have_brought_is_handled_before_what_the_websocket_brings() {
    const MANY: usize = 900;
    let server = speaking("").start();
    for version in [3, 4] {
        let mut session = Polling::connect(&server, version);
        let mut socket = session.probed();
        let packets: Vec<_> = (0..MANY).map(|number| subscribe(&format!("a{number}"), "{}")).collect();
        session.post_all(&packets.iter().map(String::as_str).collect::<Vec<_>>());
        // Its body ends behind the change.
        let late = body_of(version, &[&subscribe("late", "{}")]);
        session.begin_post(late.len());
        session.posts.write(&late.as_bytes()[..5]);
        let left = r#"42["unsubscribe",{"channel":"a899"}]"#;
        socket.raw(&[masked(FIN | TEXT, b"5"), masked(FIN | TEXT, left.as_bytes())].concat());
        let mut echo = Echo { socket, id: session.id.clone() };
        echo.settle();
        server.expect_metric("fanfare_subscriptions{app=\"3\"}", 899.0);
        session.posts.write(&late.as_bytes()[5..]);
        let refused = session.posts.answer();
        assert_eq!((refused.head.status, &*refused.body), (400, r#"{"code":3,"message":"Bad request"}"#));
        echo.socket.close();
        server.expect_metric("fanfare_subscriptions{app=\"3\"}", 0.0);
    }
}

#[test]
fn sio_022_a_probe_that_fails_leaves_the_session_on_polling() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 3);
    session.join("news");
    for words in [vec![], vec!["2"], vec!["5"], vec!["x"], vec!["2probe", "2probe"], vec!["2probe", "42[]"]] {
        let mut socket = session.candidate();
        for word in &words {
            socket.send(word);
        }
        if words.is_empty() {
            drop(socket);
        } else {
            while !matches!(socket.frame(), Frame::End | Frame::Cut) {}
        }
        session.post("2");
        loop {
            match &*session.packet() {
                "6" => {}
                pong => break assert_eq!(pong, "3"),
            }
        }
    }
    server.api().publish("news", "e", "1");
    session.expect(r#"42["e","news",1]"#);
    session.upgraded().settle();
}

#[test]
fn sio_022_packets_that_come_along_with_a_websocket_are_handled_at_once() {
    let application = Application::saying(200, "true");
    let server = speaking(&application.settings()).start();
    // Work for many turns, behind which both wait.
    let many: Vec<_> = (0..900).map(|number| subscribe(&format!("a{number}"), "{}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let mut silent = Vec::new();
    for asked in 1..=10 {
        let mut session = Polling::connect(&server, 4);
        session.begin_poll();
        session.post_all(&many);
        // A WebSocket behind a proxy that swallows its messages.
        let socket = session.candidate();
        session.post(&subscribe("private-a", "{}"));
        application.expect_questions(asked);
        silent.push((session, socket));
    }
}

#[test]
fn sio_023_a_poll_that_comes_along_with_the_change_is_answered() {
    let server = speaking("").start();
    for _ in 0..200 {
        let mut session = Polling::connect(&server, 4);
        let mut socket = session.probed();
        session.begin_poll();
        socket.send("5");
        let answer = session.poll_answer();
        assert!(answer.head.status == 400 || answer.body == "6", "{answer:?}");
        socket.send("2");
        socket.expect_text("3");
    }
}

#[test]
fn sio_023_one_websocket_is_tried_at_a_time() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 3);
    session.begin_poll();
    let mut socket = session.candidate();
    let mut http = Http::connect(server.addr);
    http.write(&Upgrade::to(&session.websocket_target()).bytes());
    assert_eq!(http.answer().head.status, 400);
    session.probe(&mut socket);
    socket.send("5");
    socket.send("2");
    socket.expect_text("3");
}

#[test]
fn sio_033_a_session_that_ends_meanwhile_takes_its_websocket_along() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 3);
    let mut socket = session.candidate();
    socket.send("2probe");
    socket.expect_text("3probe");
    session.post("1");
    while !matches!(socket.frame(), Frame::End | Frame::Cut) {}
    server.expect_metric(OPEN, 0.0);
}

#[test]
fn sio_034_an_upgraded_session_hears_of_a_drain_by_its_websocket() {
    let server = speaking("").start();
    let mut echo = Polling::connect(&server, 4).upgraded();
    let witness = std::thread::spawn(move || echo.expect_closed(true));
    server.stop();
    witness.join().expect("closed without 41");
}

#[test]
fn sio_034_a_client_amid_the_change_hears_of_the_end_by_the_websocket_that_it_changes_to() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 4);
    let socket = session.probed();
    // From here on the client polls no more, and the server has not read yet that the client has changed.
    let mut echo = Echo { socket, id: session.id.clone() };
    let witness = std::thread::spawn(move || echo.expect_closed(true));
    server.stop();
    witness.join().expect("closed without a close frame");
}
