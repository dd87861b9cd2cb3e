//! Presence rosters, and their joins and leaves (WS-115 … WS-124, WS-150 … WS-154, DIFF-19, DIFF-22).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::server::TestServer;
use crate::support::socket::{Frame, Socket};
use crate::support::{APP, eventually};

const ROOM: &str = "presence-room";
const ANN: &str = r#"{"user_id":"u1","user_info":{"name":"Ann"}}"#;
const BOB: &str = r#"{"user_id":"u2","user_info":{"name":"Bob"}}"#;

/// `member_added`, byte for byte; `data` without the outer quotes' escapes.
fn expect_added(socket: &mut Socket, data: &str) {
    socket.expect_event(ROOM, "pusher_internal:member_added", data);
}

fn expect_removed(socket: &mut Socket, id: &str) {
    socket.expect_event(ROOM, "pusher_internal:member_removed", &format!(r#"{{"user_id":"{id}"}}"#));
}

/// The ids of a roster, which must agree with its count and its hash (WS-121).
fn ids(roster: &Value) -> BTreeSet<String> {
    let ids = roster["ids"].as_array().expect("WS-121: ids is an array").iter();
    let ids: Vec<String> = ids.map(|id| id.as_str().expect("WS-116: ids are strings").to_owned()).collect();
    let hash = roster["hash"].as_object().expect("WS-121: hash is an object");
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(roster["count"], ids.len(), "{roster}");
    assert_eq!(distinct.len(), ids.len(), "WS-121: users are distinct");
    assert_eq!(distinct, hash.keys().cloned().collect(), "WS-121: ids are the keys of hash");
    distinct
}

#[test]
fn ws_121_the_first_member_sees_only_itself() {
    let server = TestServer::start();
    let mut ann = server.connect();
    ann.ask_signed(APP, ROOM, Some(ANN));
    ann.expect_event(
        ROOM,
        "pusher_internal:subscription_succeeded",
        r#"{"presence":{"count":1,"ids":["u1"],"hash":{"u1":{"name":"Ann"}}}}"#,
    );
    ann.expect_nothing_more();
}

#[test]
fn ws_121_a_newcomer_sees_everybody_and_itself() {
    let server = TestServer::start();
    let mut ann = server.connect();
    ann.join(APP, ROOM, ANN);
    let mut bob = server.connect();
    let roster = bob.join(APP, ROOM, BOB);
    assert_eq!(ids(&roster), BTreeSet::from(["u1".into(), "u2".into()]));
    assert_eq!(roster["hash"], json!({"u1": {"name": "Ann"}, "u2": {"name": "Bob"}}));
}

#[test]
fn ws_150_the_others_hear_of_a_new_member_and_the_member_does_not() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, ROOM, BOB);
    expect_added(&mut ann, BOB);
    ann.expect_nothing_more();
    bob.expect_nothing_more();
}

#[test]
fn ws_150_further_connections_of_a_member_are_not_announced() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, ROOM, BOB);
    expect_added(&mut ann, BOB);
    let mut bob_again = server.connect();
    let roster = bob_again.join(APP, ROOM, BOB);
    assert_eq!(ids(&roster).len(), 2, "WS-121: users are distinct");
    for socket in [&mut ann, &mut bob, &mut bob_again] {
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_150_every_connection_of_a_member_hears_of_others() {
    let server = TestServer::start();
    let mut anns = [server.connect(), server.connect()];
    for ann in &mut anns {
        ann.join(APP, ROOM, ANN);
    }
    let mut bob = server.connect();
    bob.join(APP, ROOM, BOB);
    for ann in &mut anns {
        expect_added(ann, BOB);
    }
    bob.unsubscribe(ROOM);
    for ann in &mut anns {
        expect_removed(ann, "u2");
    }
}

#[test]
fn ws_151_only_the_last_connection_of_a_member_to_leave_is_announced() {
    let server = TestServer::start();
    let (mut ann, mut bob, mut bob_again) = (server.connect(), server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, ROOM, BOB);
    bob_again.join(APP, ROOM, BOB);
    expect_added(&mut ann, BOB);
    bob.unsubscribe(ROOM);
    bob.expect_nothing_more();
    ann.expect_nothing_more();
    bob_again.unsubscribe(ROOM);
    expect_removed(&mut ann, "u2");
    bob_again.expect_nothing_more();
    ann.expect_nothing_more();
}

#[test]
fn ws_151_closing_counts_as_leaving() {
    let server = TestServer::start();
    let (mut ann, mut bob, mut bob_again) = (server.connect(), server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, ROOM, BOB);
    bob_again.join(APP, ROOM, BOB);
    expect_added(&mut ann, BOB);
    bob.close();
    let mut api = server.api();
    let path = format!("/channels/{ROOM}");
    eventually("one of Bob's connections is gone", || {
        let answer = api.get(&path, &[("info", "subscription_count")]).body;
        answer.contains(r#""subscription_count":2"#).then_some(())
    });
    ann.expect_nothing_more();
    drop(bob_again);
    expect_removed(&mut ann, "u2");
}

#[test]
fn ws_151_a_member_that_left_can_come_back() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    for _ in 0..5 {
        let roster = bob.join(APP, ROOM, BOB);
        assert_eq!(ids(&roster).len(), 2);
        bob.unsubscribe(ROOM);
        expect_added(&mut ann, BOB);
        expect_removed(&mut ann, "u2");
    }
    ann.expect_nothing_more();
}

#[test]
fn ws_151_channels_do_not_hear_of_one_another() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, "presence-elsewhere", BOB);
    bob.unsubscribe("presence-elsewhere");
    bob.expect_nothing_more();
    ann.expect_nothing_more();
}

