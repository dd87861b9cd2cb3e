//! What operators are told while a Redis or a node is away: by `fanfare cluster`, `fanfare send`, the doctor and the log.

use fanfare_testing::redis::Redis;
use rustix::process::Signal;

use crate::cluster::{expect_in_touch, expect_ready, node, pair};
use crate::support::examined::examine_in;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

#[test]
fn cl_067_the_command_shows_what_it_can_while_one_of_several_redis_is_away() {
    let mut servers = [Redis::start(), Redis::start()];
    let urls = servers.each_ref().map(Redis::url);
    let settings = format!("[bus]\nurls = {urls:?}\nnode_name = \"one\"\n");
    let node = Setup::bare().app(APP, "").config(&settings).start();
    expect_ready(&node, 200, "ready");
    let folder = Setup::new().command(Some("cluster")).config(&settings);
    eventually("the node with both links", || {
        let ended = folder.run();
        let is_whole = ended.stdout.contains("2 of 2 up") && ended.stdout.contains("lease left");
        (ended.status == 0 && is_whole).then_some(())
    });
    let mut shown = Vec::new();
    for away in [1, 0] {
        servers[away].kill();
        let url = &urls[away];
        let line = format!("one is out of touch through {url}");
        shown.push(eventually("the node, and which Redis is away", || {
            let ended = folder.run();
            let is_named = ended.stderr.contains(url) && ended.stderr.contains("cannot be reached");
            let by = [line.as_str(), "  ?  "].into_iter().find(|words| ended.stdout.contains(words));
            by.filter(|_| ended.status == 1 && is_named).map(str::to_owned)
        }));
        servers[away].restart();
        expect_in_touch(&node);
    }
    assert_eq!(shown.iter().filter(|by| *by == "  ?  ").count(), 1, "one Redis knows the names: {shown:?}");
}

#[test]
fn cl_067_a_dead_node_is_logged_once_by_its_name_and_a_clean_end_warns_of_nothing() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let mut three = node(&redis, "node_name = \"three\"", "");
    let _member = three.connect().join(APP, "presence-room", r#"{"user_id":"3"}"#);
    three.process.signal(Signal::TERM);
    assert_eq!(three.process.ended().code(), Some(0));
    let log = three.process.stderr();
    for words in ["out of touch", "no way to the other nodes"] {
        assert!(!log.contains(words), "{log}");
    }
    eventually("the names are known", || {
        let listed = Setup::new().command(Some("cluster")).config(&crate::cluster::bus(&redis, "")).run();
        (listed.stdout.lines().count() == 3).then_some(())
    });
    let started = two.process.stderr().lines().count();
    let _member = one.connect().join(APP, "presence-room", r#"{"user_id":"1"}"#);
    one.process.signal(Signal::KILL);
    two.process.log_line("the dead node", |line| line.contains("a node has died").then_some(()));
    let list = redis.says(&["--scan", "--pattern", "*nodes"]);
    eventually("the node is removed from the list", || (redis.says(&["HLEN", &list]) == "1").then_some(()));
    let log = two.process.stderr();
    let lines: Vec<&str> =
        log.lines().skip(started).filter(|line| line.contains("a node has died")).collect();
    assert!(lines.len() == 1 && lines[0].contains("one") && !log.contains("three"), "{lines:?}");
}

#[test]
fn cl_021_with_redis_away_the_doctor_names_redis_first_and_publishes_and_send_says_what_is_not_known() {
    let mut redis = Redis::start();
    let server = node(&redis, "", "");
    let (url, listen) = (redis.url(), server.addr.to_string());
    redis.kill();
    expect_ready(&server, 200, "degraded");
    let app = [("PUSHER_APP_ID", APP.id), ("PUSHER_APP_KEY", APP.key), ("PUSHER_APP_SECRET", APP.secret)];
    let environment = [&[("FANFARE__BUS__URLS", url.as_str())], &app[..]].concat();
    let examined = examine_in(&environment, &["--listen", &listen]);
    examined.expect_failed("bus", &["cannot be reached", "bus.urls"]);
    examined.expect("signature", "passed", &["accepted", "out of touch with the other nodes"]);
    examined.expect("publish and receive", "passed", &[]);
    let sent = server.command(&["send", "--config", "fanfare.toml", "--listen", &listen, "news", "e", "{}"]);
    assert!(
        sent.status == 0 && sent.stdout.contains("do not get the event"),
        "{} {}",
        sent.stdout,
        sent.stderr
    );
    redis.restart();
    server.process.log_line("the length of the outage", |line| {
        (line.contains("in touch with the other nodes") && line.contains("away_s")).then_some(())
    });
}
