//! The live list of an app on several nodes: one stream of all, whichever is asked (CON-026, CON-037, CON-074).

use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::cluster::{bus, expect_ready};
use crate::cluster_lists::{Pair, pair};
use crate::inspect_channels::field;
use crate::support::admin::Admin;
use crate::support::eventually;
use crate::support::live::{LiveList, told};
use crate::support::server::TestServer;
use crate::support::setup::{Setup, binary, run};

/// A token for both nodes.
fn token(pair: &Pair, scopes: &str) -> String {
    let words = ["token", "create", "--name", "t", "--scope", scopes, "--json"];
    let made = run(binary(pair.one.folder()).args(words).env("DATABASE_URL", pair.postgres.url()));
    assert_eq!(made.status, 0, "{}", made.stderr);
    let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
    made["token"].as_str().expect("a token").to_owned()
}

/// The list of a node that shows both.
#[track_caller]
fn of_both(server: &TestServer, token: &str, query: &str, other: &str) -> LiveList {
    let mut list = LiveList::open(server, token, query);
    let said = list.nodes(|said| said["answering"] == json!([other]));
    assert_eq!(said, json!({"nodes": [], "answering": [other], "full": [], "redis": true}));
    list
}

/// How many lists of other nodes this one looks for.
fn served(admin: &Admin) -> Value {
    admin.get("/v1/node").expect(200)["live_lists"]["of_other_nodes"].clone()
}

/// The second node once more.
fn again(postgres: &Postgres, redis: &Redis) -> TestServer {
    let settings = bus(redis, "node_name = \"two\"");
    let server = Setup::bare().env("DATABASE_URL", &postgres.url()).config(&settings).start();
    expect_ready(&server, 200, "ready");
    server
}

