//! Online status of a watchlist's users (WS-195 … WS-198, LIM-023).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::APP;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;

fn switched_on() -> TestServer {
    Setup::with_app("watchlist_events = true").start()
}

fn user(id: &str, watchlist: &[&str]) -> String {
    json!({"id": id, "watchlist": watchlist}).to_string()
}

/// A connection signed in as this user, with an empty watchlist.
fn online(server: &TestServer, id: &str) -> Socket {
    let mut socket = server.connect();
    socket.sign_in(APP, &format!(r#"{{"id":"{id}"}}"#));
    socket
}

/// The next message is about one user, byte for byte.
#[track_caller]
fn expect_one(socket: &mut Socket, name: &str, id: &str) {
    socket.expect_text(&format!(
        r#"{{"event":"pusher_internal:watchlist_events","data":"{{\"events\":[{{\"name\":\"{name}\",\"user_ids\":[\"{id}\"]}}]}}"}}"#
    ));
}

/// The online and offline users in the next message.
#[track_caller]
fn state(socket: &mut Socket) -> (BTreeSet<String>, BTreeSet<String>) {
    let frame = socket.json();
    assert_eq!(frame["event"], "pusher_internal:watchlist_events", "{frame}");
    assert_eq!(frame["channel"], Value::Null, "{frame}");
    let data: Value = serde_json::from_str(frame["data"].as_str().expect("WS-101")).expect("WS-195");
    let mut state = (BTreeSet::new(), BTreeSet::new());
    for event in data["events"].as_array().expect("WS-195: a list") {
        let ids = event["user_ids"].as_array().expect("WS-195: a list");
        assert!(!ids.is_empty(), "empty lists are left out: {frame}");
        let side = if event["name"] == "online" { &mut state.0 } else { &mut state.1 };
        for id in ids {
            assert!(side.insert(id.as_str().expect("a string").to_owned()), "named twice: {frame}");
        }
    }
    state
}

#[test]
fn ws_195_the_first_frame_tells_who_is_there_and_who_is_not() {
    let server = switched_on();
    let _online = online(&server, "67890");
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["67890", "11"]));
    watcher.expect_text(
        r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"67890\"]},{\"name\":\"offline\",\"user_ids\":[\"11\"]}]}"}"#,
    );
    watcher.expect_nothing_more();
}

#[test]
fn ws_195_then_every_change_is_told() {
    let server = switched_on();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a", "b"]));
    assert_eq!(state(&mut watcher).1, BTreeSet::from(["a".into(), "b".into()]));
    for _ in 0..3 {
        let a = online(&server, "a");
        expect_one(&mut watcher, "online", "a");
        let b = online(&server, "b");
        expect_one(&mut watcher, "online", "b");
        a.close();
        expect_one(&mut watcher, "offline", "a");
        drop(b);
        expect_one(&mut watcher, "offline", "b");
    }
    watcher.expect_nothing_more();
}

