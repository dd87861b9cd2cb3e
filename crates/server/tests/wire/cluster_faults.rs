//! Faults between two nodes and their Redis, as clients, back ends and operators notice them: a Redis that is slow, commands that
//! arrive late, a node that is stopped, a sender of webhooks that dies, messages of another release.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testing::cable::{Cable, Mode};
use fanfare_testing::redis::Redis;
use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::{bus_at, expect_in_touch, expect_ready, node, pair};
use crate::support::application::Reply;
use crate::support::receiver::{Receiver, events_of};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, eventually, eventually_within};

pub const ROOM: &str = "presence-room";

/// A node whose way to Redis can be disturbed.
pub fn node_behind(cable: &Cable) -> TestServer {
    let server = Setup::new().config(&bus_at(cable.port, "")).start();
    expect_ready(&server, 200, "ready");
    server
}

/// A node at the end of a cable to this Redis, beside one that is not disturbed.
pub fn disturbed(redis: &Redis) -> (TestServer, TestServer, Cable) {
    let cable = Cable::lay(redis.port).expect("a cable can be laid");
    let steady = Setup::new().config(&bus_at(redis.port, "")).start();
    expect_ready(&steady, 200, "ready");
    (steady, node_behind(&cable), cable)
}

pub fn member(user: &str) -> String {
    format!(r#"{{"user_id":"{user}"}}"#)
}

pub fn added(user: &str) -> String {
    format!(r#"{{"user_id":"{user}","user_info":{{}}}}"#)
}

/// Who is on the channel, as a node answers; empty while it does not know.
fn users(server: &TestServer, channel: &str) -> BTreeSet<String> {
    let answer = server.api().get(&format!("/channels/{channel}/users"), &[]);
    let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let users = list["users"].as_array().into_iter().flatten();
    users.filter_map(|user| user["id"].as_str().map(str::to_owned)).collect()
}

pub fn expect_users(server: &TestServer, channel: &str, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&user| user.to_owned()).collect();
    eventually(&format!("{expected:?} on {channel}"), || (users(server, channel) == expected).then_some(()));
}

/// Each node's events come to the other's client, all of them and in order.
fn expect_events_both_ways(ends: [(&TestServer, &mut Socket); 2], count: usize) {
    let [(one, at_one), (two, at_two)] = ends;
    for number in 0..count {
        one.api().publish("from-one", "e", &number.to_string());
        two.api().publish("from-two", "e", &number.to_string());
    }
    for number in 0..count {
        at_two.expect_event("from-one", "e", &number.to_string());
        at_one.expect_event("from-two", "e", &number.to_string());
    }
}

#[test]
fn cl_105_while_redis_is_slow_joins_wait_for_it_and_nothing_is_lost() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let (mut at_one, mut at_two) = (one.connect(), two.connect());
    at_one.subscribe("from-two");
    at_two.subscribe("from-one");
    let mut watcher = one.connect();
    watcher.join(APP, ROOM, &member("watcher"));
    // To Redis and back in 300 ms.
    cable.set(Mode::Delay(Duration::from_millis(150)));
    let mut newcomer = two.connect();
    let roster = newcomer.join(APP, ROOM, &member("newcomer"));
    assert_eq!(roster["count"], 2, "who joins has waited for the whole roster: {roster}");
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("newcomer"));
    expect_events_both_ways([(&one, &mut at_one), (&two, &mut at_two)], 20);
    expect_users(&two, ROOM, &["newcomer", "watcher"]);
    let lost = ["fanfare_bus_lost_total", "fanfare_bus_missed_total", "fanfare_bus_degraded"];
    for name in lost {
        assert!(two.metric(name) + one.metric(name) < 0.5, "{name}");
    }
    let within = |le: &str| two.metric(&format!("fanfare_bus_round_trip_seconds_bucket{{le=\"{le}\"}}"));
    assert!(within("+Inf") - within("0.1") > 0.5, "operators see that Redis is slow");
    cable.set(Mode::Pass);
    newcomer.close();
    let gone = r#"{"user_id":"newcomer"}"#;
    watcher.expect_event(ROOM, "pusher_internal:member_removed", gone);
}

