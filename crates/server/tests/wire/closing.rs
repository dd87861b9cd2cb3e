//! A client's own close, and its effects (WS-051, WS-058).

use crate::support::eventually;
use crate::support::server::TestServer;
use crate::support::socket::{CLOSE, FIN, Frame, TEXT, masked};
use crate::support::{APP, PONG};

#[test]
fn ws_051_a_close_is_answered_with_the_same_code() {
    let server = TestServer::start();
    for code in [1000_u16, 1001, 1003, 3000, 4321, 4999] {
        let mut socket = server.connect();
        socket.raw(&masked(FIN | CLOSE, &[&code.to_be_bytes()[..], b"bye"].concat()));
        socket.expect_close_code(code);
    }
}

#[test]
fn ws_051_a_close_without_a_code_is_answered_without_a_code() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.raw(&masked(FIN | CLOSE, b""));
    assert_eq!(socket.frame(), Frame::Close(None, String::new()));
    socket.expect_end();
}

#[test]
fn ws_051_version_5_hears_no_error_event_of_its_own_close() {
    let server = TestServer::start();
    let mut socket = server.open(&format!("/app/{}?protocol=5", APP.key)).established(50);
    socket.raw(&masked(FIN | CLOSE, &1000_u16.to_be_bytes()));
    socket.expect_close_code(1000);
}

#[test]
fn ws_051_answers_to_earlier_commands_come_before_the_close() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let ping = masked(FIN | TEXT, br#"{"event":"pusher:ping"}"#);
    socket.raw(&[ping, masked(FIN | CLOSE, &1000_u16.to_be_bytes())].concat());
    socket.expect_text(PONG);
    socket.expect_close_code(1000);
}

#[test]
fn ws_051_nothing_behind_a_close_is_looked_at() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let ping = masked(FIN | TEXT, br#"{"event":"pusher:ping"}"#);
    socket.raw(&[masked(FIN | CLOSE, &1000_u16.to_be_bytes()), ping].concat());
    socket.expect_close_code(1000);
}

#[test]
fn malformed_close_frames_are_closed_with_1002_or_1007() {
    let server = TestServer::start();
    let cases: [(&[u8], u16); 7] = [
        (&[0x03], 1002),
        (&999_u16.to_be_bytes(), 1002),
        (&1005_u16.to_be_bytes(), 1002),
        (&1006_u16.to_be_bytes(), 1002),
        (&1015_u16.to_be_bytes(), 1002),
        (&5000_u16.to_be_bytes(), 1002),
        (&[0x03, 0xe8, 0xff], 1007),
    ];
    for (payload, code) in cases {
        let mut socket = server.connect();
        socket.raw(&masked(FIN | CLOSE, payload));
        match socket.frame() {
            Frame::Close(Some(got), _) if got == code => socket.expect_end(),
            other => panic!("{payload:?}: expected a close with {code}, got {other:?}"),
        }
    }
}

#[test]
fn ws_058_a_closed_connection_has_left_its_channels() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    socket.subscribe_private(APP, "private-a");
    let mut api = server.api();
    api.get("/channels/news", &[]).expect(r#"{"occupied":true}"#);
    socket.close();
    eventually("both channels are empty", || {
        (api.get("/channels", &[]).body == r#"{"channels":{}}"#).then_some(())
    });
}

#[test]
fn ws_058_a_connection_that_breaks_off_has_left_its_channels() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    drop(socket);
    let mut api = server.api();
    eventually("the channel is empty", || {
        (api.get("/channels/news", &[]).body == r#"{"occupied":false}"#).then_some(())
    });
}
