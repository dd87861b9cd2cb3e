//! Subscription counts (WS-124, WS-143, WS-152, WS-175 … WS-177).

use crate::support::APP;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;

fn switched_on() -> TestServer {
    Setup::with_app("subscription_counts = true").start()
}

#[test]
fn ws_175_and_ws_177_every_change_is_told_to_everybody_the_newcomer_included() {
    let server = switched_on();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.subscribe("news");
    first.expect_text(
        r#"{"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":1}","channel":"news"}"#,
    );
    second.subscribe("news");
    second.expect_count("news", 2);
    first.expect_count("news", 2);
    let mut third = server.connect();
    third.subscribe("news");
    for socket in [&mut first, &mut second, &mut third] {
        socket.expect_count("news", 3);
    }
    third.unsubscribe("news");
    third.expect_nothing_more();
    for socket in [&mut first, &mut second] {
        socket.expect_count("news", 2);
    }
    second.close();
    first.expect_count("news", 1);
    first.unsubscribe("news");
    first.expect_nothing_more();
}

#[test]
fn ws_175_connections_are_counted_not_users() {
    let server = switched_on();
    let mut tabs = [server.connect(), server.connect()];
    for (at, tab) in tabs.iter_mut().enumerate() {
        tab.sign_in(APP, r#"{"id":"u1"}"#);
        tab.subscribe_private(APP, "private-a");
        tab.expect_count("private-a", at + 1);
    }
    server
        .api()
        .get("/channels/private-a", &[("info", "subscription_count")])
        .expect(r#"{"occupied":true,"subscription_count":2}"#);
}

#[test]
fn ws_175_every_kind_of_channel_without_members_has_counts() {
    let server = switched_on();
    let mut socket = server.connect();
    for channel in ["news", "cache-a"] {
        socket.subscribe(channel);
        if channel == "cache-a" {
            socket.expect_cache_miss(channel);
        }
        socket.expect_count(channel, 1);
    }
    for channel in ["private-a", "private-encrypted-a", "private-cache-a", "private-encrypted-cache-a"] {
        socket.subscribe_private(APP, channel);
        if channel.contains("cache-") {
            socket.expect_cache_miss(channel);
        }
        socket.expect_count(channel, 1);
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_175_presence_channels_have_none() {
    let server = switched_on();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    ann.expect_nothing_more();
    bob.join(APP, "presence-a", r#"{"user_id":"u2"}"#);
    bob.expect_nothing_more();
    let added = r#"{"user_id":"u2","user_info":{}}"#;
    ann.expect_event("presence-a", "pusher_internal:member_added", added);
    bob.unsubscribe("presence-a");
    ann.expect_event("presence-a", "pusher_internal:member_removed", r#"{"user_id":"u2"}"#);
    ann.expect_nothing_more();
}

#[test]
fn ws_175_counts_are_off_by_default() {
    let server = TestServer::start();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.subscribe("news");
    second.subscribe("news");
    second.unsubscribe("news");
    second.expect_nothing_more();
    first.expect_nothing_more();
}

#[test]
fn ws_175_a_refused_subscribe_changes_no_count() {
    let server = switched_on();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.subscribe_private(APP, "private-a");
    first.expect_count("private-a", 1);
    second.ask_for("private-a");
    second.expect_error("Auth info required to subscribe to private-a");
    first.ask_signed(APP, "private-a", None);
    first.expect_error("Existing subscription to channel private-a");
    second.unsubscribe("private-a");
    assert!(second.error().1.starts_with("No current subscription"));
    first.expect_nothing_more();
}

#[test]
fn ws_143_whoever_leaves_by_closing_is_counted_out_of_every_channel() {
    let server = switched_on();
    let (mut stays, mut goes) = (server.connect(), server.connect());
    for channel in ["a", "b"] {
        stays.subscribe(channel);
        stays.expect_count(channel, 1);
        goes.subscribe(channel);
        goes.expect_count(channel, 2);
        stays.expect_count(channel, 2);
    }
    let members = [(&mut stays, "u1"), (&mut goes, "u2")];
    for (socket, id) in members {
        socket.join(APP, "presence-a", &format!(r#"{{"user_id":"{id}"}}"#));
    }
    let added = r#"{"user_id":"u2","user_info":{}}"#;
    stays.expect_event("presence-a", "pusher_internal:member_added", added);
    drop(goes);
    let mut told: Vec<String> = (0..3).map(|_| stays.text()).collect();
    told.sort();
    assert_eq!(
        told,
        [
            r#"{"event":"pusher_internal:member_removed","data":"{\"user_id\":\"u2\"}","channel":"presence-a"}"#,
            r#"{"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":1}","channel":"a"}"#,
            r#"{"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":1}","channel":"b"}"#,
        ]
    );
    stays.expect_nothing_more();
}

#[test]
fn ws_152_members_that_come_back_at_once_are_told_both_ways() {
    let server = TestServer::start();
    let mut watcher = server.connect();
    watcher.join(APP, "presence-a", r#"{"user_id":"w"}"#);
    let mut bob = server.connect();
    bob.join(APP, "presence-a", r#"{"user_id":"u2"}"#);
    // A reloaded page: no delay to see whether the member returns.
    bob.close();
    server.connect().join(APP, "presence-a", r#"{"user_id":"u2"}"#);
    let names: Vec<_> = (0..3).map(|_| watcher.json()["event"].to_string()).collect();
    let (added, removed) = (r#""pusher_internal:member_added""#, r#""pusher_internal:member_removed""#);
    assert_eq!(names, [added, removed, added]);
}

#[test]
fn ws_175_up_to_a_hundred_connections_each_change_is_told() {
    let server = switched_on();
    let mut sockets: Vec<Socket> = Vec::new();
    for number in 1..=100 {
        let mut socket = server.connect();
        socket.subscribe("news");
        socket.expect_count("news", number);
        sockets.push(socket);
    }
    for count in 2..=100 {
        sockets[0].expect_count("news", count);
    }
    sockets.truncate(1);
    for count in (1..=99).rev() {
        sockets[0].expect_count("news", count);
    }
    sockets[0].expect_nothing_more();
}

/// The test takes up to five seconds, because of the rule.
#[test]
fn ws_176_above_a_hundred_connections_counts_come_now_and_then_and_the_last_is_right() {
    let server = switched_on();
    let mut first = server.connect();
    first.subscribe("news");
    let crowd: Vec<Socket> = (2..=105)
        .map(|_| {
            let mut socket = server.connect();
            socket.subscribe("news");
            socket
        })
        .collect();
    for count in 1..=100 {
        first.expect_count("news", count);
    }
    let mut late = Vec::new();
    while late.last() != Some(&105) {
        let data = first.json()["data"].as_str().expect("WS-101").to_owned();
        let digits: String = data.chars().filter(char::is_ascii_digit).collect();
        late.push(digits.parse::<u32>().expect("a count"));
    }
    assert!(late.len() < 5, "five changes above a hundred, told as {late:?}");
    first.expect_nothing_more();
    for mut socket in crowd.into_iter().skip(95) {
        // All subscribers get the count, also those beyond a hundred.
        while !socket.text().contains(r#"{\"subscription_count\":105}"#) {}
    }
    for count in (1..=100).rev() {
        first.expect_count("news", count);
    }
    first.expect_nothing_more();
}
