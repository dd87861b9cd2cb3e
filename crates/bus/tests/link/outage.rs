//! Redis killed, hung, demoted, full, or robbed of its scripts: a link is away, says why, and comes back by itself.

use std::thread::sleep;
use std::time::Duration;

use fanfare_bus::Settings;
use fanfare_bus::partition::Topic;
use fanfare_testing::redis::Redis;

use crate::support::{Node, app, assert_in_touch, channel, settings};

fn pair(redis: &Redis) -> (Node, Node) {
    let nodes = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    nodes.1.open("a");
    assert_in_touch(&nodes.0, &nodes.1, "a");
    nodes
}

fn assert_back(nodes: &(Node, Node)) {
    nodes.0.wait_until_up();
    nodes.1.wait_until_up();
    assert_in_touch(&nodes.0, &nodes.1, "a");
}

#[test]
fn cl_103_a_redis_that_is_killed_and_restarted_is_used_again() {
    let mut redis = Redis::start();
    let nodes = pair(&redis);
    for outage in [1, 15] {
        redis.kill();
        nodes.0.away();
        nodes.1.away();
        sleep(Duration::from_secs(outage));
        redis.restart();
        assert_back(&nodes);
    }
    assert!(nodes.0.bus.counters().lost.get() >= 2);
}

#[test]
fn a_redis_that_is_away_at_first_is_used_when_it_comes() {
    let mut redis = Redis::start();
    redis.kill();
    let node = Node::start(&redis.url(), 1);
    node.away_for("cannot be reached");
    redis.restart();
    node.wait_until_up();
}

#[test]
fn cl_104_a_redis_that_hangs_is_noticed_and_used_again() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    redis.signal("STOP");
    nodes.0.away_for("does not answer");
    nodes.1.away();
    // Both connections notice for themselves.
    let has_lost = |node: &Node| (node.bus.counters().lost.get() == 1).then_some(());
    nodes.0.until("the loss is counted", || has_lost(&nodes.0));
    redis.signal("CONT");
    assert_back(&nodes);
}

#[test]
fn cl_108_a_master_that_is_demoted_is_left_with_both_connections() {
    let (redis, other) = (Redis::start(), Redis::start());
    let nodes = pair(&redis);
    redis.says(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    nodes.0.away_for("another server has the data");
    nodes.1.away_for("another server has the data");
    nodes.1.until("nobody listens there", || (redis.clients("pubsub") == 0).then_some(()));
    redis.says(&["REPLICAOF", "NO", "ONE"]);
    assert_back(&nodes);
    assert!(nodes.0.bus.counters().moved.get() >= 1);
}

#[test]
fn cl_102_a_subscription_that_is_lost_alone_is_made_again() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    redis.says(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    nodes.1.until("the loss is counted", || {
        (nodes.1.bus.counters().subscriptions_lost.get() == 1).then_some(())
    });
    assert_back(&nodes);
    assert_eq!(nodes.1.bus.counters().lost.get(), 0);
}

#[test]
fn scripts_that_are_flushed_are_loaded_again() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    redis.says(&["SCRIPT", "FLUSH"]);
    nodes.0.until("the loss is counted", || (nodes.0.bus.counters().lost.get() == 1).then_some(()));
    assert_back(&nodes);
}

#[test]
fn what_redis_says_against_a_command_is_said_to_the_operator() {
    let redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    let live = node.bus.layout().key(0, "live");
    redis.says(&["SET", &live, "something else"]);
    node.away_for("WRONGTYPE");
    redis.says(&["DEL", &live]);
    node.wait_until_up();
}

#[test]
fn cl_106_a_full_redis_still_carries_events() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    for node in [&nodes.0, &nodes.1] {
        node.open("cache-a");
        node.wait_until_live("cache-a");
    }
    redis.says(&["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"]);
    for _ in 0..3 {
        assert_in_touch(&nodes.0, &nodes.1, "a");
        sleep(Duration::from_millis(500));
    }
    // Events of cache channels are delivered as well; nothing is kept of them, which is counted.
    let refused = |node: &Node| node.bus.machine_numbers().iter().map(|numbers| numbers.refused_oom).sum();
    let before: u64 = refused(&nodes.0);
    for number in 0..3 {
        nodes.0.keep("cache-a", &format!("kept {number}"));
        nodes.1.hears(&format!("kept other cache-a kept {number}"));
        nodes.0.hears(&format!("kept own cache-a kept {number}"));
    }
    nodes.0.until("the refusals are counted", || (refused(&nodes.0) >= before + 3).then_some(()));
    assert_eq!(redis.says(&["--scan", "--pattern", "*cache:*"]), "");
    // A node that comes meanwhile gets its leases as well.
    let late = Node::up(&redis.url(), 3);
    assert_in_touch(&late, &nodes.1, "a");
    assert_eq!(nodes.0.bus.counters().lost.get(), 0);
}