#[test]
fn ws_195_all_who_watch_are_told_and_nobody_else() {
    let server = switched_on();
    let mut watchers = [server.connect(), server.connect(), server.connect()];
    for (at, watcher) in watchers.iter_mut().enumerate() {
        watcher.sign_in(APP, &user(&format!("w{}", at / 2), &["a"]));
        expect_one(watcher, "offline", "a");
    }
    let (mut other, mut stranger) = (server.connect(), server.connect());
    other.sign_in(APP, &user("other", &["b"]));
    expect_one(&mut other, "offline", "b");
    let mut a = online(&server, "a");
    for watcher in &mut watchers {
        expect_one(watcher, "online", "a");
    }
    for socket in [&mut a, &mut other, &mut stranger] {
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_195_is_off_by_default() {
    let server = TestServer::start();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a"]));
    watcher.expect_nothing_more();
    let a = online(&server, "a");
    watcher.expect_nothing_more();
    a.close();
    watcher.expect_nothing_more();
    let too_long: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    watcher.sign_in(APP, &json!({"id": "u1", "watchlist": too_long}).to_string());
    watcher.expect_nothing_more();
}

#[test]
fn ws_195_no_watchlist_no_events() {
    let server = switched_on();
    for user_data in [r#"{"id":"u1"}"#, r#"{"id":"u1","watchlist":[]}"#, r#"{"id":"u1","watchlist":null}"#] {
        let mut socket = server.connect();
        socket.sign_in(APP, user_data);
        let _other = online(&server, "u2");
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_182_signing_in_again_takes_a_new_watchlist_in_place_of_the_old() {
    let server = switched_on();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a", "b"]));
    state(&mut watcher);
    watcher.sign_in(APP, &user("u1", &["b", "c"]));
    assert_eq!(state(&mut watcher).1, BTreeSet::from(["b".into(), "c".into()]));
    let _a = online(&server, "a");
    watcher.expect_nothing_more();
    let _b = online(&server, "b");
    expect_one(&mut watcher, "online", "b");
    watcher.sign_in(APP, r#"{"id":"u1"}"#);
    let _c = online(&server, "c");
    watcher.expect_nothing_more();
}

#[test]
fn ws_182_signing_in_again_is_no_coming_online() {
    let server = switched_on();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a"]));
    expect_one(&mut watcher, "offline", "a");
    let mut a = online(&server, "a");
    expect_one(&mut watcher, "online", "a");
    a.sign_in(APP, r#"{"id":"a","user_info":1}"#);
    watcher.expect_nothing_more();
    a.close();
    expect_one(&mut watcher, "offline", "a");
    watcher.expect_nothing_more();
}

#[test]
fn ws_196_of_101_users_the_first_hundred_are_watched_and_the_sign_in_succeeds() {
    let server = switched_on();
    // Unordered, so that the first users are not the smallest.
    let ids: Vec<String> = (0..101).map(|number| format!("u{}", (number * 37) % 101)).collect();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &json!({"id": "watcher", "watchlist": ids}).to_string());
    assert_eq!(state(&mut watcher).1, ids[..100].iter().cloned().collect());
    watcher.expect_error_code(
        4302,
        "The watchlist has 101 users, but only the first 100 are watched (setting limits.watchlist)",
    );
    watcher.expect_nothing_more();
    let _last = online(&server, &ids[100]);
    watcher.expect_nothing_more();
    let _first = online(&server, &ids[0]);
    expect_one(&mut watcher, "online", &ids[0]);
    watcher.subscribe("#server-to-user-watcher");
}

#[test]
fn lim_023_a_hundred_are_no_error_and_the_number_is_a_setting() {
    let server = Setup::with_app("watchlist_events = true\nlimits = { watchlist = 2 }").start();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["b", "a"]));
    state(&mut watcher);
    watcher.expect_nothing_more();
    watcher.sign_in(APP, &user("u1", &["c", "b", "a"]));
    assert_eq!(state(&mut watcher).1, BTreeSet::from(["c".into(), "b".into()]));
    assert_eq!(watcher.error().0, Some(4302));
    let server = switched_on();
    let ids: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &json!({"id": "u1", "watchlist": ids}).to_string());
    assert_eq!(state(&mut watcher).1.len(), 100);
    watcher.expect_nothing_more();
}

#[test]
fn ws_197_a_user_is_online_from_its_first_connection_to_its_last() {
    let server = switched_on();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a"]));
    expect_one(&mut watcher, "offline", "a");
    let first = online(&server, "a");
    expect_one(&mut watcher, "online", "a");
    let second = online(&server, "a");
    watcher.expect_nothing_more();
    first.close();
    // The close has been handled: the node has two connections left.
    server.expect_metric("fanfare_connections{app=\"3\"}", 2.0);
    watcher.expect_nothing_more();
    second.close();
    expect_one(&mut watcher, "offline", "a");
    watcher.expect_nothing_more();
}

#[test]
fn ws_197_members_of_presence_channels_are_not_online() {
    let server = switched_on();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a"]));
    expect_one(&mut watcher, "offline", "a");
    let mut member = server.connect();
    member.join(APP, "presence-a", r#"{"user_id":"a"}"#);
    watcher.expect_nothing_more();
    member.sign_in(APP, r#"{"id":"a"}"#);
    expect_one(&mut watcher, "online", "a");
    member.unsubscribe("presence-a");
    member.expect_nothing_more();
    watcher.expect_nothing_more();
}

#[test]
fn ws_198_one_may_watch_oneself() {
    let server = switched_on();
    let mut first = server.connect();
    first.sign_in(APP, &user("me", &["me"]));
    expect_one(&mut first, "online", "me");
    first.expect_nothing_more();
    let second = online(&server, "me");
    first.expect_nothing_more();
    second.close();
    server.expect_metric("fanfare_connections{app=\"3\"}", 1.0);
    first.expect_nothing_more();
}

#[test]
fn ws_198_whoever_is_terminated_is_offline_at_once() {
    let server = switched_on();
    let mut watcher = server.connect();
    watcher.sign_in(APP, &user("u1", &["a"]));
    expect_one(&mut watcher, "offline", "a");
    let _tabs = [online(&server, "a"), online(&server, "a")];
    expect_one(&mut watcher, "online", "a");
    server.api().post("/users/a/terminate_connections", "{}").expect("{}");
    expect_one(&mut watcher, "offline", "a");
    watcher.expect_nothing_more();
}
