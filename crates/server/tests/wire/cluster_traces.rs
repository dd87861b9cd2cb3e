//! Where an event went among several nodes: each node's subscribers, names that are open on another node, and the last traces of all
//! nodes (CON-026, CON-042, CON-043).

use fanfare_testing::redis::Redis;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::{expect_ready, pair};
use crate::cluster_lists::{Pair, is_of_both, once, pair_with};
use crate::inspect_channels::{field, paged};
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

/// Two nodes with an app that keeps traces.
fn tracing_pair() -> Pair {
    let pair = pair_with("", &["trace=true"]);
    once(&pair.at_one, "traces", is_of_both);
    once(&pair.at_two, "traces", is_of_both);
    pair
}

fn names(list: &Value) -> Vec<String> {
    field(list, "traces", "event").iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn con_026_and_con_043_the_traces_of_any_node_are_those_of_all_the_newest_first() {
    let pair = tracing_pair();
    let mut listener = pair.two.connect();
    listener.subscribe("news");
    let mut apis = [pair.one.api(), pair.two.api()];
    let mut wanted = Vec::new();
    let mut published = String::new();
    for at in 0..10 {
        let name = format!("e{at}");
        let event = json!({"name": name, "channel": "news", "data": "TOP-SECRET"}).to_string();
        let answer = apis[at % 2].post("/events", event);
        published = answer.head.header("fanfare-event-id").expect("an id").to_owned();
        wanted.insert(0, name);
        // The next event is of a later moment.
        let last = published[..10].to_owned();
        eventually("the next millisecond", || {
            let answer = apis[0].post("/events", r#"{"name":"e","channel":"news","data":"1"}"#);
            let id = answer.head.header("fanfare-event-id").expect("an id").to_owned();
            (id[..10] > *last).then_some(())
        });
    }
    pair.two
        .api()
        .post("/events", r#"{"name":"pusher:no","channel":"news","data":"1"}"#)
        .refused(400, "reserved");
    wanted.insert(0, "pusher:no".to_owned());
    let is_whole = |list: &Value| is_of_both(list) && names(list).contains(&"pusher:no".to_owned());
    let mut lists = [&pair.at_one, &pair.at_two].map(|admin| {
        let list = once(admin, "traces", is_whole);
        assert_eq!(
            (&list["missing"], &list["next"], &list["trace"]),
            (&json!([]), &Value::Null, &json!(true))
        );
        let told: Vec<String> = names(&list).into_iter().filter(|name| name != "e").collect();
        assert_eq!(told, wanted);
        for row in list["traces"].as_array().expect("a list") {
            let node = match row["event"].as_str().and_then(|name| name.strip_prefix('e')) {
                Some("" | "0" | "2" | "4" | "6" | "8") => "one",
                _ => "two",
            };
            assert_eq!(row["node"], node, "{row}");
        }
        let pages = paged(admin, "/v1/apps/3/traces?", "traces", 3);
        assert_eq!(json!(pages), list["traces"], "every row is on one page");
        list["traces"].clone()
    });
    assert_eq!(lists[0].take(), lists[1], "whichever node is asked");
    for admin in [&pair.at_one, &pair.at_two] {
        let found = once(admin, &format!("traces?event_id={published}"), is_of_both);
        assert_eq!((names(&found), &found["traces"][0]["node"]), (vec!["e9".to_owned()], &json!("two")));
        assert_eq!(found["traces"][0]["channels"][0]["took"], 1);
    }
    let operator = pair.at_one.get("/v1/apps/3/traces");
    assert!(!operator.answer.body.contains("TOP-SECRET"), "no event's data");
}

#[test]
fn con_026_and_con_043_a_page_goes_on_behind_its_last_row_whatever_is_published_meanwhile() {
    let pair = tracing_pair();
    let publish = |name: &str| {
        for server in [&pair.one, &pair.two] {
            let event = json!({"name": name, "channels": ["a", "b"], "data": "1"}).to_string();
            server.api().post("/events", event).expect("{}");
        }
    };
    (0..3).for_each(|_| publish("before"));
    let page = once(&pair.at_one, "traces?limit=2", |list| {
        is_of_both(list) && names(list).len() == 2 && list["next"].is_string()
    });
    let whole = once(&pair.at_one, "traces", |list| names(list).len() == 6);
    assert_eq!(
        page["traces"].as_array().expect("a list")[..],
        whole["traces"].as_array().expect("a list")[..2]
    );
    publish("after");
    let next = page["next"].as_str().expect("more");
    // The other node goes on with the page of this one.
    for admin in [&pair.at_one, &pair.at_two] {
        let rest = once(admin, &format!("traces?limit=10&after={next}"), is_of_both);
        assert_eq!(
            rest["traces"].as_array().expect("a list")[..],
            whole["traces"].as_array().expect("a list")[2..]
        );
        assert_eq!(rest["next"], Value::Null);
    }
}

#[test]
fn con_026_and_con_043_traces_say_which_nodes_are_missing_also_without_redis() {
    let Pair { one, two, at_one, redis, postgres: _postgres, .. } = tracing_pair();
    for server in [&one, &two] {
        server.api().post("/events", r#"{"name":"e","channel":"a","data":"1"}"#).expect("{}");
    }
    once(&at_one, "traces", |list| {
        let nodes = field(list, "traces", "node");
        is_of_both(list) && nodes.len() == 2 && nodes[0] != nodes[1]
    });
    two.process.signal(Signal::STOP);
    let silent = once(&at_one, "traces", |list| list["missing"] == json!(["two"]));
    two.process.signal(Signal::CONT);
    assert_eq!((field(&silent, "traces", "node"), &silent["nodes"]), (vec![json!("one")], &json!(["one"])));
    drop(redis);
    expect_ready(&one, 200, "degraded");
    let alone = once(&at_one, "traces", |list| list["missing"] == Value::Null);
    assert_eq!((field(&alone, "traces", "node"), &alone["of"]), (vec![json!("one")], &json!("this node")));
}
