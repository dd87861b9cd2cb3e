//! Clients that resume on one of several nodes: that node goes on hearing their channels (RES-014).

use fanfare_testing::redis::Redis;
use serde_json::json;

use crate::cluster::pair;
use crate::resume::{back, counting, offer};
use crate::support::APP;
use crate::support::socket::Socket;

const KINDS: [&str; 3] = ["news", "private-orders", "cache-rates"];
const APP_SETTINGS: &str = "resume_seconds = 60";

/// The three events come, once and in order; what is still on its way from the other node comes behind the answer.
fn expect_three(socket: &mut Socket, channel: &str) {
    let (mut events, mut is_answered) = (Vec::new(), false);
    while events.len() < 3 || !is_answered {
        let frame = socket.json();
        assert_eq!(frame["channel"], channel, "{frame}");
        match frame["event"].as_str() {
            Some("e") => events.push(frame["data"].as_str().expect("a text").to_owned()),
            Some("fanfare:resumed") => {
                assert!(frame["data"].as_str().expect("a text").contains(r#""complete":true"#), "{frame}");
                is_answered = true;
            }
            other => assert_eq!(other, Some("pusher:cache_miss"), "{frame}"),
        }
    }
    assert_eq!(events, ["0", "1", "2"], "{channel}");
}

#[test]
fn res_014_a_node_goes_on_hearing_what_its_clients_miss_although_nobody_else_is_there() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    let ask = |socket: &mut Socket, channel: &str| match channel {
        "private-orders" => socket.subscribe_private(APP, channel),
        _ => socket.subscribe(channel),
    };
    for channel in KINDS {
        ask(&mut socket, channel);
    }
    socket.expect_cache_miss("cache-rates");
    let room = "presence-room";
    socket.join(APP, room, r#"{"user_id":"ann"}"#);
    drop(socket);
    one.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    let mut other = two.connect();
    offer(&mut other);
    let users = other.join(APP, room, r#"{"user_id":"bob"}"#);
    assert_eq!(users["count"], 1, "who is away is not there");
    let mut api = two.api();
    for channel in KINDS.into_iter().chain([room]) {
        for number in 0..3 {
            api.publish(channel, "e", &number.to_string());
        }
    }
    let counted = json!({ "news": [token, 0], "private-orders": [token, 0], "cache-rates": [token, 1], room: [token, 0] });
    let (mut socket, _) = back(&one, &counted);
    for channel in KINDS {
        ask(&mut socket, channel);
        expect_three(&mut socket, channel);
    }
    let users = socket.join(APP, room, r#"{"user_id":"ann"}"#);
    assert_eq!(users["count"], 2);
    expect_three(&mut socket, room);
    api.publish(room, "e", "live");
    socket.expect_event(room, "e", "live");
}
