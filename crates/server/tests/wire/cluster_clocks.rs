//! Nodes and Redis whose clocks differ: no decision compares the dates of two machines (CL-073).

use std::time::{Duration, SystemTime};

use fanfare_testing::cable::{Cable, Mode};
use fanfare_testing::clock::WrongClock;
use fanfare_testing::redis::Redis;
use serde_json::Value;

use crate::cluster::{bus, bus_at, expect_in_touch, expect_ready};
use crate::cluster_faults::{ROOM, added, expect_users, member};
use crate::support::receiver::{Receiver, events_of};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually, eventually_within};

const HOUR: i64 = 3600;

/// Back ends may be off by ten minutes (LIM-025).
const OFF: i64 = 400;

/// Short times, each of which is much shorter than what the clocks are off.
const TIMES: &str = "lease = 2\nsettling = 3";

const ADDED: &str = "pusher_internal:member_added";
const REMOVED: &str = "pusher_internal:member_removed";

/// A Redis whose clock is off.
fn redis_at(clock: &WrongClock, seconds: i64) -> Redis {
    let mut redis = Redis::start();
    set_clock(&mut redis, clock, seconds);
    redis
}

/// Starts Redis anew with its data, and with its clock off by so much.
fn set_clock(redis: &mut Redis, clock: &WrongClock, seconds: i64) {
    redis.says(&["SAVE"]);
    redis.kill();
    redis.set_environment(clock.environment(seconds));
    redis.restart();
}

/// A node whose clock is off by so many seconds.
fn node_at(clock: &WrongClock, seconds: i64, redis: &Redis, app: &str) -> TestServer {
    let setup = Setup::bare().app(APP, app).config(&bus(redis, TIMES));
    let setup =
        clock.environment(seconds).into_iter().fold(setup, |setup, (name, value)| setup.env(name, &value));
    let server = setup.start();
    expect_ready(&server, 200, "ready");
    server
}

fn removed(user: &str) -> String {
    format!(r#"{{"user_id":"{user}"}}"#)
}

/// The date of Redis, in seconds since 1970.
fn date_of(redis: &Redis) -> i64 {
    let time = redis.says(&["TIME"]);
    time.lines().next().and_then(|seconds| seconds.parse().ok()).expect("seconds")
}

/// The date of this test, in seconds since 1970.
fn date() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
    i64::try_from(since.as_secs()).expect("it is not that late")
}

/// Everything that was told, once so many events were.
fn told(receiver: &Receiver, count: usize) -> Vec<String> {
    eventually_within(Duration::from_secs(30), &format!("{count} events"), || {
        let told: Vec<String> = receiver.so_far().iter().flat_map(events_of).collect();
        (told.len() >= count).then_some(told)
    })
}

#[test]
fn cl_073_leases_delays_and_kept_events_last_as_long_as_they_should_whatever_the_clocks_say() {
    let (clock, receiver) = (WrongClock::build(), Receiver::new());
    let app = format!("{}[apps.list.limits]\ncache_seconds = 60", receiver.setting(&["presence"]));
    let redis = redis_at(&clock, HOUR);
    let (one, two) = (node_at(&clock, -OFF, &redis, &app), node_at(&clock, OFF, &redis, &app));
    assert!((HOUR - 60..HOUR + 60).contains(&(date_of(&redis) - date())), "Redis has another clock");
    one.api().publish("cache-news", "e", "kept");
    for server in [&one, &two] {
        let mut late = server.connect();
        late.subscribe("cache-news");
        late.expect_event("cache-news", "e", "kept");
        let about = server.api().get("/channels/cache-news", &[("info", "cache")]).body;
        let about: Value = serde_json::from_str(&about).expect("JSON");
        let ttl = about["cache"]["ttl"].as_u64();
        assert!(ttl.is_some_and(|ttl| (20..=60).contains(&ttl)), "{about}");
    }
    let mut watcher = one.connect();
    watcher.join(APP, ROOM, &member("watcher"));
    let mut ann = two.connect();
    ann.join(APP, ROOM, &member("ann"));
    watcher.expect_event(ROOM, ADDED, &added("ann"));
    told(&receiver, 2);
    ann.unsubscribe(ROOM);
    watcher.expect_event(ROOM, REMOVED, &removed("ann"));
    // Within the delay.
    ann.join(APP, ROOM, &member("ann"));
    watcher.expect_event(ROOM, ADDED, &added("ann"));
    // A lease that runs out, and no other.
    drop(two);
    watcher.expect_event(ROOM, REMOVED, &removed("ann"));
    expect_users(&one, ROOM, &["watcher"]);
    let told = told(&receiver, 3);
    assert_eq!(told[2..], [format!(r#"member_removed {ROOM} user_id="ann""#)]);
    watcher.expect_nothing_more();
}

#[test]
fn cl_073_when_redis_is_back_with_a_clock_that_is_ahead_nobody_has_left_who_is_back_within_the_lease() {
    let clock = WrongClock::build();
    let mut redis = redis_at(&clock, 0);
    let cable = Cable::lay(redis.port).expect("a cable can be laid");
    let servers = [redis.port, cable.port].map(|port| {
        let server = Setup::new().config(&bus_at(port, "lease = 30\nsettling = 31")).start();
        expect_ready(&server, 200, "ready");
        server
    });
    let [one, two] = &servers;
    let (mut watcher, mut ann) = (one.connect(), two.connect());
    watcher.join(APP, ROOM, &member("watcher"));
    ann.join(APP, ROOM, &member("ann"));
    watcher.expect_event(ROOM, ADDED, &added("ann"));
    cable.set(Mode::Cut);
    set_clock(&mut redis, &clock, HOUR);
    one.expect_metric("fanfare_bus_epochs_total", 16.0);
    // The first node has beaten several times when the other is back.
    let beaten = || one.metric("fanfare_bus_round_trip_seconds_count");
    let before = beaten();
    eventually("some beats", || (beaten() > before + 4.5).then_some(()));
    cable.set(Mode::Pass);
    for server in &servers {
        expect_in_touch(server);
        expect_users(server, ROOM, &["ann", "watcher"]);
    }
    let mut bob = two.connect();
    bob.join(APP, ROOM, &member("bob"));
    for socket in [&mut watcher, &mut ann] {
        socket.expect_event(ROOM, ADDED, &added("bob"));
        socket.expect_nothing_more();
    }
}

#[test]
fn cl_073_when_redis_is_back_with_a_clock_that_is_behind_a_node_that_has_died_is_found_dead() {
    let (clock, receiver) = (WrongClock::build(), Receiver::new());
    let app = receiver.setting(&["presence"]);
    let mut redis = redis_at(&clock, 0);
    let (one, two) = (node_at(&clock, 0, &redis, &app), node_at(&clock, 0, &redis, &app));
    let (mut watcher, mut ann) = (one.connect(), two.connect());
    watcher.join(APP, ROOM, &member("watcher"));
    ann.join(APP, ROOM, &member("ann"));
    watcher.expect_event(ROOM, ADDED, &added("ann"));
    told(&receiver, 2);
    drop(two);
    set_clock(&mut redis, &clock, -HOUR);
    expect_in_touch(&one);
    watcher.expect_event(ROOM, REMOVED, &removed("ann"));
    expect_users(&one, ROOM, &["watcher"]);
    assert_eq!(told(&receiver, 3)[2..], [format!(r#"member_removed {ROOM} user_id="ann""#)]);
}
