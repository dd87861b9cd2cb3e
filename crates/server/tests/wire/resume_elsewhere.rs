//! Clients that come back to another of several nodes: the node that they were connected to says what they missed (RES-014).

use fanfare_testing::redis::Redis;
use serde_json::json;

use crate::cluster::pair;
use crate::resume::{back, counting, expect_resumed, offer};
use crate::support::server::TestServer;
use crate::support::socket::Socket;
use crate::support::{APP, eventually};

const APP_SETTINGS: &str = "resume_seconds = 60\nclient_events = true";

/// Waits until each node knows that the other one lives.
#[track_caller]
pub fn acquaint(nodes: [&TestServer; 2]) {
    for [from, to] in [nodes, [nodes[1], nodes[0]]] {
        eventually("a node knows the other", || {
            let (mut socket, token) = counting(from);
            socket.subscribe("acquaint");
            drop(socket);
            let (mut socket, _) = back(to, &json!({ "acquaint": [token, 0] }));
            socket.subscribe("acquaint");
            socket.json()["data"].as_str()?.contains("true").then_some(())
        });
    }
}

/// Two nodes that know each other.
pub fn nodes(redis: &Redis, app: &str) -> [TestServer; 2] {
    let [one, two] = pair(redis, app);
    acquaint([&one, &two]);
    [one, two]
}

#[track_caller]
pub fn join(socket: &mut Socket, channel: &str) {
    match channel {
        "presence-room" => drop(socket.join(APP, channel, r#"{"user_id":"ann"}"#)),
        "#server-to-user-ann" => {
            socket.sign_in(APP, r#"{"id":"ann"}"#);
            socket.subscribe(channel);
        }
        channel if channel.starts_with("private-") => socket.subscribe_private(APP, channel),
        channel => socket.subscribe(channel),
    }
}

#[test]
fn res_014_and_res_005_the_former_node_says_what_was_missed_of_every_kind_of_channel() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let [mut at_one, mut at_two] = [one.api(), two.api()];
    for channel in
        ["news", "private-orders", "private-encrypted-notes", "presence-room", "#server-to-user-ann"]
    {
        let event = |data: &str| match channel {
            "private-encrypted-notes" => format!(r#"{{"nonce":"{data}","ciphertext":"x"}}"#),
            _ => data.to_owned(),
        };
        let (mut socket, token) = counting(&one);
        join(&mut socket, channel);
        at_one.publish(channel, "e", &event("0"));
        socket.expect_event(channel, "e", &event("0"));
        at_one.publish(channel, "e", &event("in flight"));
        socket.expect_event(channel, "e", &event("in flight"));
        drop(socket);
        one.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
        at_one.publish(channel, "e", &event("1"));
        at_one.publish(channel, "e", &event("2"));
        let (mut socket, second) = back(&two, &json!({ channel: [token, 1] }));
        join(&mut socket, channel);
        for data in ["in flight", "1", "2"] {
            socket.expect_event(channel, "e", &event(data));
        }
        expect_resumed(&mut socket, channel, 3, true);
        for data in ["3", "4"] {
            at_two.publish(channel, "e", &event(data));
            socket.expect_event(channel, "e", &event(data));
        }
        // Back, and of what the first node had brought, one was lost in flight.
        let (mut socket, _) = back(&one, &json!({ channel: [second, 2] }));
        join(&mut socket, channel);
        for data in ["2", "3", "4"] {
            socket.expect_event(channel, "e", &event(data));
        }
        expect_resumed(&mut socket, channel, 3, true);
        at_one.publish(channel, "e", &event("5"));
        socket.expect_event(channel, "e", &event("5"));
        drop(socket);
        one.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    }
}

#[test]
fn res_014_what_another_node_has_brought_is_known_to_the_same_node_as_well() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    drop(socket);
    let mut api = one.api();
    for number in 0..3 {
        api.publish("news", "e", &number.to_string());
    }
    let (mut socket, second) = back(&two, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    // The page has got one of three.
    let (mut socket, third) = back(&two, &json!({ "news": [second, 1] }));
    socket.subscribe("news");
    socket.expect_event("news", "e", "1");
    socket.expect_event("news", "e", "2");
    expect_resumed(&mut socket, "news", 2, true);
    let (mut socket, _) = back(&one, &json!({ "news": [third, 1] }));
    socket.subscribe("news");
    socket.expect_event("news", "e", "2");
    expect_resumed(&mut socket, "news", 1, true);
}

#[test]
fn res_014_and_res_002_a_connection_that_seems_alive_on_another_node_ends() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut old, token) = counting(&one);
    old.subscribe("news");
    let (mut socket, _) = back(&two, &json!({ "news": [token, 0] }));
    one.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    socket.subscribe("news");
    expect_resumed(&mut socket, "news", 0, true);
}

#[test]
fn res_014_and_res_009_events_that_left_out_a_socket_of_the_page_are_not_replayed_on_another_node() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let mut api = one.api();
    let mut publish = |data: &str, socket: &str| {
        let body = json!({ "name": "e", "channel": "news", "data": data, "socket_id": socket });
        api.post("/events", body.to_string()).expect("{}");
    };
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    publish("of the old, while it lived", &socket.id);
    let old = socket.id.clone();
    drop(socket);
    publish("of the old", &old);
    // A connection that ends before the page has subscribed: the first node hears of it all the same.
    let (between, _) = back(&two, &json!({ "news": [token, 0] }));
    publish("of one between", &between.id);
    drop(between);
    two.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    let (mut socket, _) = back(&two, &json!({ "news": [token, 0] }));
    publish("of the new", &socket.id);
    publish("of nobody", "1.1");
    socket.subscribe("news");
    socket.expect_event("news", "e", "of nobody");
    expect_resumed(&mut socket, "news", 1, true);
}