#[test]
fn ws_116_numeric_ids_are_strings_everywhere() {
    let server = TestServer::start();
    let (mut ann, mut ten) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    let roster = ten.join(APP, ROOM, r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#);
    assert_eq!(ids(&roster), BTreeSet::from(["u1".into(), "10".into()]));
    expect_added(&mut ann, r#"{"user_id":"10","user_info":{"name":"Mr. Channels"}}"#);
    let mut same = server.connect();
    let roster = same.join(APP, ROOM, r#"{"user_id":"10"}"#);
    assert_eq!(ids(&roster).len(), 2, "10 and \"10\" are the same user");
    ann.expect_nothing_more();
    server.api().get(&format!("/channels/{ROOM}/users"), &[]).expect_json(&users(&["u1", "10"], &server));
    ten.unsubscribe(ROOM);
    same.unsubscribe(ROOM);
    expect_removed(&mut ann, "10");
}

/// The listing of these users in the server's order, which the protocol does not define.
fn users(expected: &[&str], server: &TestServer) -> Value {
    let answer = server.api().get(&format!("/channels/{ROOM}/users"), &[]).body;
    let mut sorted = expected.to_vec();
    sorted.sort_by_key(|id| answer.find(&format!(r#"{{"id":"{id}"}}"#)));
    json!({"users": sorted.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()})
}

#[test]
fn ws_116_large_numbers_keep_all_their_digits() {
    let server = TestServer::start();
    for number in ["9007199254740993", "18446744073709551615", "-7", "0"] {
        let mut socket = server.connect();
        let roster = socket.join(APP, ROOM, &format!(r#"{{"user_id":{number}}}"#));
        assert!(ids(&roster).contains(number), "{number}: {roster}");
    }
}

#[test]
fn ws_122_a_member_without_info_has_an_empty_object() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.ask_signed(APP, ROOM, Some(r#"{"user_id":"u1"}"#));
    ann.expect_event(
        ROOM,
        "pusher_internal:subscription_succeeded",
        r#"{"presence":{"count":1,"ids":["u1"],"hash":{"u1":{}}}}"#,
    );
    bob.join(APP, ROOM, r#"{"user_id":"u2"}"#);
    expect_added(&mut ann, r#"{"user_id":"u2","user_info":{}}"#);
}

#[test]
fn ws_121_info_may_be_any_json_and_ids_any_text() {
    let server = TestServer::start();
    let mut ann = server.connect();
    ann.join(APP, ROOM, ANN);
    for (id, info) in [
        ("a+b@example.com", r#"[1,2.50,{"x":null}]"#),
        (r#"quote \" backslash \\ "#, r#""just text""#),
        ("Zoë 🎺", "42"),
        ("tab\\t", r#"{"deep":{"é":"\u00e9\ud83c\udfba"}}"#),
    ] {
        let mut socket = server.connect();
        let roster = socket.join(APP, ROOM, &format!(r#"{{"user_id":"{id}","user_info":{info}}}"#));
        let id: String = serde_json::from_str(&format!("\"{id}\"")).expect("the case is JSON");
        let info: Value = serde_json::from_str(info).expect("the case is JSON");
        assert_eq!(roster["hash"][&id], info);
        let added = ann.json();
        assert_eq!(added["event"], "pusher_internal:member_added");
        let data = added["data"].as_str().expect("WS-101: data is a string");
        let data: Value = serde_json::from_str(data).expect("WS-150: data holds JSON");
        assert_eq!(data, json!({"user_id": id, "user_info": info}));
        socket.unsubscribe(ROOM);
        assert_eq!(ann.json()["event"], "pusher_internal:member_removed");
    }
}

#[test]
fn ws_123_newer_info_replaces_the_older_and_nobody_is_told() {
    let server = TestServer::start();
    let (mut ann, mut bob, mut bob_again) = (server.connect(), server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, ROOM, BOB);
    expect_added(&mut ann, BOB);
    let roster = bob_again.join(APP, ROOM, r#"{"user_id":"u2","user_info":{"name":"Robert"}}"#);
    assert_eq!(roster["hash"]["u2"], json!({"name": "Robert"}));
    ann.expect_nothing_more();
    bob.expect_nothing_more();
    let roster = server.connect().join(APP, ROOM, r#"{"user_id":"u3"}"#);
    assert_eq!(roster["hash"]["u2"], json!({"name": "Robert"}));
}

#[test]
fn ws_137_joining_twice_is_an_error_and_changes_nothing() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    bob.join(APP, ROOM, BOB);
    expect_added(&mut ann, BOB);
    bob.ask_signed(APP, ROOM, Some(r#"{"user_id":"u3"}"#));
    bob.expect_error(&format!("Existing subscription to channel {ROOM}"));
    ann.expect_nothing_more();
    bob.unsubscribe(ROOM);
    expect_removed(&mut ann, "u2");
    ann.expect_nothing_more();
}

#[test]
fn events_reach_every_connection_of_a_presence_channel() {
    let server = TestServer::start();
    let (mut ann, mut ann_again) = (server.connect(), server.connect());
    ann.join(APP, ROOM, ANN);
    ann_again.join(APP, ROOM, ANN);
    server.api().publish(ROOM, "hello", "{}");
    ann.expect_event(ROOM, "hello", "{}");
    ann_again.expect_event(ROOM, "hello", "{}");
}

#[test]
fn ws_154_the_roster_and_the_later_frames_add_up_to_the_truth() {
    let server = TestServer::start();
    let (present, stays) = std::thread::scope(|scope| {
        let movers: Vec<_> = (0..6)
            .map(|mover| {
                let server = &server;
                scope.spawn(move || {
                    let mut socket = server.connect();
                    for _ in 0..20 {
                        socket.ask_signed(APP, ROOM, Some(&format!(r#"{{"user_id":"m{}"}}"#, mover / 2)));
                        socket.unsubscribe(ROOM);
                    }
                    socket.ask_signed(APP, ROOM, Some(&format!(r#"{{"user_id":"m{mover}"}}"#)));
                    settle(&mut socket);
                    socket
                })
            })
            .collect();
        let mut observer = server.connect();
        let mut present = ids(&observer.join(APP, ROOM, r#"{"user_id":"observer"}"#));
        let stays: Vec<Socket> =
            movers.into_iter().map(|thread| thread.join().expect("a mover is never refused")).collect();
        replay(&mut observer, &mut present);
        (present, stays)
    });
    let expected = (0..stays.len()).map(|mover| format!("m{mover}")).chain(["observer".into()]);
    assert_eq!(present, expected.collect());
}

/// Reads until every command has been answered.
fn settle(socket: &mut Socket) {
    socket.send(r#"{"event":"pusher:ping"}"#);
    while socket.json()["event"] != "pusher:pong" {}
}

/// Applies the member frames strictly: nobody joins twice or leaves unseen.
fn replay(observer: &mut Socket, present: &mut BTreeSet<String>) {
    observer.send(r#"{"event":"pusher:ping"}"#);
    loop {
        let Frame::Text(text) = observer.frame() else { panic!("only text is expected") };
        let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
        let data: Value = serde_json::from_str(frame["data"].as_str().unwrap_or("{}")).expect("data is JSON");
        let id = data["user_id"].as_str().unwrap_or_default().to_owned();
        match frame["event"].as_str() {
            Some("pusher_internal:member_added") => assert!(present.insert(id), "joined twice: {text}"),
            Some("pusher_internal:member_removed") => assert!(present.remove(&id), "left unseen: {text}"),
            Some("pusher:pong") => return,
            _ => panic!("unexpected: {text}"),
        }
    }
}