#[test]
fn cl_105_while_redis_is_too_slow_joins_are_served_with_what_the_node_knows_and_the_rest_is_told_later() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let mut watcher = one.connect();
    watcher.join(APP, ROOM, &member("watcher"));
    // To Redis and back in 3 s: more than a newcomer waits.
    cable.set(Mode::Delay(Duration::from_millis(1500)));
    let mut newcomer = two.connect();
    let roster = newcomer.join(APP, ROOM, &member("newcomer"));
    assert_eq!(roster["ids"], serde_json::json!(["newcomer"]), "{roster}");
    let mut local = two.connect();
    local.subscribe("news");
    two.api().publish("news", "e", "here");
    local.expect_event("news", "e", "here");
    cable.set(Mode::Pass);
    newcomer.expect_event(ROOM, "pusher_internal:member_added", &added("watcher"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("newcomer"));
    expect_in_touch(&two);
    for server in [&one, &two] {
        expect_users(server, ROOM, &["newcomer", "watcher"]);
        assert!(server.metric("fanfare_bus_rosters_mended_total") < 0.5);
    }
    newcomer.expect_nothing_more();
    watcher.expect_nothing_more();
}

/// How often what was held back was refused by Redis.
fn refused_late(cable: &Cable) -> usize {
    let answers = cable.late_answers();
    answers.windows(6).filter(|answer| answer == b"FENCED").count()
}

