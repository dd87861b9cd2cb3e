//! Apps that are created, changed and deleted by the command line while a server runs on their database.

use crate::support::server::{TestServer, pusher_js};
use crate::support::socket::Frame;
use crate::support::{APP, App, OTHER, PONG, eventually};

#[test]
fn an_app_that_is_made_while_the_server_runs_can_be_used() {
    let server = TestServer::with_stored_app(&[]);
    let mut socket = server.connect();
    socket.subscribe_private(APP, "private-a");
    server.api().publish("private-a", "e", "d");
    socket.expect_event("private-a", "e", "d");
}

#[test]
fn a_setting_that_is_changed_holds_for_connections_that_are_open() {
    let server = TestServer::with_stored_app(&[]);
    let mut first = server.connect();
    let mut second = server.connect();
    for socket in [&mut first, &mut second] {
        socket.subscribe_private(APP, "private-a");
    }
    server.commanded(&["app", "update", APP.id, "--set", "client_events=true"]);
    eventually("client events are let through", || {
        first.client_event("private-a", "client-a", "{}");
        first.send(r#"{"event":"pusher:ping"}"#);
        let is_let_through = first.text() == PONG;
        if !is_let_through {
            first.expect_text(PONG);
        }
        is_let_through.then_some(())
    });
    second.expect_event("private-a", "client-a", "{}");
}

#[test]
fn ws_050_the_connections_of_an_app_that_is_disabled_are_closed_with_4003() {
    let server = TestServer::with_stored_app(&[]);
    let mut socket = server.connect();
    server.commanded(&["app", "disable", APP.id]);
    socket.expect_close_code(4003);
    server.open(&pusher_js(APP)).expect_close_code(4003);
    assert_eq!(server.api().get("/channels", &[]).head.status, 403);
    server.commanded(&["app", "enable", APP.id]);
    server.expect_app_known();
    server.connect();
}

#[test]
fn ws_050_the_connections_of_an_app_that_is_deleted_are_closed_with_4001() {
    let server = TestServer::with_stored_app(&[]);
    let mut socket = server.connect();
    server.commanded(&["app", "delete", APP.id, "--yes"]);
    socket.expect_close_code(4001);
    server.open(&pusher_js(APP)).expect_close_code(4001);
    assert_eq!(server.api().get("/channels", &[]).head.status, 404);
    assert_eq!(server.create_app(&[], &[]).status, 0, "the id may be used again");
    server.expect_app_known();
    server.connect();
}

#[test]
fn a_quota_that_is_lowered_is_for_newcomers_only() {
    let server = TestServer::with_stored_app(&[]);
    let mut sockets = [server.connect(), server.connect()];
    server.commanded(&["app", "update", APP.id, "--set", "max_connections=1"]);
    eventually("the quota holds", || {
        let mut newcomer = server.open(&pusher_js(APP));
        matches!(newcomer.frame(), Frame::Close(Some(4004), _)).then_some(())
    });
    for socket in &mut sockets {
        socket.subscribe("news");
    }
}

#[test]
fn a_rotated_key_is_valid_beside_the_old_one_until_that_is_revoked() {
    let server = TestServer::with_stored_app(&[]);
    let json = server.commanded(&["app", "rotate-key", APP.id, "--json"]);
    let pair: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let text = |name: &str| -> &'static str { pair[name].as_str().expect("a text").to_owned().leak() };
    let new = App { id: APP.id, key: text("key"), secret: text("secret") };
    eventually("the new key is known", || {
        (server.api_of(new).get("/channels", &[]).head.status == 200).then_some(())
    });
    let mut old_client = server.connect();
    let mut new_client = server.connect_to(new);
    old_client.subscribe_private(APP, "private-a");
    new_client.subscribe_private(new, "private-a");
    server.api().publish("private-a", "e", "by the old");
    server.api_of(new).publish("private-a", "e", "by the new");
    for socket in [&mut old_client, &mut new_client] {
        socket.expect_event("private-a", "e", "by the old");
        socket.expect_event("private-a", "e", "by the new");
    }
    server.commanded(&["app", "revoke-key", APP.id, APP.key]);
    eventually("the old key is not valid any more", || {
        (server.api().get("/channels", &[]).head.status == 401).then_some(())
    });
    server.open(&pusher_js(APP)).expect_close_code(4001);
    // Existing connections stay.
    server.api_of(new).publish("private-a", "e", "later");
    old_client.expect_event("private-a", "e", "later");
}

#[test]
fn the_command_line_lists_and_shows_apps_without_their_secrets() {
    let server = TestServer::with_stored_app(&["client_events=true", "limits.batch=3"]);
    let listed = server.commanded(&["app", "list"]);
    assert!(
        listed.lines().any(|line| line.starts_with(APP.id)
            && line.contains("shop       enabled")
            && line.contains(APP.key)),
        "{listed}"
    );
    let shown = server.commanded(&["app", "show", APP.id]);
    for part in [APP.key, "client_events  true", "limits.batch   3"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains(APP.secret) && !listed.contains(APP.secret));
    let json = server.commanded(&["app", "show", APP.id, "--json", "--secrets"]);
    let app: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(app["settings"], serde_json::json!({"client_events": true, "limits": {"batch": 3}}));
    assert_eq!(app["keys"][0]["secret"], APP.secret);
}

#[test]
fn a_command_with_faults_tells_all_of_them_and_changes_nothing() {
    let server = TestServer::with_stored_app(&[]);
    let wrong = ["--set", "client_event=true", "--set", "limits.batch=0", "--set", "force_tls=perhaps"];
    let ended = server.command(&[&["app", "update", APP.id], &wrong[..]].concat());
    assert_eq!((ended.status, &*ended.stdout), (64, ""));
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(
        told,
        [
            "fanfare: unknown setting client_event; did you mean client_events?",
            "fanfare: force_tls: invalid type: string \"perhaps\", expected true or false",
            "fanfare: batch is 0; it must be from 1 to 10000",
        ]
    );
    for (arguments, says) in [
        (["app", "show", OTHER.id], "fanfare: there is no app 44"),
        (["app", "delete", OTHER.id], "fanfare: there is no app 44"),
        (["app", "usage", OTHER.id], "fanfare: there is no app 44"),
    ] {
        let ended = server.command(&arguments);
        assert_eq!((ended.status, &*ended.stderr), (64, says));
    }
}
