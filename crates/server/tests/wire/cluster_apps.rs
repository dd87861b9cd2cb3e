//! What two nodes share of an app, and what each has for itself.

use fanfare_testing::cable::{Cable, Mode};
use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::cluster::{bus_at, expect_ready};
use crate::support::APP;
use crate::support::application::Application;
use crate::support::authorization::Post;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::{Ended, Setup, binary, run};

/// A node whose apps are in a database.
fn stored(postgres: &Postgres, port: u16, name: &str) -> TestServer {
    let sections = bus_at(port, &format!("node_name = \"{name}\""));
    let server = Setup::bare().config(&sections).env("DATABASE_URL", &postgres.url()).start();
    expect_ready(&server, 200, "ready");
    server
}

/// Runs `fanfare app` on the database of a node.
fn app(postgres: &Postgres, server: &TestServer, arguments: &[&str]) -> Ended {
    let ended = run(binary(server.folder()).arg("app").args(arguments).env("DATABASE_URL", postgres.url()));
    assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.stderr);
    ended
}

/// Two nodes with one database, with the app of the reference; the second's way to Redis can be disturbed.
fn stored_pair(postgres: &Postgres, redis: &Redis) -> ([TestServer; 2], Cable) {
    let cable = Cable::lay(redis.port).expect("a cable can be laid");
    let servers = [stored(postgres, redis.port, "one"), stored(postgres, cable.port, "two")];
    let made = servers[0].create_app(&[], &[("DATABASE_URL", &postgres.url())]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    servers.iter().for_each(TestServer::expect_app_known);
    (servers, cable)
}

#[test]
fn cl_061_an_app_that_is_disabled_or_deleted_is_closed_on_every_node_also_on_one_that_is_cut_off() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let (servers, cable) = stored_pair(&postgres, &redis);
    let mut sockets = servers.each_ref().map(TestServer::connect);
    app(&postgres, &servers[0], &["disable", APP.id]);
    for (server, socket) in servers.iter().zip(&mut sockets) {
        socket.expect_close_code(4003);
        server.open(&pusher_js(APP)).expect_close_code(4003);
    }
    app(&postgres, &servers[0], &["enable", APP.id]);
    servers.iter().for_each(TestServer::expect_app_known);
    let mut sockets = servers.each_ref().map(TestServer::connect);
    cable.set(Mode::Cut);
    expect_ready(&servers[1], 200, "degraded");
    app(&postgres, &servers[0], &["delete", APP.id, "--yes"]);
    for (server, socket) in servers.iter().zip(&mut sockets) {
        socket.expect_close_code(4001);
        server.open(&pusher_js(APP)).expect_close_code(4001);
    }
}

#[test]
fn cl_066_a_message_is_counted_where_it_was_accepted_and_the_sum_is_stored() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let (servers, _cable) = stored_pair(&postgres, &redis);
    let mut sockets = servers.each_ref().map(TestServer::connect);
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    for (server, count) in servers.iter().zip([3, 4]) {
        for _ in 0..count {
            server.api().publish("news", "e", "d");
        }
    }
    for socket in &mut sockets {
        for _ in 0..7 {
            socket.expect_event("news", "e", "d");
        }
        socket.expect_nothing_more();
    }
    for (server, count) in servers.iter().zip([3.0, 4.0]) {
        server.expect_metric("fanfare_events_published_total{app=\"3\"}", count);
        server.expect_metric("fanfare_deliveries_total{app=\"3\"}", 7.0);
    }
    let folders = servers.map(TestServer::stop);
    let mut command = binary(folders[0].path());
    command.args(["app", "usage", APP.id, "--json"]).env("DATABASE_URL", postgres.url());
    let usage: Value = serde_json::from_str(&run(&mut command).stdout).expect("JSON");
    let total = &usage["total"];
    assert_eq!((&total["backend_messages"], &total["deliveries"]), (&json!(7), &json!(14)), "{usage}");
}

#[test]
fn cl_069_the_node_that_has_a_question_asks_and_the_verdict_is_good_on_the_other() {
    let redis = Redis::start();
    // Each node has an application of its own, to see who asks.
    let applications = [(); 2].map(|()| Application::saying(200, "true"));
    let servers = applications.each_ref().map(|application| {
        let server = Setup::with_app(&application.settings()).config(&bus_at(redis.port, "")).start();
        expect_ready(&server, 200, "ready");
        server
    });
    let mut socket = servers[0].connect();
    for (at, asked) in [(1, [0, 1]), (0, [1, 1]), (1, [1, 2])] {
        let form = format!("socket_id={}&channel_name=private-a", socket.id);
        let answer = Post::form(&form).send(&servers[at]);
        assert_eq!(answer.head.status, 200, "{}", answer.body);
        let questions = applications.each_ref().map(|application| application.questions().len());
        assert_eq!(questions, asked, "nodes share no verdict");
        let verdict: Value = serde_json::from_str(&answer.body).expect("JSON");
        let data = json!({"channel": "private-a", "auth": verdict["auth"]});
        socket.send(&json!({"event": "pusher:subscribe", "data": data}).to_string());
        socket.expect_succeeded("private-a");
        socket.unsubscribe("private-a");
    }
    socket.expect_nothing_more();
}