#[test]
fn cl_116_a_redis_that_is_flushed_is_noticed_at_the_next_beat() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    redis.says(&["FLUSHALL"]);
    let live = nodes.0.bus.layout().key(0, "live");
    nodes.0.until("both have leases again", || (redis.says(&["ZCARD", &live]) == "2").then_some(()));
    assert_back(&nodes);
    assert!(nodes.0.bus.machine_numbers()[0].fenced >= 1);
}

#[test]
fn cl_114_a_node_that_reads_too_slowly_is_cut_off_by_redis_and_comes_back() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    redis.says(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 1mb 1"]);
    let gate = nodes.1.shut_gate();
    let text = "x".repeat(256 * 1024);
    let is_cut = || nodes.1.bus.counters().subscriptions_lost.get() >= 1;
    nodes.1.until("Redis cuts the subscription", || {
        nodes.0.publish("a", &text);
        assert!(nodes.1.bus.heard_bytes() < 20 * 1024 * 1024, "the reader has stopped");
        is_cut().then_some(())
    });
    drop(gate);
    // What still waits at the sender may have Redis cut the subscription again, and this text with it: so many times.
    nodes.1.until("the node hears again", || {
        nodes.0.publish("a", "back");
        nodes.1.told().iter().any(|told| told == "a back").then_some(())
    });
    // Nothing waits any more.
    assert_back(&nodes);
    assert!(nodes.1.bus.counters().missed.get() > 0, "what was cut off is counted");
}

#[test]
fn cl_116_the_layout_is_written_down_again_after_a_flush() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    let key = nodes.0.bus.layout().layout_key();
    redis.says(&["FLUSHALL"]);
    nodes.0.until("the layout is there", || (redis.says(&["GET", &key]) == "1:16").then_some(()));
    let other = Node::with(Settings { partitions: 32, ..settings(&[&redis.url()], 3) });
    other.away_for("has layout 1:16, this node's is 1:32");
    assert_back(&nodes);
    assert_eq!(nodes.0.bus.counters().lost.get(), 0);
}

#[test]
fn cl_116_who_finds_the_layout_of_others_after_a_flush_stays_away_and_says_why() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    let key = nodes.0.bus.layout().layout_key();
    redis.says(&["EVAL", "redis.call('FLUSHALL'); redis.call('SET', KEYS[1], '1:32')", "1", &key]);
    nodes.0.away_for("has layout 1:32, this node's is 1:16");
}

/// The epochs of all partitions.
fn epochs(redis: &Redis, node: &Node) -> Vec<String> {
    let layout = node.bus.layout();
    (0..16).map(|number| redis.says(&["HGET", &layout.key(number, "epoch"), "id"])).collect()
}

#[test]
fn n7_a_replica_that_comes_under_standing_connections_lets_one_new_epoch_begin() {
    let (redis, replica) = (Redis::start(), Redis::start());
    let nodes = pair(&redis);
    let whose = || {
        let info = redis.says(&["INFO", "replication"]);
        info.lines().find(|line| line.starts_with("master_replid:")).unwrap().trim().to_owned()
    };
    let before = whose();
    replica.says(&["REPLICAOF", "127.0.0.1", &redis.port.to_string()]);
    nodes.0.until("the data has another name", || (whose() != before).then_some(()));
    // The first hello since then.
    let third = Node::up(&redis.url(), 3);
    let begun = |node: &Node| node.bus.machine_numbers()[0].epochs;
    for node in [&nodes.0, &nodes.1] {
        node.until("both are in the new epochs", || (begun(node) >= 16).then_some(()));
    }
    let after = epochs(&redis, &third);
    sleep(Duration::from_secs(3));
    assert_eq!(epochs(&redis, &third), after, "nobody begins another");
    assert_eq!([begun(&nodes.0), begun(&nodes.1), begun(&third)], [16, 16, 0]);
    assert_back(&nodes);
}

#[test]
fn n7_a_delta_of_an_unknown_epoch_ends_no_lease() {
    let redis = Redis::start();
    let nodes = pair(&redis);
    let layout = nodes.1.bus.layout();
    let topic = Topic { partition: layout.partition(&app(), &channel("a")), app: app() };
    let (name, generations) = (layout.topic_name(&topic), layout.key(topic.partition, "gen"));
    let delta =
        "return redis.call('PUBLISH', ARGV[1], cmsgpack.pack({1, 'nowhere', 7, 'A', 'presence-a', 'u', ''}))";
    let of_now = || redis.says(&["HVALS", &generations]);
    let before = of_now();
    for _ in 0..50 {
        assert_eq!(redis.says(&["EVAL", delta, "0", &name]), "1");
    }
    let unknown = || nodes.1.bus.machine_numbers()[0].unknown;
    nodes.1.until("all of them are counted", || (unknown() >= 50).then_some(()));
    assert_eq!((of_now(), nodes.1.bus.links()[0].is_up), (before, true));
    assert_in_touch(&nodes.0, &nodes.1, "a");
}
