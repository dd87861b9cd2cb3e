//! Socket.IO: pings, silence, closes, refusals at the handshake, and clients that misbehave.

use std::time::Duration;

use crate::overload::publish_until_a_slow_reader_is_closed;
use crate::support::application::Application;
use crate::support::echo::{Echo, opened, speaking, target};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{BINARY, FIN, Frame, masked};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, eventually};

const QUICK: &str = "[socketio]\nenabled = true\nping_interval = 1\nping_timeout = 1\n";

#[test]
fn sio_030_version_3_pings_and_is_closed_when_silent() {
    let server = Setup::bare().config(QUICK).app(APP, "").start();
    let mut echo = Echo::connect(&server, 3);
    for _ in 0..3 {
        assert!(echo.is_left_alone_for(Duration::from_millis(900)));
        echo.send("2");
        echo.expect("3");
    }
    echo.expect_closed(true);
    server.expect_metric("fanfare_closes_total{code=\"4201\",reason=\"pong_missing\"}", 1.0);
}

#[test]
fn sio_031_and_sio_032_version_4_is_pinged_and_closed_when_it_does_not_answer() {
    let server = Setup::bare().config(QUICK).app(APP, "").start();
    let open = opened(&server.open(&target("/socket.io/", 4)).text());
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&1000.into(), &1000.into()));
    let mut echo = Echo::connect(&server, 4);
    for _ in 0..3 {
        echo.expect("2");
        echo.send("3");
    }
    echo.expect("2");
    loop {
        match echo.socket.frame() {
            Frame::Text(ping) => assert_eq!(ping, "2"),
            Frame::Close(..) => break,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn sio_033_a_client_ends_its_session_by_a_packet() {
    let server = speaking("").start();
    for packet in ["1", "41"] {
        let mut echo = Echo::connect(&server, 3);
        echo.send(packet);
        echo.expect_closed(true);
        server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    }
}

#[test]
fn sio_034_who_may_not_come_back_is_told() {
    let server = Setup::bare().config("[socketio]\nenabled = true\napp = \"3\"\n").start();
    let made = server.create_app(&[], &[]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    server.expect_app_known();
    for version in [3, 4] {
        let mut echo = Echo::connect(&server, version);
        echo.join("news");
        server.commanded(&["app", "update", "3", "--set", "enabled=false"]);
        echo.expect_closed(false);
        server.commanded(&["app", "update", "3", "--set", "enabled=true"]);
        eventually("the app is enabled", || {
            (server.api().get("/channels", &[]).head.status == 200).then_some(())
        });
    }
}

#[test]
fn sio_034_a_client_comes_back_after_a_drain() {
    let server = speaking("").start();
    let mut echo = Echo::connect(&server, 4);
    let witness = std::thread::spawn(move || {
        echo.expect_closed(true);
    });
    server.stop();
    witness.join().expect("no 41 was sent");
}

#[test]
fn sio_034_a_slow_reader_is_closed_and_may_come_back() {
    let server = speaking("").config("[limits]\noutbox_bytes = 262144\n").start();
    let (mut slow, mut good) = (Echo::connect(&server, 3), server.connect());
    slow.join("busy");
    good.subscribe("busy");
    publish_until_a_slow_reader_is_closed(&server, &mut good);
    loop {
        match slow.socket.frame() {
            Frame::Text(text) => assert!(text.starts_with(r#"42["e","busy","#), "no 41: {text:.40}"),
            // The server does not wait long for who does not read.
            Frame::Close(..) | Frame::End | Frame::Cut => break,
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn refusal(server: &TestServer, path: &str, headers: &[(&str, &str)], version: u8) -> String {
    let upgrade = Upgrade::to(&target(path, version));
    let upgrade = headers.iter().fold(upgrade, |upgrade, (name, value)| upgrade.header(name, value));
    let (_, mut socket) = upgrade.open(server.addr);
    opened(&socket.text());
    let refused = socket.text();
    socket.expect_text("41");
    assert!(matches!(socket.frame(), Frame::Close(..)));
    refused.strip_prefix("44").unwrap_or_else(|| panic!("SIO-035: {refused}")).to_owned()
}

#[test]
fn sio_035_and_sio_071_who_is_refused_for_good_reads_why() {
    let server = speaking("allowed_origins = [\"shop.test\"]").start();
    let unknown = refusal(&server, "/app/nobody/socket.io/", &[], 3);
    assert!(unknown.starts_with("\"App key nobody not in this cluster"), "{unknown}");
    let unknown = refusal(&server, "/app/nobody/socket.io/", &[], 4);
    assert!(unknown.starts_with("{\"message\":\"App key nobody not in this cluster"), "{unknown}");
    let origin = refusal(&server, "/socket.io/", &[("Origin", "https://evil.test")], 3);
    assert!(origin.starts_with("\"Origin not allowed: https://evil.test"), "SIO-071: {origin}");
    Echo::with_headers(&server, &[("Origin", "https://shop.test")]).settle();
    let disabled = Setup::bare().config(crate::support::echo::ON).app(APP, "enabled = false").start();
    assert!(refusal(&disabled, "/socket.io/", &[], 3).contains("disabled"));
    let over_quota = speaking("max_connections = 1").start();
    let mut first = Echo::connect(&over_quota, 3);
    assert!(refusal(&over_quota, "/socket.io/", &[], 4).contains("Account over quota"));
    first.settle();
}

#[test]
fn sio_035_refused_polls_hold_nothing_and_read_why() {
    let server = speaking("").start();
    let at = |query: &str| server.public(&format!("/app/nobody/socket.io/?transport=polling&{query}")).body;
    let told = at("EIO=3");
    assert!(told.contains(r#"44"App key nobody not"#) && told.ends_with("2:41"), "{told}");
    let open = at("EIO=4");
    let sid = opened(&open)["sid"].as_str().expect("a sid").replace('%', "%25");
    let told = at(&format!("EIO=4&sid={sid}"));
    assert!(told.starts_with(r#"44{"message":"App key nobody not"#), "{told}");
    assert!(told.ends_with("\u{1e}41"), "{told}");
}

#[test]
fn sio_035_a_full_server_is_a_status_upon_which_clients_come_again() {
    let server = speaking("").config("[limits]\nconnections = 1\n").start();
    let mut echo = Echo::connect(&server, 3);
    let mut http = crate::support::http::Http::connect(server.addr);
    http.write(&Upgrade::to(&target("/socket.io/", 3)).bytes());
    let answer = http.answer();
    assert_eq!((answer.head.status, &*answer.body), (403, r#"{"code":4,"message":"Forbidden"}"#));
    let answer = server.public("/socket.io/?EIO=4&transport=polling");
    assert_eq!((answer.head.status, &*answer.body), (403, r#"{"code":4,"message":"Forbidden"}"#));
    echo.settle();
}

#[test]
fn sio_062_a_handshake_with_huge_headers_is_refused() {
    let server = speaking("").start();
    let mut http = crate::support::http::Http::connect(server.addr);
    let upgrade = Upgrade::to(&target("/socket.io/", 3)).header("Cookie", &"x".repeat(8 * 1024 + 1));
    http.write(&upgrade.bytes());
    assert_eq!(http.answer().head.status, 431);
    server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
}

/// Messages that ask for nothing.
const SURVIVED: [&str; 34] = [
    "42[\"subscribe\"]",
    "42[\"subscribe\",null]",
    "42[\"subscribe\",{}]",
    "42[\"subscribe\",{\"channel\":null}]",
    "42[\"subscribe\",{\"channel\":{\"a\":1}}]",
    "42[\"subscribe\",{\"channel\":[\"news\"]}]",
    "42[\"subscribe\",{\"channel\":\"x\",\"auth\":null}]",
    "42[\"subscribe\",{\"channel\":\"y\",\"auth\":{\"headers\":7}}]",
    "42[\"unsubscribe\"]",
    "42[\"unsubscribe\",{\"channel\":7}]",
    "42[\"client event\"]",
    "42[\"client event\",null]",
    "42[\"client event\",\"null\"]",
    "42[\"client event\",\"{\"]",
    "42[\"client event\",{\"event\":null,\"channel\":\"private-a\"}]",
    "42[\"client event\",{\"event\":\"client-a\",\"channel\":null}]",
    "42[null]",
    "42[{\"a\":1},2]",
    "42[\"connect\"]",
    "42[\"disconnect\"]",
    "42[\"error\",1]",
    "42[\"__proto__\",{}]",
    "42",
    "4212345678901234567890",
    "431[]",
    "43",
    "451-[\"client event\",{\"_placeholder\":true,\"num\":0}]",
    "45999999999-[]",
    "44\"x\"",
    "0{}",
    "6",
    "3",
    "2probe",
    "5",
];

#[test]
fn sio_045_and_sio_015_bad_packets_end_at_most_their_own_session() {
    let application = Application::saying(200, "true");
    let server = speaking(&format!("client_events = true\n{}", application.settings())).start();
    let mut witness = Echo::connect(&server, 3);
    witness.join("news");
    let deep = format!("42[\"subscribe\",{}1{}]", "[".repeat(4000), "]".repeat(4000));
    for packet in SURVIVED.into_iter().chain([&*deep]) {
        let mut echo = Echo::connect(&server, 3);
        echo.send(packet);
        echo.socket.raw(&masked(FIN | BINARY, &[4, 1, 2, 3]));
        echo.send("2");
        loop {
            match echo.socket.frame() {
                Frame::Text(pong) if pong == "3" => break,
                Frame::Text(_) => {}
                other => panic!("{packet:.60}: {other:?}"),
            }
        }
        echo.join("news");
    }
    for packet in ["", "x", "9", "4", "4x", "49", "42{}", "42[", "42\"a\"", "42[\"a\",", "40/\u{1},"] {
        let mut echo = Echo::connect(&server, 3);
        echo.send(packet);
        loop {
            match echo.socket.frame() {
                Frame::Close(..) => break,
                Frame::Text(_) => {}
                other => panic!("{packet}: {other:?}"),
            }
        }
    }
    let mut long = Echo::connect(&server, 3);
    long.send(&format!("42[\"{}\"]", "x".repeat(1 << 20)));
    assert!(matches!(long.socket.frame(), Frame::Close(..)), "SIO-019");
    server.api().publish("news", "e", "1");
    witness.expect_event("e", "news", "1");
    witness.settle();
}

#[test]
fn sio_042_a_client_that_does_not_connect_to_its_namespace_is_pinged_all_the_same() {
    let server = Setup::bare().config(QUICK).app(APP, "").start();
    let mut socket = server.open(&target("/socket.io/", 4));
    opened(&socket.text());
    for _ in 0..2 {
        socket.expect_text("2");
        socket.send("3");
    }
}
