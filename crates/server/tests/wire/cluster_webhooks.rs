//! Webhooks of two nodes: told once, whoever saw what happened, and wherever users go.

use std::time::Duration;

use fanfare_testing::redis::Redis;

use crate::cluster::{bus, expect_ready};
use crate::cluster_faults::{ROOM, added, member};
use crate::support::receiver::{Receiver, events_of};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, eventually, eventually_within};

const TAKEN: &str = "fanfare_bus_hooks_taken_over_total";

const ADDED: &str = "pusher_internal:member_added";
const REMOVED: &str = "pusher_internal:member_removed";

/// A node that is in touch, with these lines in its sections, and an app with these settings.
fn node_with(redis: &Redis, sections: &str, app: &str) -> TestServer {
    let server = Setup::bare().app(APP, app).config(&bus(redis, sections)).start();
    expect_ready(&server, 200, "ready");
    server
}

/// Makes the data look old: webhooks of a young cluster wait until every node must have said who is there (CL-034).
fn age(redis: &Redis) {
    let script =
        "for _, key in ipairs(redis.call('KEYS', '*:epoch')) do redis.call('HSET', key, 'born', 1) end";
    redis.says(&["EVAL", script, "0"]);
}

/// Two nodes that tell webhooks, the first of which sends them.
pub fn pair_that_tells(redis: &Redis, sections: &str, app: &str) -> [TestServer; 2] {
    let sender = node_with(redis, sections, app);
    age(redis);
    eventually("it sends for all partitions", || (sender.metric(TAKEN) > 15.5).then_some(()));
    [sender, node_with(redis, sections, app)]
}

/// Everything that was told, once so many events were.
pub fn told(receiver: &Receiver, count: usize) -> Vec<String> {
    eventually_within(Duration::from_secs(30), &format!("{count} events"), || {
        let told: Vec<String> = receiver.so_far().iter().flat_map(events_of).collect();
        (told.len() >= count).then_some(told)
    })
}

fn joined(server: &TestServer, user: &str) -> Socket {
    let mut socket = server.connect();
    socket.join(APP, ROOM, &member(user));
    socket
}

fn removed(user: &str) -> String {
    format!(r#"{{"user_id":"{user}"}}"#)
}

#[test]
fn cl_018_and_cl_031_who_moves_to_another_node_may_be_told_as_gone_and_back_and_never_to_webhooks() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let servers = pair_that_tells(&redis, "", &receiver.setting(&["presence", "channel_existence"]));
    let mut watcher = joined(&servers[0], "watcher");
    let mut ann = joined(&servers[0], "ann");
    watcher.expect_event(ROOM, ADDED, &added("ann"));
    // To the other node and back, each time within the delay.
    for at in [1, 0, 1] {
        ann.close();
        watcher.expect_event(ROOM, REMOVED, &removed("ann"));
        ann = joined(&servers[at], "ann");
        watcher.expect_event(ROOM, ADDED, &added("ann"));
    }
    // The channel itself moves, too.
    watcher.close();
    watcher = joined(&servers[1], "watcher");
    ann.close();
    watcher.expect_event(ROOM, REMOVED, &removed("ann"));
    let mut told = told(&receiver, 4);
    told[..3].sort();
    let of = |event: &str, user: &str| format!(r#"{event} {ROOM} user_id="{user}""#);
    let wanted = [
        format!("channel_occupied {ROOM}"),
        of("member_added", "ann"),
        of("member_added", "watcher"),
        of("member_removed", "ann"),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn cl_031_a_going_is_told_though_its_node_dies_within_the_delay() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let [one, two] = pair_that_tells(&redis, "", &receiver.setting(&["presence"]));
    let mut watcher = joined(&one, "watcher");
    let bob = joined(&two, "bob");
    watcher.expect_event(ROOM, ADDED, &added("bob"));
    told(&receiver, 2);
    bob.close();
    watcher.expect_event(ROOM, REMOVED, &removed("bob"));
    drop(two);
    let told = told(&receiver, 3);
    assert_eq!(told[2], format!(r#"member_removed {ROOM} user_id="bob""#));
}

#[test]
fn hook_025_and_cl_035_client_events_counts_and_misses_are_told_once_by_the_node_where_they_arise() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let kinds = ["client_events", "subscription_count", "cache_miss"];
    let app = format!("client_events = true\n{}", receiver.setting(&kinds));
    let servers = pair_that_tells(&redis, "", &app);
    let mut wanted = Vec::new();
    let mut expect = |events: &[String], sent: [f64; 2]| {
        wanted.extend_from_slice(events);
        wanted.sort();
        let mut told = told(&receiver, wanted.len());
        told.sort();
        assert_eq!(told, wanted);
        for (server, sent) in servers.iter().zip(sent) {
            server.expect_metric("fanfare_webhook_deliveries_total{app=\"3\"}", sent);
        }
    };
    let count =
        |channel: &str, count: usize| format!("subscription_count {channel} subscription_count={count}");
    let mut sockets = servers.each_ref().map(TestServer::connect);
    for (at, sent) in [(0, [1.0, 0.0]), (1, [1.0, 1.0])] {
        sockets[at].subscribe_private(APP, "private-a");
        expect(&[count("private-a", at + 1)], sent);
    }
    for (at, sent) in [(1, [1.0, 2.0]), (0, [2.0, 2.0])] {
        sockets[at].client_event("private-a", "client-e", r#""text""#);
        sockets[1 - at].expect_event("private-a", "client-e", "text");
        let id = &sockets[at].id;
        let event = format!(r#"client_event private-a data="text" event="client-e" socket_id="{id}""#);
        expect(&[event], sent);
    }
    // Both find nothing, and the first is told of.
    sockets[1].subscribe("cache-a");
    sockets[1].expect_cache_miss("cache-a");
    expect(&["cache_miss cache-a".to_owned(), count("cache-a", 1)], [2.0, 4.0]);
    sockets[0].subscribe("cache-a");
    sockets[0].expect_cache_miss("cache-a");
    expect(&[count("cache-a", 2)], [3.0, 4.0]);
    sockets[0].client_event("private-a", "client-e", r#""text""#);
    let id = &sockets[0].id;
    let event = format!(r#"client_event private-a data="text" event="client-e" socket_id="{id}""#);
    expect(&[event], [4.0, 4.0]);
}

#[test]
fn cl_070_the_role_of_the_sender_goes_over_at_once_when_a_node_drains() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    // Long after the deadline of this test a lease runs out.
    let sections = "lease = 60\nsettling = 61\n[timeouts]\ndrain = 1";
    let [sender, other] = pair_that_tells(&redis, sections, &receiver.setting(&["presence"]));
    let mut ann = joined(&other, "ann");
    told(&receiver, 1);
    assert!(other.metric(TAKEN) < 0.5, "one node sends");
    drop(sender.stop());
    eventually("the other node sends", || (other.metric(TAKEN) > 15.5).then_some(()));
    let _bob = joined(&other, "bob");
    ann.expect_event(ROOM, ADDED, &added("bob"));
    assert_eq!(told(&receiver, 2)[1], format!(r#"member_added {ROOM} user_id="bob""#));
}
