//! Keys of the nodes in Redis that hold what no node has written.

use std::collections::BTreeSet;

use fanfare_testing::redis::Redis;
use serde_json::Value;

use crate::cluster::{bus, expect_in_touch, expect_ready};
use crate::cluster_faults::{ROOM, added, expect_users, member};
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, eventually};

const ADDED: &str = "pusher_internal:member_added";

/// Two nodes with everything in one partition, webhooks of presence included.
fn pair_of_one_partition(redis: &Redis, receiver: &Receiver) -> [TestServer; 2] {
    [(); 2].map(|()| {
        let sections = bus(redis, "partitions = 1\nlease = 2\nsettling = 3");
        let server = Setup::bare().app(APP, &receiver.setting(&["presence"])).config(&sections).start();
        expect_ready(&server, 200, "ready");
        server
    })
}

/// Puts something foreign in place of one of the nodes' keys while users come; both nodes say why they are out of touch,
/// serve their own clients, and are one server again when the key is deleted.
fn expect_lived_through(name: &str) {
    let (redis, receiver) = (Redis::start(), Receiver::new());
    let servers = pair_of_one_partition(&redis, &receiver);
    let mut sockets = servers.each_ref().map(TestServer::connect);
    sockets[0].join(APP, ROOM, &member("one"));
    sockets[1].join(APP, ROOM, &member("two"));
    sockets[0].expect_event(ROOM, ADDED, &added("two"));
    receiver.requests(2);
    let key = redis.says(&["--scan", "--pattern", "*:live"]).replace("live", name);
    redis.says(&["SET", &key, "foreign"]);
    for server in &servers {
        expect_ready(server, 200, "WRONGTYPE");
        server.process.log_line("why", |line| {
            (line.contains("out of touch with the other nodes") && line.contains("WRONGTYPE")).then_some(())
        });
    }
    let [one, two] = &servers;
    let mut ann = one.connect();
    ann.join(APP, ROOM, &member("ann"));
    sockets[0].expect_event(ROOM, ADDED, &added("ann"));
    one.api().publish(ROOM, "e", "here");
    sockets[0].expect_event(ROOM, "e", "here");
    ann.expect_event(ROOM, "e", "here");
    // The connection stands, and carries events.
    sockets[1].expect_event(ROOM, "e", "here");
    assert_eq!(one.api().get("/channels", &[]).head.status, 503);
    redis.says(&["DEL", &key]);
    for server in &servers {
        expect_in_touch(server);
        expect_users(server, ROOM, &["ann", "one", "two"]);
        let wanted = r#"{"occupied":true,"user_count":3,"subscription_count":3}"#;
        let about = [("info", "user_count,subscription_count")];
        eventually(wanted, || {
            (server.api().get(&format!("/channels/{ROOM}"), &about).body == wanted).then_some(())
        });
    }
    sockets[1].expect_event(ROOM, ADDED, &added("ann"));
    two.api().publish(ROOM, "e", "there");
    for socket in sockets.iter_mut().chain([&mut ann]) {
        socket.expect_event(ROOM, "e", "there");
        socket.expect_nothing_more();
    }
    let told = eventually("webhooks go on", || {
        let told: Vec<String> =
            receiver.so_far().iter().flat_map(crate::support::receiver::events_of).collect();
        (told.len() >= 3).then_some(told)
    });
    assert_eq!(told[2..], [format!(r#"member_added {ROOM} user_id="ann""#)]);
}

#[test]
fn a_foreign_value_in_place_of_the_leases_is_lived_through() {
    expect_lived_through("live");
}

#[test]
fn a_foreign_value_in_place_of_the_generations_is_lived_through() {
    expect_lived_through("gen");
}

#[test]
fn a_foreign_value_in_place_of_the_epoch_is_lived_through() {
    expect_lived_through("epoch");
}

#[test]
fn a_foreign_value_in_place_of_the_dead_nodes_is_lived_through() {
    expect_lived_through("dead");
}

#[test]
fn a_foreign_value_in_place_of_the_goings_is_lived_through() {
    expect_lived_through("due");
}

#[test]
fn a_foreign_value_in_place_of_the_numbers_of_subscriptions_is_lived_through() {
    expect_lived_through("totals:3");
}

#[test]
fn a_foreign_value_in_place_of_a_roster_is_lived_through_and_what_clients_are_told_meanwhile_is_taken_back() {
    let (redis, receiver) = (Redis::start(), Receiver::new());
    let servers = pair_of_one_partition(&redis, &receiver);
    let mut sockets = servers.each_ref().map(TestServer::connect);
    sockets[0].join(APP, ROOM, &member("one"));
    sockets[1].join(APP, ROOM, &member("two"));
    sockets[0].expect_event(ROOM, ADDED, &added("two"));
    let key = redis.says(&["--scan", "--pattern", "*:live"]).replace("live", &format!("m:3:{ROOM}"));
    redis.says(&["SET", &key, "foreign"]);
    let mut ann = servers[0].connect();
    ann.join(APP, ROOM, &member("ann"));
    expect_ready(&servers[0], 200, "WRONGTYPE");
    redis.says(&["DEL", &key]);
    for server in &servers {
        expect_users(server, ROOM, &["ann", "one", "two"]);
    }
    let mut views = [vec!["one", "two"], vec!["one", "two"]]
        .map(|users| users.into_iter().map(str::to_owned).collect::<BTreeSet<String>>());
    let all = BTreeSet::from(["ann", "one", "two"].map(str::to_owned));
    eventually("everybody knows of everybody", || {
        servers[0].api().publish(ROOM, "e", "mark");
        for (socket, view) in sockets.iter_mut().zip(&mut views) {
            told_until_event(socket, view);
        }
        views.iter().all(|view| *view == all).then_some(())
    });
}

/// Changes the users as a client is told until the next event: additions and removals of a user alternate.
fn told_until_event(socket: &mut Socket, there: &mut BTreeSet<String>) {
    loop {
        let frame = socket.json();
        let data: Value =
            frame["data"].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        let user = data["user_id"].as_str().unwrap_or_default().to_owned();
        match frame["event"].as_str().unwrap_or_default() {
            ADDED => assert!(there.insert(user), "{frame}: there already of {there:?}"),
            "pusher_internal:member_removed" => {
                assert!(there.remove(&user), "{frame}: not there of {there:?}")
            }
            _ => return,
        }
    }
}

#[test]
fn a_lease_that_somebody_has_deleted_is_taken_anew_and_the_log_says_so() {
    let (redis, receiver) = (Redis::start(), Receiver::new());
    let servers = pair_of_one_partition(&redis, &receiver);
    let key = redis.says(&["--scan", "--pattern", "*:gen"]);
    redis.says(&["DEL", &key]);
    for server in &servers {
        server.process.log_line("why", |line| line.contains("deleted (FLUSHALL, eviction)").then_some(()));
        expect_in_touch(server);
    }
}

#[test]
fn a_foreign_value_in_place_of_what_a_cache_channel_keeps_is_logged_and_lived_through() {
    let (redis, receiver) = (Redis::start(), Receiver::new());
    let servers = pair_of_one_partition(&redis, &receiver);
    let [one, two] = &servers;
    let key = |name: &str| redis.says(&["--scan", "--pattern", "*:live"]).replace("live", name);
    let refused = |server: &TestServer| {
        server.process.log_line("why", |line| {
            (line.contains("Redis refuses events of cache channels") && line.contains("WRONGTYPE"))
                .then_some(())
        });
    };
    let mut sockets = servers.each_ref().map(TestServer::connect);
    redis.says(&["LPUSH", &key("cache:3:cache-a"), "foreign"]);
    sockets[0].subscribe("cache-a");
    sockets[0].expect_cache_miss("cache-a");
    refused(one);
    // What is published takes the place.
    two.api().publish("cache-a", "e", "1");
    sockets[0].expect_event("cache-a", "e", "1");
    sockets[1].subscribe("cache-a");
    sockets[1].expect_event("cache-a", "e", "1");
    let versions = key("ver:3");
    redis.says(&["DEL", &versions]);
    redis.says(&["LPUSH", &versions, "foreign"]);
    two.api().publish("cache-a", "e", "2");
    sockets[1].expect_event("cache-a", "e", "2");
    refused(two);
    redis.says(&["DEL", &versions]);
    two.api().publish("cache-a", "e", "3");
    for socket in &mut sockets {
        socket.expect_event("cache-a", "e", "3");
        socket.expect_nothing_more();
    }
    for server in &servers {
        let mut late = server.connect();
        late.subscribe("cache-a");
        late.expect_event("cache-a", "e", "3");
        assert!(server.metric("fanfare_bus_degraded") < 0.5);
    }
}
