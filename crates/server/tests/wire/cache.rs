//! Cache channels: a new subscriber gets the last event of a back end (WS-170 … WS-174).

use serde_json::{Value, json};

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER, eventually};

const CHANNEL: &str = "cache-a";

/// Every kind of channel with a cached event.
const KINDS: [&str; 4] = ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"];

#[test]
fn ws_171_the_last_event_greets_a_newcomer_as_an_ordinary_event() {
    let server = TestServer::start();
    server.api().publish(CHANNEL, "price", r#"{"eur": 1.50}"#);
    let mut socket = server.connect();
    socket.ask_for(CHANNEL);
    socket
        .expect_text(r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"cache-a"}"#);
    socket.expect_text(r#"{"event":"price","data":"{\"eur\": 1.50}","channel":"cache-a"}"#);
    socket.expect_nothing_more();
}

#[test]
fn ws_172_without_an_event_a_newcomer_is_told_of_the_miss() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    socket.expect_text(r#"{"event":"pusher:cache_miss","data":"{}","channel":"cache-a"}"#);
    socket.expect_nothing_more();
}

#[test]
fn ws_171_only_the_newcomer_gets_it() {
    let server = TestServer::start();
    let (mut early, mut late) = (server.connect(), server.connect());
    early.subscribe(CHANNEL);
    early.expect_cache_miss(CHANNEL);
    server.api().publish(CHANNEL, "e", "d");
    early.expect_event(CHANNEL, "e", "d");
    late.subscribe(CHANNEL);
    late.expect_event(CHANNEL, "e", "d");
    early.expect_nothing_more();
    early.unsubscribe(CHANNEL);
    early.subscribe(CHANNEL);
    early.expect_event(CHANNEL, "e", "d");
    late.expect_nothing_more();
}

#[test]
fn ws_174_all_kinds_of_cache_channel_keep_their_last_event() {
    let server = TestServer::start();
    let mut api = server.api();
    for channel in KINDS {
        let mut first = server.connect();
        let subscribe = |socket: &mut crate::support::socket::Socket| {
            if channel == CHANNEL { socket.subscribe(channel) } else { socket.join_any(channel) }
        };
        subscribe(&mut first);
        first.expect_cache_miss(channel);
        api.publish(channel, "e", "first");
        api.publish(channel, "f", "second");
        first.expect_event(channel, "e", "first");
        first.expect_event(channel, "f", "second");
        let mut late = server.connect();
        subscribe(&mut late);
        late.expect_event(channel, "f", "second");
        late.expect_nothing_more();
    }
}

#[test]
fn ws_174_other_channels_keep_nothing_and_tell_of_no_miss() {
    let server = TestServer::start();
    let mut api = server.api();
    for channel in ["news", "cache", "cached-a", "my-cache-a", "private-a", "private-my-cache-a"] {
        api.publish(channel, "e", "d");
        let mut socket = server.connect();
        if channel.starts_with("private-") {
            socket.subscribe_private(APP, channel)
        } else {
            socket.subscribe(channel)
        }
        socket.expect_nothing_more();
    }
    let mut member = server.connect();
    api.publish("presence-a", "e", "d");
    member.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    member.expect_nothing_more();
}

#[test]
fn ws_174_who_may_not_subscribe_does_not_see_the_event() {
    let server = TestServer::start();
    server.api().publish("private-cache-a", "e", "secret");
    let mut socket = server.connect();
    socket.ask_for("private-cache-a");
    socket.expect_error("Auth info required to subscribe to private-cache-a");
    socket.ask_signed(OTHER, "private-cache-a", None);
    socket.expect_error(&format!("Invalid key in subscription auth data: '{}'", OTHER.key));
    socket.expect_nothing_more();
}

#[test]
fn ws_170_apps_do_not_see_one_anothers_events() {
    let server = Setup::new().app(OTHER, "").start();
    server.api().publish(CHANNEL, "e", "d");
    let mut other = server.connect_to(OTHER);
    other.subscribe(CHANNEL);
    other.expect_cache_miss(CHANNEL);
}

#[test]
fn ws_170_the_event_survives_the_channel_becoming_empty() {
    let server = TestServer::start();
    let mut api = server.api();
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    socket.expect_cache_miss(CHANNEL);
    api.publish(CHANNEL, "e", "d");
    socket.expect_event(CHANNEL, "e", "d");
    for _ in 0..3 {
        socket.unsubscribe(CHANNEL);
        socket.expect_nothing_more();
        api.get("/channels", &[]).expect(r#"{"channels":{}}"#);
        socket.subscribe(CHANNEL);
        socket.expect_event(CHANNEL, "e", "d");
    }
    drop(socket);
    eventually("the channel is empty", || {
        (api.get("/channels/cache-a", &[]).body == r#"{"occupied":false}"#).then_some(())
    });
    let mut late = server.connect();
    late.subscribe(CHANNEL);
    late.expect_event(CHANNEL, "e", "d");
}

#[test]
fn ws_170_a_later_event_takes_the_place_of_the_earlier() {
    let server = TestServer::start();
    let mut api = server.api();
    for number in 0..5 {
        api.publish(CHANNEL, &format!("e{number}"), &number.to_string());
    }
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    socket.expect_event(CHANNEL, "e4", "4");
    socket.expect_nothing_more();
    api.publish(CHANNEL, "e5", "");
    socket.expect_event(CHANNEL, "e5", "");
    let mut late = server.connect();
    late.subscribe(CHANNEL);
    late.expect_event(CHANNEL, "e5", "");
}

#[test]
fn lim_024_an_event_expires_after_the_seconds_that_are_set() {
    let server = Setup::with_app("limits = { cache_seconds = 1 }").app(OTHER, "").start();
    let (mut early, mut short, mut long) = (server.connect(), server.api(), server.api_of(OTHER));
    early.subscribe("cache-occupied");
    early.expect_cache_miss("cache-occupied");
    for channel in [CHANNEL, "cache-occupied"] {
        short.publish(channel, "e", "d");
        long.publish(channel, "e", "d");
    }
    let cache_of = |api: &mut crate::support::api::Api, channel: &str| {
        api.get(&format!("/channels/{channel}"), &[("info", "cache")]).body
    };
    for (channel, occupied) in [(CHANNEL, false), ("cache-occupied", true)] {
        let gone = format!(r#"{{"occupied":{occupied},"cache":null}}"#);
        eventually("it has expired", || (cache_of(&mut short, channel) == gone).then_some(()));
        let mut late = server.connect();
        late.subscribe(channel);
        late.expect_cache_miss(channel);
    }
    let mut other = server.connect_to(OTHER);
    other.subscribe(CHANNEL);
    other.expect_event(CHANNEL, "e", "d");
}

#[test]
fn ws_173_batches_several_channels_and_exclusion_all_fill_the_cache() {
    let server = TestServer::start();
    let mut api = server.api();
    let mut sender = server.connect();
    sender.subscribe("cache-excluded");
    sender.expect_cache_miss("cache-excluded");
    let batch = json!({"batch": [
        {"channel": "cache-batch", "name": "e", "data": "1"},
        {"channel": "cache-batch", "name": "e", "data": "2"},
        {"channel": "news", "name": "e", "data": "3"},
        {"channel": "cache-batch-too", "name": "e", "data": "4"},
    ]});
    api.post("/batch_events", batch.to_string()).expect("{}");
    let several = json!({"name": "e", "channels": ["cache-one", "news", "cache-two"], "data": "5"});
    api.post("/events", several.to_string()).expect("{}");
    let excluded = json!({"name": "e", "channels": ["cache-excluded"], "data": "6", "socket_id": sender.id});
    api.post("/events", excluded.to_string()).expect("{}");
    sender.expect_nothing_more();
    let kept = [
        ("cache-batch", "2"),
        ("cache-batch-too", "4"),
        ("cache-one", "5"),
        ("cache-two", "5"),
        ("cache-excluded", "6"),
    ];
    let mut socket = server.connect();
    for (channel, data) in kept {
        socket.subscribe(channel);
        socket.expect_event(channel, "e", data);
    }
    sender.unsubscribe("cache-excluded");
    sender.subscribe("cache-excluded");
    sender.expect_event("cache-excluded", "e", "6");
}

#[test]
fn ws_173_a_refused_event_leaves_the_cache_as_it_was() {
    let server = TestServer::start();
    let mut api = server.api();
    api.publish(CHANNEL, "e", "kept");
    let too_big = "x".repeat(10_241);
    for (status, name, data) in
        [(400, "pusher:e", "d"), (400, "pusher_internal:e", "d"), (413, "e", &*too_big)]
    {
        let body = json!({"name": name, "channels": [CHANNEL], "data": data}).to_string();
        assert_eq!(api.post("/events", body).head.status, status);
    }
    let body = json!({"name": "e", "channels": [CHANNEL, "no such name"], "data": "d"}).to_string();
    api.post("/events", body).refused(400, "Invalid channel name");
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    socket.expect_event(CHANNEL, "e", "kept");
}

#[test]
fn api_019_an_event_is_kept_also_if_nobody_ever_connected() {
    let server = TestServer::start();
    let mut api = server.api();
    for channel in KINDS {
        api.publish(channel, "e", channel);
    }
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    socket.expect_event(CHANNEL, "e", CHANNEL);
    for channel in &KINDS[1..] {
        socket.join_any(channel);
        socket.expect_event(channel, "e", channel);
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_124_the_count_comes_behind_the_cached_event() {
    let server = Setup::with_app("subscription_counts = true").start();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.subscribe(CHANNEL);
    first.expect_cache_miss(CHANNEL);
    first.expect_count(CHANNEL, 1);
    server.api().publish(CHANNEL, "e", "d");
    first.expect_event(CHANNEL, "e", "d");
    second.subscribe(CHANNEL);
    second.expect_event(CHANNEL, "e", "d");
    second.expect_count(CHANNEL, 2);
    second.expect_nothing_more();
    first.expect_count(CHANNEL, 2);
    first.expect_nothing_more();
}

#[test]
fn ws_124_on_presence_cache_channels_others_hear_of_the_member_alone() {
    let server = Setup::with_app("subscription_counts = true").start();
    let channel = "presence-cache-a";
    server.api().publish(channel, "e", "d");
    let (mut ann, mut bob) = (server.connect(), server.connect());
    for (socket, id) in [(&mut ann, "u1"), (&mut bob, "u2")] {
        socket.join(APP, channel, &format!(r#"{{"user_id":"{id}"}}"#));
        socket.expect_event(channel, "e", "d");
        socket.expect_nothing_more();
    }
    let added = r#"{"user_id":"u2","user_info":{}}"#;
    ann.expect_event(channel, "pusher_internal:member_added", added);
    ann.expect_nothing_more();
}

#[test]
fn api_036_and_api_037_the_cached_data_can_be_asked_for_with_its_seconds() {
    let server = TestServer::start();
    let mut api = server.api();
    let mut cache_of = |channel: &str| -> Value {
        let answer = api.get(&format!("/channels/{channel}"), &[("info", "cache")]);
        serde_json::from_str(&answer.body).expect("JSON")
    };
    for channel in KINDS {
        assert_eq!(cache_of(channel), json!({"occupied": false, "cache": null}));
    }
    let data = "{\"a\": \"\\u00e9 é\"}\n";
    server.api().publish(CHANNEL, "e", data);
    let answer = cache_of(CHANNEL);
    let ttl = answer["cache"]["ttl"].as_u64().expect("API-037: whole seconds");
    assert!((1700..=1800).contains(&ttl), "{answer}");
    assert_eq!(answer, json!({"occupied": false, "cache": {"data": data, "ttl": ttl}}));
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    let mut api = server.api();
    let answer = api.get("/channels/cache-a", &[("info", "subscription_count,cache")]);
    let mut answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(answer["cache"]["data"].take(), data);
    assert_eq!((&answer["occupied"], &answer["subscription_count"]), (&true.into(), &1.into()));
    api.get("/channels/cache-a", &[]).expect(r#"{"occupied":true}"#);
}

#[test]
fn api_036_the_cache_of_other_kinds_of_channel_is_refused_and_elsewhere_left_out() {
    let server = TestServer::start();
    let mut api = server.api();
    for channel in ["news", "private-a", "presence-a", "cached-a", "my-cache-a"] {
        api.get(&format!("/channels/{channel}"), &[("info", "cache")]).refused(400, "cache");
    }
    api.publish(CHANNEL, "e", "d");
    let mut socket = server.connect();
    socket.subscribe(CHANNEL);
    api.get("/channels", &[("info", "cache")]).expect(r#"{"channels":{"cache-a":{}}}"#);
    let body = r#"{"name":"e","channels":["cache-a"],"data":"d","info":"cache"}"#;
    api.post("/events", body).expect(r#"{"channels":{"cache-a":{}}}"#);
}

#[test]
fn of_events_that_nobody_listens_to_the_oldest_go_when_they_take_too_much() {
    let server = Setup::with_app("limits = { cache_bytes = 20000 }").start();
    let mut api = server.api();
    let mut listener = server.connect();
    listener.subscribe("cache-occupied");
    listener.expect_cache_miss("cache-occupied");
    api.publish("cache-occupied", "e", "never given up");
    let data = "x".repeat(1000);
    for number in 0..50 {
        api.publish(&format!("cache-{number}"), "e", &data);
        // Whatever was evicted, the event just published was not.
        let body = api.get(&format!("/channels/cache-{number}"), &[("info", "cache")]).body;
        assert!(body.contains(&data), "the newest, {number}, was given up: {body}");
    }
    assert!(server.metric("fanfare_cache_bytes{app=\"3\"}") < 20_000.5);
    let mut is_kept = |channel: String| {
        let body = api.get(&format!("/channels/{channel}"), &[("info", "cache")]).body;
        !body.ends_with(r#""cache":null}"#)
    };
    let kept: Vec<bool> = (0..50).map(|number| is_kept(format!("cache-{number}"))).collect();
    let count = kept.iter().filter(|kept| **kept).count();
    assert!((10..20).contains(&count), "{count} of 1 KB each are kept in 20 kB");
    assert!(kept[50 - count..].iter().all(|kept| *kept), "those are the newest: {kept:?}");
    assert!(is_kept("cache-occupied".into()));
    let mut socket = server.connect();
    socket.subscribe("cache-0");
    socket.expect_cache_miss("cache-0");
    socket.subscribe("cache-49");
    socket.expect_event("cache-49", "e", &data);
    socket.subscribe("cache-occupied");
    socket.expect_event("cache-occupied", "e", "never given up");
}
