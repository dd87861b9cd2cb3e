//! Socket.IO over polling: handshakes, payloads, waiting polls, and requests that end their session.

use std::time::Duration;

use crate::overload::publish_until_a_slow_reader_is_closed;
use crate::support::application::{Application, Reply};
use crate::support::echo::{Echo, speaking, subscribe};
use crate::support::echo_polling::{Polling, payload};
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

const OPEN: &str = "fanfare_connections{app=\"3\"}";

const QUICK: &str = "[socketio]\nenabled = true\nping_interval = 1\nping_timeout = 1\n";

#[track_caller]
fn ended(server: &TestServer, session: &Polling) {
    server.expect_metric(OPEN, 0.0);
    // A moment after its last answer a session may still be known.
    crate::support::eventually("the session is unknown", || {
        let answer = server.public(&session.target());
        assert_eq!(answer.head.status, 400);
        (answer.body == r#"{"code":1,"message":"Session ID unknown"}"#).then_some(())
    });
}

/// The session, and the packets of the poll that waited while `act` ended it; a poll that came too late is tried again.
#[track_caller]
fn last_packets(server: &TestServer, version: u8, act: impl Fn(&mut Polling)) -> (Polling, Vec<String>) {
    for _ in 0..100 {
        let mut session = Polling::connect(server, version);
        session.begin_poll();
        act(&mut session);
        let answer = session.poll_answer();
        if answer.head.status == 200 {
            return (session, payload(version, &answer.body).into());
        }
        let is_late = ["Session ID unknown", "Bad request"].iter().any(|text| answer.body.contains(text));
        assert!(is_late, "{answer:?}");
    }
    panic!("a hundred polls came behind the request that was sent after them");
}

#[test]
fn sio_013_and_sio_016_both_versions_talk_over_polls() {
    let server = speaking("").start();
    for version in [3, 4] {
        let mut session = Polling::connect(&server, version);
        session.join("news");
        session.begin_poll();
        server.api().publish("news", "e", r#"{"text":"é😀"}"#);
        let answer = session.poll_answer();
        assert_eq!(answer.head.header("cache-control"), Some("no-store"));
        assert_eq!(payload(version, &answer.body), [r#"42["e","news",{"text":"é😀"}]"#]);
        if version == 3 {
            assert_eq!(answer.body, r#"29:42["e","news",{"text":"é😀"}]"#, "SIO-012");
        }
        // What comes between two polls is in the next one, in order.
        for number in 0..3 {
            server.api().publish("news", "e", &number.to_string());
        }
        session.begin_poll();
        let packets = payload(version, &session.poll_answer().body);
        assert_eq!(packets, [0, 1, 2].map(|number| format!(r#"42["e","news",{number}]"#)));
        server.expect_metric(OPEN, 1.0);
        session.post("1");
        ended(&server, &session);
    }
}

#[test]
fn sio_012_version_3_counts_what_it_sends_in_utf_16_units() {
    let application = Application::saying(200, "true");
    let server = speaking(&format!("client_events = true\n{}", application.settings())).start();
    let (mut one, mut other) = (Polling::connect(&server, 3), Polling::connect(&server, 4));
    one.post_all(&[&subscribe("private-a", "{}"), &subscribe("news", "{}")]);
    other.post(&subscribe("private-a", "{}"));
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 3.0);
    let whisper = r#"42["client event",{"channel":"private-a","event":"client-é😀","data":"😀"}]"#;
    one.post_all(&[whisper, "2", whisper]);
    one.expect("3");
    for _ in 0..2 {
        other.expect(r#"42["client-é😀","private-a","😀"]"#);
    }
}

#[test]
fn sio_016_an_answer_is_bounded_and_the_rest_comes_by_the_next_polls() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 3);
    session.join("news");
    let mut api = server.api();
    for number in 0..20 {
        api.publish("news", "e", &format!(r#""{number} {}""#, "é".repeat(4500)));
    }
    session.begin_poll();
    let answer = session.poll_answer().body;
    assert!(answer.len() < 100_000, "{} bytes in an answer", answer.len());
    let first = payload(3, &answer);
    for (number, packet) in first.iter().enumerate() {
        assert!(packet.starts_with(&format!(r#"42["e","news","{number} "#)));
    }
    for number in first.len()..20 {
        assert!(session.packet().starts_with(&format!(r#"42["e","news","{number} "#)));
    }
}

#[test]
fn sio_014_what_is_no_payload_ends_the_session() {
    let server = speaking("").start();
    let mut witness = Echo::connect(&server, 3);
    for (version, body) in [
        (3, &b"x"[..]),
        (3, b"2"),
        (3, b""),
        (3, b"5:2"),
        (3, b"99999999999999999999:2"),
        (3, b"-1:2"),
        (3, b"1:9"),
        (3, b"1:\xff"),
        (4, b""),
        (4, b"9"),
        (4, b"2\x1e"),
        (4, b"\xff"),
    ] {
        let (session, packets) = last_packets(&server, version, |session| {
            assert_eq!(session.post_raw(body).head.status, 400, "{body:?}");
        });
        assert_eq!(packets, ["1"], "{body:?}");
        server.expect_metric(OPEN, 1.0);
        assert_eq!(server.public(&session.target()).head.status, 400);
    }
    witness.settle();
}

#[test]
fn sio_015_a_binary_body_is_passed_over() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 3);
    let mut http = Http::connect(server.addr);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\n",
        session.target()
    );
    http.write(&[head.as_bytes(), &[1, 2, 255, 4]].concat());
    assert_eq!(http.answer().body, "ok");
    let mut other = Polling::connect(&server, 4);
    other.post_all(&["bAQID", r#"451-["client event",{"_placeholder":true,"num":0}]"#]);
    for session in [&mut session, &mut other] {
        session.join("news");
    }
}

#[test]
fn sio_017_requests_that_overlap_end_the_session() {
    let server = speaking("").start();
    for version in [3, 4] {
        let (session, packets) = last_packets(&server, version, |session| {
            // Whichever poll comes first waits.
            let mut other = Http::connect(server.addr);
            other.write(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", session.target()).as_bytes());
            let answer = other.answer();
            assert!(answer.head.status == 400 || payload(version, &answer.body) == ["1"], "{answer:?}");
        });
        assert_eq!(packets, ["1"]);
        ended(&server, &session);
        let mut session = Polling::connect(&server, version);
        session.begin_poll();
        session.begin_post(1);
        let head =
            format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n1:2", session.target());
        let mut overlapping = None;
        eventually("the second POST is refused", || {
            let mut http = Http::connect(server.addr);
            http.write(head.as_bytes());
            overlapping = Some(http.answer().head.status);
            (overlapping == Some(400)).then_some(())
        });
        server.expect_metric(OPEN, 0.0);
    }
}

#[test]
fn sio_018_a_page_that_is_closed_leaves_at_once() {
    let application = Application::start(|question| {
        Reply::Body(
            200,
            match question.header("authorization").as_deref() {
                Some("ann") => r#"{"channel_data":{"user_id":"ann"}}"#,
                _ => r#"{"channel_data":{"user_id":"bob"}}"#,
            },
        )
    });
    let server = speaking(&application.settings()).start();
    let mut stays = Echo::connect(&server, 3);
    stays.subscribe_with("presence-a", r#"{"Authorization":"ann"}"#);
    stays.expect_event("presence:subscribed", "presence-a", r#"[{"user_id":"ann","user_info":{}}]"#);
    let mut goes = Polling::connect(&server, 4);
    goes.post(&subscribe("presence-a", "{}"));
    assert!(goes.packet().starts_with(r#"42["presence:subscribed""#));
    stays.expect_event("presence:joining", "presence-a", r#"{"user_id":"bob","user_info":{}}"#);
    goes.begin_poll();
    goes.expect_poll_waits();
    goes.post("3");
    goes.drop_poll();
    stays.expect_event("presence:leaving", "presence-a", r#"{"user_id":"bob","user_info":{}}"#);
}

#[test]
fn sio_019_a_body_and_each_packet_have_their_bounds() {
    let limits = "[limits]\nrequest_bytes = 30000\nmessage_bytes = 12000\n";
    let server =
        speaking("limits.event_bytes = 1000\nlimits.client_event_bytes = 1000\n").config(limits).start();
    let long = format!(r#"42["x","{}"]"#, "x".repeat(20_000));
    let many = vec!["2"; 1001];
    for packets in [vec![&*long], vec!["6"; 20_000], many] {
        let body = crate::support::echo_polling::body_of(4, &packets);
        let (session, told) = last_packets(&server, 4, |session| {
            assert_eq!(session.post_raw(body.as_bytes()).head.status, 413, "{} bytes", body.len());
        });
        assert_eq!(told, ["1"]);
        ended(&server, &session);
    }
    let mut session = Polling::connect(&server, 3);
    let fifty: Vec<String> = (0..50).map(|number| subscribe(&format!("channel-{number}"), "{}")).collect();
    session.post_all(&fifty.iter().map(String::as_str).collect::<Vec<_>>());
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 50.0);
}

#[test]
fn sio_019_packets_that_come_faster_than_they_are_handled_end_the_session() {
    let server = speaking("").config("[limits]\nrequest_bytes = 60000\noutbox_bytes = 50000000\n").start();
    let body = crate::support::echo_polling::body_of(3, &["2"; 1000]);
    crate::support::eventually("one is refused", || {
        let mut session = Polling::connect(&server, 3);
        // What waits for a client that does not poll slows the handling down.
        session.post_raw(body.as_bytes());
        for _ in 0..20 {
            session.begin_post(body.len());
            session.posts.write(body.as_bytes());
        }
        let statuses: Vec<u16> = (0..20).map(|_| session.posts.answer().head.status).collect();
        statuses.contains(&413).then(|| ended(&server, &session))
    });
    server.expect_metric("fanfare_closes_total{code=\"4100\",reason=\"inbox_full\"}", 1.0);
}

#[test]
fn sio_018_a_slow_client_gets_its_answer_whole_though_the_session_ends() {
    let server = speaking("limits.event_bytes = 300000\n")
        .config("[limits]\nrequest_bytes = 4000000\noutbox_bytes = 2000000\n")
        .start();
    let mut session = Polling::connect(&server, 3);
    session.join("news");
    let mut unread = Http::connect_narrow(server.addr);
    let target = session.target();
    unread.write(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    unread.head();
    let mut api = server.api();
    let slow = crate::overload::SLOW_READERS;
    while server.metric(slow) < 0.5 {
        api.publish("news", "e", &format!(r#""{}""#, "x".repeat(300_000 - 2)));
    }
    ended(&server, &session);
    let chunks = std::iter::from_fn(|| Some(unread.chunk()).filter(|chunk| !chunk.is_empty()));
    let body = String::from_utf8(chunks.flatten().collect()).expect("text");
    assert!(payload(3, &body)[0].starts_with(r#"42["e","news","x"#));
}

#[test]
fn sio_030_and_sio_031_silent_sessions_end() {
    let server = Setup::bare().config(QUICK).app(APP, "").start();
    let mut three = Polling::connect(&server, 3);
    for _ in 0..3 {
        three.post("2");
        three.expect("3");
    }
    three.begin_poll();
    assert_eq!(payload(3, &three.poll_answer().body), ["1"]);
    let mut four = Polling::connect(&server, 4);
    for _ in 0..3 {
        four.expect("2");
        four.post("3");
    }
    four.expect("2");
    loop {
        match &*four.packet() {
            "2" => {}
            "1" => break,
            other => panic!("{other}"),
        }
    }
    server.expect_metric(OPEN, 0.0);
}

#[test]
fn sio_033_a_client_ends_its_session_and_its_poll() {
    let server = speaking("").start();
    for packet in ["1", "41"] {
        let (session, told) = last_packets(&server, 3, |session| session.post(packet));
        assert_eq!(told, ["6"]);
        ended(&server, &session);
    }
}

#[test]
fn sio_034_whoever_polls_is_told_not_to_come_back_by_this_poll_or_the_next() {
    let server = Setup::bare().config("[socketio]\nenabled = true\napp = \"3\"\n").start();
    assert_eq!(server.create_app(&[], &[]).status, 0);
    server.expect_app_known();
    let (mut waits, mut away) = (Polling::connect(&server, 3), Polling::connect(&server, 4));
    waits.begin_poll();
    server.commanded(&["app", "update", "3", "--set", "enabled=false"]);
    assert_eq!(payload(3, &waits.poll_answer().body), ["41"]);
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 0.0);
    // A client whose POST fails would come back.
    away.post("3");
    away.expect("41");
    assert_eq!(server.public(&away.target()).head.status, 400);
}

#[test]
fn sio_034_a_client_amid_a_long_answer_is_told_not_to_come_back_by_its_next_poll() {
    let server = Setup::bare()
        .config("[socketio]\nenabled = true\napp = \"3\"\n[limits]\nrequest_bytes = 9000000\noutbox_bytes = 20000000\n")
        .start();
    assert_eq!(server.create_app(&["limits.event_bytes=8000000"], &[]).status, 0);
    server.expect_app_known();
    let mut session = Polling::connect(&server, 4);
    session.join("news");
    let mut slow = Http::connect(server.addr);
    slow.write(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", session.target()).as_bytes());
    slow.head();
    server.api().publish("news", "e", &format!(r#""{}""#, "x".repeat(7_000_000)));
    slow.chunk();
    server.commanded(&["app", "update", "3", "--set", "enabled=false"]);
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 0.0);
    while !slow.chunk().is_empty() {}
    session.expect("41");
}

#[test]
fn sio_034_a_drain_sends_polling_clients_elsewhere() {
    let server = speaking("").start();
    let mut sessions: Vec<Polling> = (0..10).map(|_| Polling::connect(&server, 4)).collect();
    for session in &mut sessions {
        session.begin_poll();
    }
    let told = std::thread::spawn(move || {
        let answers = sessions.iter_mut().map(Polling::poll_answer);
        // A poll that came behind the end of its session is refused: its client comes again as well.
        answers.filter(|answer| answer.head.status == 200).map(|answer| answer.body).collect::<Vec<_>>()
    });
    server.stop();
    let told = told.join().expect("answers");
    assert!(!told.is_empty() && told.iter().all(|body| body == "1"), "{told:?}");
}

#[test]
fn a_client_that_does_not_poll_is_a_slow_reader_in_the_end() {
    let server = speaking("").config("[limits]\noutbox_bytes = 262144\n").start();
    let (mut slow, mut good) = (Polling::connect(&server, 3), server.connect());
    slow.join("busy");
    good.subscribe("busy");
    publish_until_a_slow_reader_is_closed(&server, &mut good);
    assert_eq!(server.public(&slow.target()).head.status, 400);
}

#[test]
fn sio_036_a_session_counts_from_its_handshake_and_ends_if_nobody_polls() {
    let server = speaking("max_connections = 1").start();
    let _session = Polling::opened(&server, 4);
    server.expect_metric(OPEN, 1.0);
    let refused = server.public("/socket.io/?EIO=3&transport=polling").body;
    assert!(refused.contains(r#"44"Account over quota"#), "{refused}");
    crate::support::eventually_within(Duration::from_secs(20), "the session has ended", || {
        (server.metric(OPEN) < 0.5).then_some(())
    });
    server.expect_metric("fanfare_closes_total{code=\"4201\",reason=\"never_begun\"}", 1.0);
}

#[test]
fn sio_092_an_unknown_sid_is_refused_and_disturbs_nobody() {
    let server = speaking("").start();
    let mut session = Polling::connect(&server, 3);
    session.begin_poll();
    for sid in ["1.2", "0.0", "x", "%00", "refused-", &"f".repeat(32)] {
        for method in ["GET", "POST", "PUT"] {
            let mut http = Http::connect(server.addr);
            let target = format!("/socket.io/?EIO=3&transport=polling&sid={sid}");
            http.write(
                format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
                    .as_bytes(),
            );
            let answer = http.answer();
            match (sid, method) {
                // Of a client that was refused at its handshake, for a reason that it names (SIO-035).
                ("refused-", "POST") => assert_eq!((answer.head.status, &*answer.body), (200, "ok")),
                ("refused-", _) => assert_eq!((answer.head.status, &*answer.body), (200, "4:44\"\"2:41")),
                _ => assert_eq!(answer.head.status, 400, "{method} {sid}"),
            }
        }
    }
    session.post("2");
    assert_eq!(payload(3, &session.poll_answer().body), ["3"]);
}

#[test]
fn sio_106_polls_do_not_take_the_places_of_back_ends() {
    let server = speaking("").config("[limits]\nhttp_connections = 8\n").start();
    let mut sessions: Vec<Polling> = (0..20)
        .map(|_| {
            let mut session = Polling::connect(&server, 3);
            session.join("news");
            session.begin_poll();
            session
        })
        .collect();
    server.expect_metric(OPEN, 20.0);
    server.api().publish("news", "e", "1");
    for session in &mut sessions {
        assert_eq!(payload(3, &session.poll_answer().body), [r#"42["e","news",1]"#]);
    }
}
