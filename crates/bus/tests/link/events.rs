//! Events between nodes: order, each once, kept ones, bounds.

use fanfare_bus::{ClusterQuestion, ClusterReply};
use fanfare_testing::redis::Redis;
use fanfare_testing::until;
use tokio::time::Instant;

use crate::support::{Node, app, assert_in_touch, channel};

#[test]
fn cl_001_and_cl_002_events_come_once_and_in_order_and_not_to_their_own_node() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    for node in [&one, &other] {
        node.open("a");
        node.open("b");
    }
    for number in 0..5000 {
        one.publish("a", &number.to_string());
        one.publish("b", &number.to_string());
    }
    other.hears("a 4999");
    other.hears("b 4999");
    for name in ["a ", "b "] {
        let heard: Vec<String> =
            other.told().iter().filter_map(|text| text.strip_prefix(name).map(str::to_owned)).collect();
        assert_eq!(heard, (0..5000).map(|number| number.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(one.told(), [] as [&str; 0]);
    let counters = other.bus.counters();
    assert_eq!((counters.heard.get(), counters.missed.get(), counters.malformed.get()), (10_000, 0, 0));
    one.until("all are counted", || (one.bus.counters().sent.get() == 10_000).then_some(()));
}

#[test]
fn cl_008_a_node_hears_nothing_of_topics_that_it_has_not_opened() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    other.open("a");
    let layout = other.bus.layout();
    let elsewhere = (0..).map(|number| format!("b{number}"));
    let partition = layout.partition(&app(), &channel("a"));
    let name =
        elsewhere.into_iter().find(|name| layout.partition(&app(), &channel(name)) != partition).unwrap();
    one.publish(&name, "1");
    assert_in_touch(&one, &other, "a");
    assert_eq!(other.told().len(), 1);
}

#[test]
fn cl_040_kept_events_come_to_all_in_one_order_and_stay_in_redis() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    one.open("cache-a");
    other.open("cache-a");
    one.keep("cache-a", "1");
    one.hears("kept own cache-a 1");
    other.hears("kept other cache-a 1");
    other.keep("cache-a", "2");
    one.hears("kept other cache-a 2");
    match one.ask(ClusterQuestion::Cached(channel("cache-a"))) {
        Some(ClusterReply::Cached(Some((text, lives)))) => {
            assert!(text == "2" && (50_000..=60_000).contains(&lives))
        }
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn cl_115_what_is_more_than_waits_is_dropped_and_counted() {
    let mut redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    redis.kill();
    node.away();
    let text = "x".repeat(256 * 1024);
    for _ in 0..200 {
        node.publish("a", &text);
    }
    let counters = node.bus.counters();
    assert!(counters.dropped_full.get() > 0, "50 MiB are more than 32");
    node.until("what waited two seconds is dropped, too", || {
        (counters.dropped_link.get() + counters.dropped_full.get() == 200).then_some(())
    });
    assert_eq!(node.bus.links()[0].waiting, (0, 0));
}

#[test]
fn a_message_over_a_mebibyte_is_not_sent() {
    let redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    node.publish("a", &"x".repeat(1024 * 1024 + 1));
    assert_eq!(node.bus.counters().dropped_long.get(), 1);
}

#[test]
fn cl_070_a_node_that_ends_sends_what_waits_and_gives_its_leases_back() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    other.open("a");
    let live = one.bus.layout().key(0, "live");
    assert!(redis.says(&["ZRANGE", &live, "0", "-1"]).contains("0000000000000001"));
    one.publish("a", "the last");
    one.run(one.bus.end(Instant::now() + std::time::Duration::from_secs(30)));
    other.hears("a the last");
    assert_eq!(redis.says(&["ZRANGE", &live, "0", "-1"]), "0000000000000002");
    until("the connections are closed", || (redis.clients("pubsub") == 1).then_some(()));
    assert!(one.ask(ClusterQuestion::Nodes).is_none());
}
