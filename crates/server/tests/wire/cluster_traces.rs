//! Where an event went among several nodes: each node's subscribers, and names that are open on another node (CON-042).

use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::cluster::pair;
use crate::support::eventually;
use crate::support::server::TestServer;

/// The trace of a publish through this node, on one channel.
fn traced(server: &TestServer, channel: &str, except: &str) -> Value {
    let event = json!({"name": "e", "channel": channel, "data": "1", "info": "trace", "socket_id": except});
    let answer = server.api().post("/events", event.to_string());
    let mut answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    answer["trace"]["channels"][0].take()
}

#[test]
fn con_042_the_subscribers_of_each_node_are_counted_and_those_that_took_the_event_or_were_excluded() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let mut sockets = [one.connect(), two.connect(), two.connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
        socket.subscribe("cache-news");
    }
    let _elsewhere = two.connect();
    for channel in ["news", "cache-news"] {
        let reach = eventually("the other node's subscribers are in Redis", || {
            let reach = traced(&one, channel, &sockets[1].id);
            (reach["subscribers"] == 3).then_some(reach)
        });
        let counts = ["took", "excluded"].map(|name| reach[name].as_u64());
        assert_eq!((counts, &reach["hint"]), ([Some(2), Some(1)], &Value::Null), "{channel}");
        assert_eq!(reach["nodes"], json!({"one": 1, "two": 2}));
    }
}

#[test]
fn con_042_a_name_that_is_open_on_another_node_is_a_hint() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let mut socket = two.connect();
    socket.subscribe("orders");
    let reach = eventually("the other node's channel is in Redis", || {
        let reach = traced(&one, "private-orders", "1.1");
        assert_eq!(
            (&reach["subscribers"], &reach["took"], &reach["nodes"]),
            (&json!(0), &json!(0), &json!({}))
        );
        (reach["hint"]["kind"] == "prefix").then_some(reach)
    });
    assert_eq!(reach["hint"]["channel"], "orders");
}