#[test]
fn res_014_and_res_004_a_refused_subscription_on_another_node_is_replayed_nothing() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let channel = "private-orders.7";
    let (mut socket, token) = counting(&one);
    socket.subscribe_private(APP, channel);
    drop(socket);
    one.api().publish(channel, "e", "secret");
    let (mut socket, _) = back(&two, &json!({ channel: [token, 0] }));
    socket.ask_for(channel);
    socket.expect_error(&format!("Auth info required to subscribe to {channel}"));
    socket.expect_nothing_more();
    socket.subscribe_private(APP, channel);
    socket.expect_event(channel, "e", "secret");
    expect_resumed(&mut socket, channel, 1, true);
}

#[test]
fn res_014_and_res_010_client_events_of_others_are_replayed_on_another_node() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let channel = "private-room";
    let [(mut ann, token), (mut bob, _)] = [counting(&one), counting(&two)];
    ann.subscribe_private(APP, channel);
    bob.subscribe_private(APP, channel);
    ann.client_event(channel, "client-own", "1");
    bob.expect_event(channel, "client-own", "1");
    bob.client_event(channel, "client-typing", "2");
    ann.expect_event(channel, "client-typing", "2");
    let (mut ann, _) = back(&two, &json!({ channel: [token, 0] }));
    ann.subscribe_private(APP, channel);
    ann.expect_event(channel, "client-typing", "2");
    expect_resumed(&mut ann, channel, 1, true);
    bob.client_event(channel, "client-typing", "3");
    ann.expect_event(channel, "client-typing", "3");
}

#[test]
fn res_014_positions_that_another_node_cannot_resume_are_incomplete() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, &format!("{APP_SETTINGS}\nlimits = {{ resume_entries = 3 }}"));
    let (mut socket, token) = counting(&one);
    for channel in ["left", "above", "too-much"] {
        socket.subscribe(channel);
    }
    socket.unsubscribe("left");
    socket.expect_nothing_more();
    let mut api = two.api();
    let mut other = one.connect();
    offer(&mut other);
    other.subscribe("too-much");
    for number in 0..4 {
        api.publish("too-much", "e", &number.to_string());
        other.expect_event("too-much", "e", &number.to_string());
    }
    // The first 32 bits of a token are its node's.
    let forged = format!("{}AAAAAAAAAAAAAAAA", &token[..6]);
    let positions = json!({
        "left": [token, 0], "above": [token, 1], "never": [token, 0], "too-much": [token, 0], "forged": [forged, 0],
        "of no node": ["AAAAAAAAAAAAAAAAAAAAAA", 0], "of-no-node": ["AAAAAAAAAAAAAAAAAAAAAA", 0],
    });
    let (mut socket, _) = back(&two, &positions);
    for channel in ["left", "above", "never", "too-much", "forged", "of-no-node"] {
        socket.subscribe(channel);
        expect_resumed(&mut socket, channel, 0, false);
    }
}

#[test]
fn res_014_a_token_of_no_living_node_costs_the_cluster_no_message() {
    let redis = Redis::start();
    let [_one, two] = nodes(&redis, APP_SETTINGS);
    let positions: serde_json::Map<String, serde_json::Value> =
        (0..50).map(|at| (format!("c{at}"), json!([format!("A{at:021}"), 0]))).collect();
    let (mut socket, _) = back(&two, &json!({}));
    let sent = two.metric("fanfare_bus_sent_total");
    socket.send(&format!(r#"{{"event":"fanfare:resume","data":{}}}"#, json!(positions)));
    for channel in positions.keys() {
        socket.subscribe(channel);
        expect_resumed(&mut socket, channel, 0, false);
    }
    assert!((two.metric("fanfare_bus_sent_total") - sent).abs() < 0.5);
}

#[test]
fn res_014_a_cache_channel_greets_with_its_kept_event_and_says_that_something_may_be_missing() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let channel = "cache-rates";
    let (mut socket, token) = counting(&one);
    socket.subscribe(channel);
    socket.expect_cache_miss(channel);
    one.api().publish(channel, "e", "1");
    socket.expect_event(channel, "e", "1");
    let (mut socket, _) = back(&two, &json!({ channel: [token, 2] }));
    socket.subscribe(channel);
    socket.expect_event(channel, "e", "1");
    expect_resumed(&mut socket, channel, 0, false);
}