#[test]
fn con_037_and_con_074_one_list_shows_what_happens_on_both_nodes_with_the_nodes_names() {
    let pair = pair();
    let token = token(&pair, "read");
    let mut list = of_both(&pair.one, &token, "?kinds=connected,subscribed,event,client_event", "two");
    let mut ids = Vec::new();
    let mut next = |kind: &str| {
        let entry = list.entry();
        assert_eq!(entry["kind"], kind, "{entry}");
        ids.push(entry["id"].as_u64().expect("a number"));
        entry
    };
    for (server, name) in [(&pair.one, "one"), (&pair.two, "two")] {
        let mut socket = server.connect();
        let entry = next("connected");
        assert_eq!((&entry["node"], &entry["socket"]), (&json!(name), &json!(socket.id)));
        socket.subscribe("news");
        assert_eq!(next("subscribed")["node"], name);
        server.api().publish("news", "shipped", r#"{"id":7}"#);
        let entry = next("event");
        assert_eq!(entry["node"], name);
        assert_eq!(
            told(&entry),
            json!({"kind": "event", "channel": "news", "event": "shipped", "bytes": 8, "receivers": 1, "by": "key:278d"}),
            "once, by the node that took the event"
        );
        socket.close();
    }
    assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
}

#[test]
fn con_037_other_nodes_filter_and_give_what_events_carry_only_where_it_may_be_seen() {
    let pair = pair();
    let (without, with) = (token(&pair, "read"), token(&pair, "read,payloads"));
    let query = "?kinds=event&channel=private-orders.*&event=shipped";
    let mut plain = of_both(&pair.one, &without, query, "two");
    let mut full = of_both(&pair.one, &with, query, "two");
    let mut api = pair.two.api();
    for (channel, event) in
        [("private-orders.7", "other"), ("orders.7", "shipped"), ("private-orders.7", "shipped")]
    {
        api.publish(channel, event, r#"{"card":1234}"#);
    }
    let long = "y".repeat(5000);
    api.publish("private-orders.8", "shipped", &long);
    for list in [&mut plain, &mut full] {
        let entry = list.entry();
        assert_eq!((&entry["channel"], &entry["event"]), (&json!("private-orders.7"), &json!("shipped")));
        let data = entry.get("data").map(|data| (data.clone(), entry["whole"].clone()));
        let rest = list.entry();
        assert_eq!(rest["channel"], "private-orders.8");
        match data {
            Some(data) => {
                assert_eq!(data, (json!(r#"{"card":1234}"#), json!(true)));
                assert_eq!((&rest["data"], &rest["whole"]), (&json!(&long[..4096]), &json!(false)));
            }
            None => assert_eq!(rest.get("data"), None),
        }
    }
    // A line of the audit log of the list alone, not of each node.
    let log = pair.at_two.get("/v1/audit?limit=200").expect(200);
    let looks = field(&log, "entries", "action").iter().filter(|action| **action == "live.payloads").count();
    assert_eq!(looks, 1, "{log}");
}

#[test]
fn con_037_a_change_of_the_app_is_shown_once_though_every_node_follows_it() {
    let pair = pair();
    let token = token(&pair, "read,write");
    let mut list = of_both(&pair.one, &token, "?kinds=app_changed,event", "two");
    let writer = Admin::nobody(&pair.two).bearing(&token);
    let mut tellers = Vec::new();
    for most in [7, 8] {
        writer.patch("/v1/apps/3", &format!(r#"{{"settings":{{"max_connections":{most}}}}}"#)).expect(200);
        // Behind all that the other node has to tell of the change.
        pair.two.api().publish("news", "after", "{}");
        let (before, mut is_after) = (tellers.len(), false);
        while !is_after || tellers.len() == before {
            let entry = list.entry();
            match entry["kind"].as_str() {
                Some("app_changed") => tellers.push(entry["node"].clone()),
                _ => is_after = true,
            }
        }
    }
    assert_eq!(tellers, ["one", "one"]);
}

#[test]
fn con_037_a_node_that_does_not_answer_is_named_and_no_more_when_it_is_back() {
    let pair = pair();
    let token = token(&pair, "read");
    let mut list = of_both(&pair.one, &token, "", "two");
    drop(pair.two.killed());
    let said = list.nodes(|said| said["nodes"] == json!(["two"]));
    assert_eq!((&said["answering"], &said["redis"]), (&json!([]), &json!(true)));
    let two = again(&pair.postgres, &pair.redis);
    let said = list.nodes(|said| said["nodes"] == json!([]));
    assert_eq!(said["answering"], json!(["two"]));
    two.expect_app_known();
    two.api().publish("news", "shipped", "{}");
    while list.entry()["event"] != "shipped" {}
}

#[test]
fn con_037_while_redis_is_away_the_list_says_so_and_afterwards_nothing_is_lost_without_a_word() {
    let mut pair = pair();
    let token = token(&pair, "read");
    let mut list = of_both(&pair.one, &token, "?kinds=event", "two");
    pair.redis.kill();
    let said = list.nodes(|said| said["redis"] == false);
    assert_eq!((&said["nodes"], &said["answering"]), (&json!(["two"]), &json!([])));
    pair.one.api().publish("news", "here", "{}");
    assert_eq!(list.entry()["event"], "here", "this node goes on");
    pair.two.api().publish("news", "meanwhile", "{}");
    pair.redis.restart();
    // The other node has kept the event, or has lost the part that told it.
    let (mut is_told, mut is_there) = (false, false);
    while !is_told || !is_there {
        let message = list.message().expect("the stream goes on");
        match message.event.as_deref() {
            None => is_told |= message.data["event"] == "meanwhile",
            Some("left_out") => is_told |= message.data["count"].is_null(),
            Some(_) => is_there = message.data["answering"] == json!(["two"]),
        }
    }
}

#[test]
fn con_037_a_list_lasts_on_other_nodes_as_long_as_it_is_read() {
    let pair = pair();
    let token = token(&pair, "read");
    let mut list = of_both(&pair.one, &token, "?kinds=event", "two");
    assert_eq!(served(&pair.at_two), 1);
    assert_eq!(served(&pair.at_one), 0);
    pair.two.api().publish("news", "first", "{}");
    let first = list.entry();
    drop(list);
    // A reader who comes back goes on with the same, and gets what the other node has told meanwhile.
    pair.two.api().publish("news", "meanwhile", "{}");
    let mut back = eventually("the reader has gone", || {
        LiveList::try_open(&pair.one, &token, "?kinds=event", first["id"].as_u64())
    });
    let entry = loop {
        let message = back.message().expect("the stream goes on");
        match message.event.as_deref() {
            None => break message.data,
            Some(event) => assert_eq!(event, "missing", "no gap"),
        }
    };
    assert_eq!((&entry["event"], &entry["node"]), (&json!("meanwhile"), &json!("two")));
    drop(back);
    eventually("the other node looks no more", || (served(&pair.at_two) == 0).then_some(()));
}

#[test]
fn con_037_a_flood_on_another_node_is_shown_as_a_sample_with_true_counts() {
    let pair = pair();
    let token = token(&pair, "read,payloads");
    let mut list = of_both(&pair.one, &token, "?kinds=event,client_event", "two");
    list.sees_a_flood(&mut pair.two.api(), |entry| assert_eq!(entry["node"], "two"));
}

#[test]
fn con_037_a_node_that_looks_for_as_many_lists_as_it_may_says_so_and_is_named() {
    let pair = pair();
    let topic = pair.redis.says(&["PUBSUB", "CHANNELS", "fanfare:*control"]);
    let topic = topic.lines().next().expect("a topic").to_owned();
    // Taps of a node that nobody else knows of: mark, version, kind, flags, node, number, exception, name, tap, lease, filter.
    let script = "local filter = '{\"kinds\":[],\"channel\":null,\"event\":null,\"socket\":null,\"user\":null,\"data\":false}'
        for tap = 1, 32 do
            redis.call('PUBLISH', ARGV[1], string.char(250, 1, 12, 0) .. string.rep(string.char(9), 8) ..
                string.rep(string.char(0), 12) .. string.char(0, 1) .. '3' .. string.rep(string.char(0), 7) ..
                string.char(tap, 0, 0, 234, 96) .. filter)
        end";
    pair.redis.says(&["EVAL", script, "0", &topic]);
    for admin in [&pair.at_one, &pair.at_two] {
        eventually("all are looked for", || (served(admin) == 32).then_some(()));
    }
    let token = token(&pair, "read");
    let mut list = LiveList::open(&pair.one, &token, "");
    let said = list.nodes(|said| said["full"] == json!(["two"]));
    assert_eq!((&said["nodes"], &said["answering"]), (&json!(["two"]), &json!([])));
    // What is garbled is counted, and nothing else happens.
    let garbled =
        "redis.call('PUBLISH', ARGV[1], string.char(250, 1, 12, 0) .. string.rep(string.char(9), 24))";
    pair.redis.says(&["EVAL", garbled, "0", &topic]);
    pair.two.expect_metric("fanfare_bus_malformed_total", 1.0);
}
