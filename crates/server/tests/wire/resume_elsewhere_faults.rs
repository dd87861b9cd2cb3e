//! Clients that come back to another node while something fails: the answer is in time, and never says too much (RES-014).

use fanfare_testing::redis::Redis;
use rustix::process::Signal;
use serde_json::json;

use crate::cluster::{expect_in_touch, node};
use crate::resume::{back, counting, expect_resumed};
use crate::resume_elsewhere::nodes;
use crate::support::eventually;

const APP_SETTINGS: &str = "resume_seconds = 60";

#[test]
fn res_014_a_former_node_that_is_gone_or_stands_still_is_waited_for_once_and_not_for_long() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    drop(socket);
    let asked = || {
        let (mut socket, _) = back(&two, &json!({ "news": [token, 0], "more": [token, 0] }));
        socket.ask_for("news");
        socket.ask_for("more");
        let texts: Vec<String> = (0..4).map(|_| socket.text()).collect();
        // Of the other channel no node knows anything.
        2 - texts.iter().filter(|text| text.contains(r#"\"complete\":false"#)).count()
    };
    eventually("the former node answers in time", || (asked() == 1).then_some(()));
    one.process.signal(Signal::STOP);
    assert_eq!(asked(), 0);
    one.process.signal(Signal::CONT);
    // An answer that comes too late is for nobody.
    let (mut socket, _) = back(&two, &json!({}));
    socket.subscribe("news");
    two.api().publish("news", "e", "1");
    socket.expect_event("news", "e", "1");
    socket.expect_nothing_more();
    one.process.signal(Signal::KILL);
    assert_eq!(asked(), 0);
}

#[test]
fn res_014_a_node_that_has_taken_its_leave_is_not_asked() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    socket.close();
    drop(one.stop());
    let (mut socket, _) = back(&two, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    expect_resumed(&mut socket, "news", 0, false);
}

#[test]
fn res_014_after_an_outage_of_redis_no_node_says_that_all_is_there() {
    let mut redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    redis.kill();
    // Of which the first node never hears.
    two.api().publish("news", "e", "lost between the nodes");
    eventually("the event is given up", || {
        (two.metric("fanfare_bus_dropped_total{reason=\"link\"}") > 0.5).then_some(())
    });
    redis.restart();
    expect_in_touch(&one);
    expect_in_touch(&two);
    one.api().publish("news", "e", "1");
    socket.expect_event("news", "e", "1");
    let (mut socket, _) = back(&two, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    expect_resumed(&mut socket, "news", 0, false);
}

#[test]
fn res_006_what_was_lost_between_the_nodes_is_missing_to_a_client_who_comes_back_to_the_same_node_too() {
    let mut redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    drop(socket);
    let (mut socket, _) = back(&one, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    expect_resumed(&mut socket, "news", 0, true);
    redis.kill();
    two.api().publish("news", "e", "lost between the nodes");
    eventually("the event is given up", || {
        (two.metric("fanfare_bus_dropped_total{reason=\"link\"}") > 0.5).then_some(())
    });
    redis.restart();
    expect_in_touch(&one);
    let (mut socket, _) = back(&one, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    expect_resumed(&mut socket, "news", 0, false);
}

#[test]
fn res_006_a_node_that_stood_still_says_that_something_may_be_missing() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    drop(socket);
    one.process.signal(Signal::STOP);
    two.api().publish("news", "e", "perhaps lost");
    two.expect_metric("fanfare_cluster_nodes", 1.0);
    one.process.signal(Signal::CONT);
    let (mut socket, _) = back(&one, &json!({ "news": [token, 0] }));
    socket.ask_for("news");
    // What Redis still held for the node may have come meanwhile.
    let told = (0..3).map(|_| socket.text()).find(|text| text.contains("fanfare:resumed"));
    assert!(told.as_ref().is_some_and(|told| told.contains(r#"\"complete\":false"#)), "{told:?}");
}

#[test]
fn res_014_events_that_every_node_hears_by_itself_have_no_place_in_an_answer() {
    let (redis, feed) = (Redis::start(), Redis::start());
    let app = format!("{APP_SETTINGS}\nredis_feed = {{ url = \"{}\", prefix = \"\" }}", feed.url());
    let nodes = ["one", "two"].map(|name| node(&redis, &format!("node_name = \"{name}\""), &app));
    let [one, two] = &nodes;
    let (mut socket, token) = counting(one);
    socket.subscribe("news");
    drop(socket);
    let (mut socket, _) = back(two, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    expect_resumed(&mut socket, "news", 0, false);
}

#[test]
fn res_014_an_answer_is_bounded_in_bytes() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, APP_SETTINGS);
    let (mut socket, token) = counting(&one);
    socket.subscribe("news");
    let mut api = one.api();
    let event = "x".repeat(10_000);
    for (events, complete) in [(50, true), (60, false)] {
        for _ in 0..events {
            api.publish("news", "e", &event);
        }
        let (mut socket, _) = back(&two, &json!({ "news": [token, 0] }));
        socket.subscribe("news");
        for _ in 0..if complete { events } else { 0 } {
            socket.expect_event("news", "e", &event);
        }
        expect_resumed(&mut socket, "news", if complete { events } else { 0 }, complete);
    }
}
