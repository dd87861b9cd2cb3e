//! Protocol versions, and the form of a close in each (WS-011 … WS-015, WS-053).

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::{Frame, Socket};
use crate::support::{APP, PONG};

const UNSUPPORTED: &str = "Unsupported protocol version: 4, 5, 6 and 7 are spoken here";

fn open(server: &TestServer, version: &str) -> Socket {
    server.open(&format!("/app/{}?protocol={version}&client=test&version=1", APP.key))
}

/// A refusal of a client with an unsupported version: the error event may come as well, which
/// harms no client at the handshake (WS-053, WS-054); the close is what counts.
#[track_caller]
fn expect_refused(mut socket: Socket, code: u16, reason: &str) {
    let mut frame = socket.frame();
    if let Frame::Text(text) = &frame {
        assert!(text.contains(&format!(r#""code":{code}"#)), "{text}");
        frame = socket.frame();
    }
    assert_eq!(frame, Frame::Close(Some(code), reason.into()));
    socket.expect_end();
}

#[test]
fn ws_011_versions_below_4_are_closed_with_4007() {
    let server = TestServer::start();
    for version in ["0", "1", "2", "3"] {
        expect_refused(open(&server, version), 4007, UNSUPPORTED);
    }
}

#[test]
fn ws_012_versions_that_are_none_or_too_new_are_closed_with_4007() {
    let server = TestServer::start();
    for version in ["8", "70", "7.0", "seven", "-7", "", "%20", "99999999999999999999999"] {
        expect_refused(open(&server, version), 4007, UNSUPPORTED);
    }
}

#[test]
fn ws_012_a_missing_version_is_7() {
    let server = TestServer::start();
    server.open(&format!("/app/{}", APP.key)).established(50);
    server.open("/app/unknown").expect_close(
        4001,
        "App key unknown not in this cluster. Did you forget to specify the cluster? (no such key here)",
    );
}

#[test]
fn ws_012_a_missing_version_is_4008_by_setting() {
    let server = Setup::new().config("[listen]\nversion_required = true").start();
    expect_refused(
        server.open(&format!("/app/{}", APP.key)),
        4008,
        "No protocol version supplied (setting listen.version_required)",
    );
    open(&server, "7").established(50);
}

#[test]
fn ws_013_versions_4_to_7_are_spoken_alike() {
    let server = TestServer::start();
    for version in ["4", "5", "6", "7"] {
        let mut socket = open(&server, version).established(50);
        socket.subscribe("news");
        socket.subscribe_private(APP, "private-a");
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_014_and_ws_015_all_versions_get_the_same_frames() {
    let server = Setup::with_app("client_events = true\nsubscription_counts = true").start();
    let frames_of = |version: &str| -> Vec<String> {
        // WS-015: the first frame holds the activity timeout in every version.
        let mut socket = open(&server, version).established(50);
        socket.subscribe("news");
        socket.expect_count("news", 1);
        socket.subscribe_private(APP, "private-a");
        socket.expect_count("private-a", 1);
        socket.sign_in(APP, r#"{"id":"u1"}"#);
        socket.ask_signed(APP, "presence-cache-a", None);
        socket.send("{");
        socket.client_event("news", "client-e", "{}");
        socket.send(r#"{"event":"pusher:ping"}"#);
        let mut frames = Vec::new();
        while frames.last().is_none_or(|last| last != PONG) {
            frames.push(socket.text());
        }
        socket.close();
        server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
        frames
    };
    let newest = frames_of("7");
    assert_eq!(newest.len(), 5, "{newest:?}");
    for version in ["4", "5", "6"] {
        assert_eq!(frames_of(version), newest, "version {version}");
    }
}

#[test]
fn ws_053_versions_4_and_5_hear_of_a_close_by_event_first() {
    let server = TestServer::start();
    let text =
        "App key nobody not in this cluster. Did you forget to specify the cluster? (no such key here)";
    for version in ["4", "5"] {
        server.open(&format!("/app/nobody?protocol={version}")).expect_close_by_event(4001, text);
    }
}

#[test]
fn ws_053_versions_6_and_7_hear_of_a_close_by_the_close_frame_alone() {
    let server = TestServer::start();
    let text =
        "App key nobody not in this cluster. Did you forget to specify the cluster? (no such key here)";
    for version in ["6", "7"] {
        server.open(&format!("/app/nobody?protocol={version}")).expect_close(4001, text);
    }
}

#[test]
fn ws_053_version_5_hears_by_event_of_the_wrong_path_too() {
    let server = TestServer::start();
    server
        .open("/elsewhere?protocol=5")
        .expect_close_by_event(4005, "Path not found: connect to /app/KEY, not /elsewhere");
}

#[test]
fn ws_053_version_5_hears_by_event_of_a_close_after_the_handshake() {
    let server = TestServer::start();
    let mut socket = open(&server, "5").established(50);
    // A text frame without a mask.
    socket.raw(&[0x81, 0x02, b'{', b'}']);
    let (code, message) = socket.error();
    assert_eq!(code, Some(1002));
    socket.expect_close(1002, &message);
}