#[test]
fn cl_112_commands_of_a_former_connection_that_arrive_late_change_nothing() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let (mut watcher, mut stays) = (one.connect(), two.connect());
    watcher.join(APP, ROOM, &member("watcher"));
    stays.join(APP, ROOM, &member("stays"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("stays"));
    cable.set(Mode::Hold);
    // The first time this is said to Redis on the connection that is held back.
    let mut ghost = two.connect();
    ghost.join(APP, ROOM, &member("ghost"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("ghost"));
    stays.expect_event(ROOM, "pusher_internal:member_added", &added("ghost"));
    ghost.close();
    watcher.expect_event(ROOM, "pusher_internal:member_removed", r#"{"user_id":"ghost"}"#);
    stays.expect_event(ROOM, "pusher_internal:member_removed", r#"{"user_id":"ghost"}"#);
    assert_eq!(refused_late(&cable), 0);
    cable.set(Mode::Pass);
    eventually("what was held back is refused", || (refused_late(&cable) > 0).then_some(()));
    // A change that comes behind it, on both nodes.
    let mut last = two.connect();
    last.join(APP, ROOM, &member("last"));
    for socket in [&mut watcher, &mut stays] {
        socket.expect_event(ROOM, "pusher_internal:member_added", &added("last"));
        socket.expect_nothing_more();
    }
    for server in [&one, &two] {
        expect_users(server, ROOM, &["last", "stays", "watcher"]);
        let about = server.api().get(&format!("/channels/{ROOM}"), &[("info", "user_count")]).body;
        assert_eq!(about, r#"{"occupied":true,"user_count":3}"#);
        assert!(server.metric("fanfare_bus_rosters_mended_total") < 0.5);
    }
}

#[test]
fn cl_112_commands_of_a_dead_node_that_arrive_late_change_nothing() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let (mut watcher, mut known) = (one.connect(), two.connect());
    watcher.join(APP, ROOM, &member("watcher"));
    known.join(APP, ROOM, &member("known"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("known"));
    cable.set(Mode::Hold);
    let mut ghost = two.connect();
    ghost.join(APP, ROOM, &member("ghost"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("ghost"));
    drop(two);
    let gone: BTreeSet<String> = [watcher.json(), watcher.json()].map(|told| told.to_string()).into();
    assert!(gone.iter().all(|told| told.contains("member_removed")), "{gone:?}");
    cable.set(Mode::Pass);
    eventually("what was held back is refused", || (refused_late(&cable) > 0).then_some(()));
    let mut last = one.connect();
    last.join(APP, ROOM, &member("last"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("last"));
    watcher.expect_nothing_more();
    expect_users(&one, ROOM, &["last", "watcher"]);
}

#[test]
fn cl_111_a_node_that_was_stopped_is_refused_and_announces_its_users_anew() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let (mut watcher, mut sleeper) = (one.connect(), two.connect());
    watcher.join(APP, ROOM, &member("watcher"));
    sleeper.join(APP, ROOM, &member("sleeper"));
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("sleeper"));
    two.process.signal(Signal::STOP);
    watcher.expect_event(ROOM, "pusher_internal:member_removed", r#"{"user_id":"sleeper"}"#);
    expect_users(&one, ROOM, &["watcher"]);
    two.process.signal(Signal::CONT);
    watcher.expect_event(ROOM, "pusher_internal:member_added", &added("sleeper"));
    expect_in_touch(&two);
    for server in [&one, &two] {
        expect_users(server, ROOM, &["sleeper", "watcher"]);
        assert!(server.metric("fanfare_bus_rosters_mended_total") < 0.5);
        server.api().publish(ROOM, "e", "1");
        for socket in [&mut watcher, &mut sleeper] {
            socket.expect_event(ROOM, "e", "1");
            socket.expect_nothing_more();
        }
    }
    assert!(two.metric("fanfare_bus_fenced_total") + two.metric("fanfare_bus_lost_total") > 0.5);
}

#[test]
fn cl_113_a_webhook_whose_sender_dies_is_sent_again_byte_for_byte_by_another_node() {
    let redis = Redis::start();
    let receiver = Receiver::saying(|at| if at == 0 { Reply::Hang } else { Reply::Body(200, "") });
    let app = receiver.setting(&["presence"]);
    let sender = node(&redis, "", &app);
    let taken = |server: &TestServer| server.metric("fanfare_bus_hooks_taken_over_total");
    eventually("it sends for all partitions", || (taken(&sender) > 15.5).then_some(()));
    let other = node(&redis, "", &app);
    let mut ann = other.connect();
    ann.join(APP, ROOM, &member("ann"));
    let wait = Duration::from_secs(30);
    let requests = |count: usize| {
        eventually_within(wait, &format!("{count} requests"), || {
            (receiver.so_far().len() >= count).then(|| receiver.so_far())
        })
    };
    requests(1);
    drop(sender);
    let both = requests(2);
    assert_eq!(both[0].body, both[1].body);
    assert_eq!(events_of(&both[0]), [format!(r#"member_added {ROOM} user_id="ann""#)]);
    assert!(taken(&other) > 0.5);
    other.connect().join(APP, ROOM, &member("bob"));
    let third = requests(3);
    assert_eq!(events_of(&third[2]), [format!(r#"member_added {ROOM} user_id="bob""#)]);
}

#[test]
fn cl_072_messages_of_another_release_are_counted_and_everything_goes_on() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let mut sockets = [one.connect(), two.connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    let topics = redis.says(&["PUBSUB", "CHANNELS", "fanfare:*"]);
    let topic = topics.lines().find(|topic| topic.contains(":3:") || topic.ends_with(":3"));
    let topic = topic.unwrap_or_else(|| panic!("no topic of the app among {topics}"));
    // An event of version 2, one of a kind 99, and what has a field more.
    let rest = "string.rep(string.char(0), 40)";
    for head in ["250, 2, 1", "250, 1, 99"] {
        let script = format!("return redis.call('PUBLISH', ARGV[1], string.char({head}) .. {rest})");
        assert_eq!(redis.says(&["EVAL", &script, "0", topic]), "2");
    }
    for server in [&one, &two] {
        server.expect_metric("fanfare_bus_unknown_total", 2.0);
        assert!(server.metric("fanfare_bus_malformed_total") < 0.5);
    }
    one.api().publish("news", "e", "1");
    for socket in &mut sockets {
        socket.expect_event("news", "e", "1");
        socket.expect_nothing_more();
    }
    let layout = redis.says(&["--scan", "--pattern", "*layout"]);
    redis.says(&["SET", layout.lines().next().expect("a layout"), "2:16"]);
    let late = Setup::new().config(&bus_at(redis.port, "")).start();
    expect_ready(&late, 503, "layout 2:16");
}

/// The far ports of a process's open connections that it has made itself; a listener's have that listener's port.
fn ports_called(server: &TestServer) -> BTreeSet<u16> {
    let id = server.process.id();
    let links = fs::read_dir(format!("/proc/{id}/fd")).expect("Linux tells of a process");
    let links = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    let sockets: BTreeSet<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let own = [server.addr.port(), server.admin.port()];
    let mut called = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let port = |cell: &str| u16::from_str_radix(cell.rsplit(':').next().unwrap_or_default(), 16).ok();
            let is_ours = sockets.contains(&format!("socket:[{}]", cells[9]));
            let (Some(near), Some(far)) = (port(cells[1]), port(cells[2])) else { continue };
            if is_ours && !own.contains(&near) {
                called.insert(far);
            }
        }
    }
    called
}

#[test]
fn cl_110_nodes_talk_to_redis_alone_and_never_to_each_other() {
    let redis = Redis::start();
    let servers = pair(&redis, "");
    let [one, two] = &servers;
    let (mut ann, mut bob) = (one.connect(), two.connect());
    ann.join(APP, ROOM, &member("ann"));
    bob.join(APP, ROOM, &member("bob"));
    ann.expect_event(ROOM, "pusher_internal:member_added", &added("bob"));
    bob.sign_in(APP, r#"{"id":"bob"}"#);
    for server in &servers {
        server.api().publish(ROOM, "e", "1");
        ann.expect_event(ROOM, "e", "1");
        bob.expect_event(ROOM, "e", "1");
        expect_users(server, ROOM, &["ann", "bob"]);
        assert_eq!(ports_called(server), BTreeSet::from([redis.port]));
    }
    one.api().post("/users/bob/terminate_connections", "{}").expect("{}");
    bob.expect_close_code(4009);
    ann.expect_event(ROOM, "pusher_internal:member_removed", r#"{"user_id":"bob"}"#);
    for server in &servers {
        assert_eq!(ports_called(server), BTreeSet::from([redis.port]));
    }
}

#[test]
fn cl_100_and_cl_035_a_node_without_clients_of_the_app_tells_webhooks_of_the_number_that_a_dead_node_leaves()
{
    let redis = Redis::start();
    let receiver = Receiver::new();
    let app = format!("subscription_counts = true\n{}", receiver.setting(&["subscription_count"]));
    let [one, _two] = pair(&redis, &app);
    let mut ann = one.connect();
    ann.subscribe("news");
    receiver.expect(&[r#"subscription_count news subscription_count=1"#]);
    drop(one);
    receiver.expect(&[
        r#"subscription_count news subscription_count=1"#,
        r#"subscription_count news subscription_count=0"#,
    ]);
}

#[test]
fn cl_021_while_redis_is_slow_lists_are_refused_in_time_and_an_app_that_asks_for_many_holds_up_no_other() {
    let redis = Redis::start();
    let cable = Cable::lay(redis.port).expect("a cable can be laid");
    let setup = Setup::bare().app(APP, "").app(OTHER, "").config(&bus_at(cable.port, ""));
    let server = setup.start();
    expect_ready(&server, 200, "ready");
    // A list is answered within its second though each way may wait behind one other piece; but not many lists.
    cable.set(Mode::Delay(Duration::from_millis(225)));
    let start = Instant::now();
    let (flood, other) = thread::scope(|scope| {
        let list = || server.api().get("/channels", &[]).head.status;
        let lists: Vec<_> = (0..40).map(|_| scope.spawn(list)).collect();
        let other = scope.spawn(|| {
            eventually("a list of the other app", || {
                (server.api_of(OTHER).get("/channels", &[]).head.status == 200).then(|| start.elapsed())
            })
        });
        let of = |list: thread::ScopedJoinHandle<'_, u16>| list.join().expect("a list does not panic");
        (lists.into_iter().map(of).collect::<Vec<u16>>(), other.join().expect("a list does not panic"))
    });
    assert!(flood.contains(&503) && flood.iter().all(|status| [200, 503].contains(status)), "{flood:?}");
    assert!(other < Duration::from_secs(5), "{other:?}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}
