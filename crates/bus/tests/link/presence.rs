//! Who is where, through the whole of the bus: rosters of two nodes, webhooks, and what a fault leaves.

use std::thread::sleep;
use std::time::Duration;

use fanfare_bus::{ClusterQuestion, ClusterReply, UsageReport};
use fanfare_protocol::cluster::{OpenChannel, Snapshot, Telling};
use fanfare_protocol::webhook::Transition;
use fanfare_testing::redis::{Cluster, Redis};

use crate::support::{Node, app, channel};

const ROOM: &str = "presence-room";

/// Ann on one node, bob on the other, and both know.
fn couple(url: &str) -> (Node, Node) {
    let (one, other) = (Node::up(url, 1), Node::up(url, 2));
    one.begin(ROOM);
    one.join(ROOM, "ann");
    one.count(ROOM, 1);
    one.is_told("presence-room confirmed ann");
    other.begin(ROOM);
    other.join(ROOM, "bob");
    other.count(ROOM, 1);
    other.is_told("presence-room confirmed bob");
    one.lists(ROOM, "bob", true);
    (one, other)
}

fn users(node: &Node) -> Vec<String> {
    match node.ask(ClusterQuestion::Users(channel(ROOM))) {
        Some(ClusterReply::Users(users)) => users.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn cl_011_who_comes_and_goes_on_one_node_is_told_on_the_other() {
    for cluster in [false, true] {
        let (redis, shards) = (Redis::start(), cluster.then(|| Cluster::start(0)));
        let url = shards.as_ref().map_or_else(|| redis.url(), Cluster::url);
        let (one, other) = couple(&url);
        assert_eq!(users(&one), ["ann", "bob"]);
        other.leave(ROOM, "bob");
        one.lists(ROOM, "bob", false);
        assert_eq!(users(&one), ["ann"], "{cluster}");
    }
}

#[test]
fn cl_100_users_of_a_node_that_dies_are_taken_away() {
    let redis = Redis::start();
    let (one, other) = couple(&redis.url());
    drop(other);
    one.lists(ROOM, "bob", false);
    assert_eq!(users(&one), ["ann"]);
    one.until("the row is counted", || (one.bus.machine_numbers()[0].rows_reaped >= 1).then_some(()));
}

#[test]
fn cl_070_users_of_a_node_that_ends_are_taken_away_at_once() {
    let redis = Redis::start();
    let (one, other) = couple(&redis.url());
    other.run(other.bus.end(tokio::time::Instant::now() + Duration::from_secs(30)));
    one.lists(ROOM, "bob", false);
}

#[test]
fn cl_120_nobody_is_told_of_a_going_because_redis_came_back_empty() {
    let mut redis = Redis::start();
    let (one, other) = couple(&redis.url());
    redis.kill();
    one.away();
    redis.restart();
    one.wait_until_up();
    other.wait_until_up();
    one.until("both are there again", || (users(&one) == ["ann", "bob"]).then_some(()));
    sleep(Duration::from_secs(9));
    assert_eq!(users(&other), ["ann", "bob"]);
    assert!(!one.outcomes().iter().chain(&other.outcomes()).any(|told| told.contains("removed")));
}

#[test]
fn cl_030_one_node_tells_webhooks_and_each_thing_once() {
    let redis = Redis::start();
    let (one, other) = couple(&redis.url());
    let all = || [one.hooks(), other.hooks()].concat();
    let events =
        || all().into_iter().flat_map(|batch| batch.events).map(|event| event.transition).collect::<Vec<_>>();
    // The first start of a cluster is an epoch of its own: webhooks wait for eight seconds (CL-034).
    one.until("three things", || (events().len() >= 3).then_some(()));
    one.leave(ROOM, "ann");
    one.count(ROOM, 0);
    one.until("the going is told later", || (events().len() >= 4).then_some(()));
    let told = events();
    let count = |wanted: fn(&Transition) -> bool| told.iter().filter(|one| wanted(one)).count();
    assert_eq!(count(|one| matches!(one, Transition::Occupied { .. })), 1, "{told:?}");
    assert_eq!(count(|one| matches!(one, Transition::Joined { .. })), 2, "{told:?}");
    assert_eq!(count(|one| matches!(one, Transition::Left { .. })), 1, "{told:?}");
    assert!(one.hooks().is_empty() != other.hooks().is_empty(), "one sender for the partition");
    let stream = one.bus.layout().key(one.bus.layout().partition(&app(), &channel(ROOM)), "hooks");
    one.until("what was sent is removed", || (redis.says(&["XLEN", &stream]) == "0").then_some(()));
}

#[test]
fn cl_115_a_snapshot_takes_the_place_of_changes_that_were_lost() {
    let redis = Redis::start();
    let (one, other) = couple(&redis.url());
    let open = OpenChannel {
        channel: channel(ROOM),
        copy: Some(1_000),
        count: 0,
        told: Telling::Off,
        users: Vec::new(),
    };
    let snapshot = Snapshot { channels: vec![open], ..Snapshot::default() };
    one.bus.reset(&app(), snapshot);
    other.lists(ROOM, "ann", false);
    assert_eq!(users(&one), ["bob"]);
}

#[test]
fn cl_040_a_newcomer_is_served_what_was_kept_before_the_node_came() {
    let redis = Redis::start();
    let one = Node::up(&redis.url(), 1);
    one.begin("cache-a");
    one.is_told("cache-a cached ");
    one.keep("cache-a", "{}");
    one.hears("kept own cache-a {}");
    let late = Node::up(&redis.url(), 2);
    late.begin("cache-a");
    late.is_told("cache-a cached {}");
}

#[test]
fn cl_106_a_join_is_served_while_redis_is_full_and_said_when_there_is_room() {
    let redis = Redis::start();
    let (one, other) = couple(&redis.url());
    redis.says(&["CONFIG", "SET", "maxmemory", "1"]);
    one.join(ROOM, "cat");
    one.is_told("presence-room serve");
    assert_eq!(one.bus.counters().lost.get(), 0);
    redis.says(&["CONFIG", "SET", "maxmemory", "0"]);
    other.lists(ROOM, "cat", true);
}

#[test]
fn without_clients_redis_holds_what_is_of_living_nodes_alone_and_what_expires_by_itself() {
    let redis = Redis::start();
    let (one, other) = couple(&redis.url());
    one.open("cache-a");
    one.keep("cache-a", "{}");
    one.hears("kept own cache-a {}");
    let report = UsageReport { app: app(), day: 20_000, messages_of_day: 1, messages_of_second: 1 };
    one.until("usage", || one.run(one.bus.usage(std::slice::from_ref(&report)))[0]);
    let hooks = || one.hooks().len() + other.hooks().len();
    one.until("webhooks", || (hooks() > 0).then_some(()));
    for (node, user) in [(&one, "ann"), (&other, "bob")] {
        node.leave(ROOM, user);
        node.count(ROOM, 0);
    }
    let left = || {
        let keys = redis.says(&["--scan", "--pattern", "*"]);
        let stay = keys.lines().filter(|key| redis.says(&["PTTL", key]) == "-1");
        let mut kinds: Vec<String> = stay
            .map(|key| {
                let name = key.rsplit_once("}:").map_or("layout", |(_, name)| name);
                name.split(':').next().unwrap_or_default().to_owned()
            })
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    one.until("all is gone", || (left() == ["epoch", "gen", "layout", "live", "seq"]).then_some(()));
    let expires = |name: &str| redis.says(&["--scan", "--pattern", &format!("*{name}*")]).lines().count();
    assert!(
        ["cache:", "ver:", "kept:", "sizes:", "use:", "hooks", "nodes"]
            .map(expires)
            .iter()
            .all(|count| *count > 0)
    );
}
