//! A node that can speak to Redis and does not hear Redis any more.

use std::collections::BTreeSet;

use fanfare_testing::cable::{Cable, Mode};
use fanfare_testing::redis::{Cluster, Redis};

use crate::cluster::{expect_in_touch, expect_ready, node, pair};
use crate::cluster_faults::{ROOM, added, expect_users, member, node_behind};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, eventually};

const ADDED: &str = "pusher_internal:member_added";

/// Two nodes with a watcher on each.
fn watched(servers: &[TestServer; 2]) -> [Socket; 2] {
    let mut sockets = servers.each_ref().map(TestServer::connect);
    sockets[0].join(APP, ROOM, &member("one"));
    sockets[1].join(APP, ROOM, &member("two"));
    sockets[0].expect_event(ROOM, ADDED, &added("two"));
    sockets
}

/// While nobody hears anything somebody comes; then all know it, once, and events cross again.
fn expect_put_right(servers: &[TestServer; 2], [one, two]: &mut [Socket; 2], lose: impl Fn()) {
    let lost = |server: &TestServer| server.metric("fanfare_bus_gaps_total{kind=\"subscription\"}");
    let before = servers.each_ref().map(lost);
    lose();
    let mut ann = servers[1].connect();
    ann.join(APP, ROOM, &member("ann"));
    for (server, before) in servers.iter().zip(before) {
        eventually("the loss is counted", || (lost(server) > before + 0.5).then_some(()));
        expect_in_touch(server);
        expect_users(server, ROOM, &["ann", "one", "two"]);
    }
    one.expect_event(ROOM, ADDED, &added("ann"));
    two.expect_event(ROOM, ADDED, &added("ann"));
    for server in servers {
        server.api().publish(ROOM, "e", "1");
        for socket in [&mut *one, &mut *two, &mut ann] {
            socket.expect_event(ROOM, "e", "1");
            socket.expect_nothing_more();
        }
        assert!(server.metric("fanfare_bus_rosters_mended_total") < 0.5);
        assert!(server.metric("fanfare_bus_lost_total") < 0.5, "the other connection stays");
    }
}

#[test]
fn cl_102_a_subscriber_that_is_lost_alone_costs_no_client_anything_but_the_events_meanwhile() {
    let redis = Redis::start();
    let servers = pair(&redis, "");
    let mut sockets = watched(&servers);
    expect_put_right(&servers, &mut sockets, || drop(redis.says(&["CLIENT", "KILL", "TYPE", "pubsub"])));
}

#[test]
fn cl_102_sharded_subscribers_that_are_lost_alone_are_made_again() {
    let cluster = Cluster::start(0);
    let servers = [(); 2].map(|()| {
        let server = Setup::new().config(&format!("[bus]\nurls = [\"{}\"]\n", cluster.url())).start();
        expect_ready(&server, 200, "ready");
        server
    });
    let mut sockets = watched(&servers);
    expect_put_right(&servers, &mut sockets, || {
        for node in &cluster.nodes {
            node.says(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
    });
}

/// The ports from which subscribers are connected.
fn ports_of_subscribers(redis: &Redis) -> BTreeSet<u16> {
    let list = redis.says(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    let places = list.lines().filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("addr=")));
    places.filter_map(|place| place.rsplit(':').next()?.parse().ok()).collect()
}

#[test]
fn cl_102_a_subscriber_that_hears_nothing_though_its_connection_stands_is_noticed() {
    let redis = Redis::start();
    let one = node(&redis, "", "");
    let others = ports_of_subscribers(&redis);
    let cable = Cable::lay(redis.port).expect("a cable can be laid");
    let servers = [one, node_behind(&cable)];
    let mut sockets = watched(&servers);
    let port = ports_of_subscribers(&redis).difference(&others).copied().next().expect("a subscriber");
    let [one, two] = &servers;
    let lost = |server: &TestServer| server.metric("fanfare_bus_gaps_total{kind=\"subscription\"}");
    cable.set(Mode::Deafen(port));
    let mut ann = one.connect();
    ann.join(APP, ROOM, &member("ann"));
    sockets[0].expect_event(ROOM, ADDED, &added("ann"));
    one.api().publish(ROOM, "e", "lost");
    sockets[0].expect_event(ROOM, "e", "lost");
    ann.expect_event(ROOM, "e", "lost");
    eventually("the loss is counted", || (lost(two) > 0.5).then_some(()));
    expect_in_touch(two);
    sockets[1].expect_event(ROOM, ADDED, &added("ann"));
    one.api().publish(ROOM, "e", "2");
    for socket in sockets.iter_mut().chain([&mut ann]) {
        socket.expect_event(ROOM, "e", "2");
        socket.expect_nothing_more();
    }
    assert!(lost(one) < 0.5 && two.metric("fanfare_bus_rosters_mended_total") < 0.5);
    assert!(two.metric("fanfare_bus_lost_total") < 0.5, "the other connection stays");
}
