//! Two nodes are one server: what operators see of that, limits over both, and a Redis that goes and comes back.

use std::time::Duration;

use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::{Redis, free_port};
use serde_json::{Value, json};

use rustix::process::Signal;

use crate::support::admin::Admin;
use crate::support::http::Http;
use crate::support::server::{TestServer, get, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, eventually, over_quota};

/// The settings of a node with this Redis.
pub fn bus(redis: &Redis, more: &str) -> String {
    bus_at(redis.port, more)
}

/// The settings of a node with the Redis behind a port, which may be a cable's.
pub fn bus_at(port: u16, more: &str) -> String {
    format!("[bus]\nurls = [\"redis://127.0.0.1:{port}\"]\n{more}\n")
}

/// A node whose one app has further settings, in touch with the others.
pub fn node(redis: &Redis, more: &str, app: &str) -> TestServer {
    let server = Setup::bare().app(APP, app).config(&bus(redis, more)).start();
    expect_ready(&server, 200, "ready");
    server
}

#[track_caller]
pub fn expect_ready(server: &TestServer, status: u16, says: &str) {
    eventually(&format!("{status} {says}"), || {
        let answer = server.admin("/ready");
        (answer.head.status == status && answer.body.contains(says)).then_some(())
    });
}

/// Waits until nothing is said of other nodes any more.
#[track_caller]
pub fn expect_in_touch(server: &TestServer) {
    eventually("in touch again", || {
        let says = server.admin("/ready").body;
        (says.trim() == "ready").then_some(())
    });
}

pub fn pair(redis: &Redis, app: &str) -> [TestServer; 2] {
    [node(redis, "node_name = \"one\"", app), node(redis, "node_name = \"two\"", app)]
}

/// A connection to this node that is refused for the quota; the nodes tell each other how many they have.
fn refused_at_last(server: &TestServer, limit: usize) {
    eventually("the connections of the other node count", || {
        let mut socket = Upgrade::to(&pusher_js(APP)).open(server.addr).1;
        let first = socket.frame();
        (format!("{first:?}").contains(&over_quota(limit))).then_some(())
    });
}

#[test]
fn cl_067_the_nodes_are_listed_by_the_command_with_their_links() {
    let redis = Redis::start();
    let [one, _two] = pair(&redis, "");
    let _socket = one.connect();
    let folder = Setup::new().command(Some("cluster")).config(&bus(&redis, ""));
    eventually("both are listed with their connections", || {
        let ended = folder.run();
        let lines: Vec<&str> = ended.stdout.lines().collect();
        let row = |name: &str| lines.iter().find(|line| line.starts_with(name)).copied().unwrap_or_default();
        let is_right = |name: &str, count: &str| {
            let cells: Vec<&str> = row(name).split_whitespace().collect();
            cells.contains(&count) && row(name).contains("1 of 1 up")
        };
        (ended.status == 0 && is_right("one", "1") && is_right("two", "0")).then_some(())
    });
    let json = folder.run_with(&["--json"]);
    let list: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(list["nodes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn cl_067_the_command_says_that_nobody_is_there_or_that_redis_is_away_or_not_named() {
    let redis = Redis::start();
    let nobody = Setup::new().command(Some("cluster")).config(&bus(&redis, "")).run();
    assert_eq!((nobody.status, nobody.stdout.contains("No node is there")), (1, true), "{}", nobody.stderr);
    let away = format!("[bus]\nurls = [\"redis://127.0.0.1:{}\"]", free_port());
    let away = Setup::new().command(Some("cluster")).config(&away).run();
    assert_eq!((away.status, away.stderr.contains("cannot be reached")), (69, true), "{}", away.stderr);
    let guarded = Redis::with("requirepass hush-hush\n");
    let refused = Setup::new().command(Some("cluster")).config(&bus(&guarded, "")).run();
    let is_said = refused.stderr.contains("NOAUTH") && !refused.stderr.contains("no Redis");
    assert_eq!((refused.status, is_said), (69, true), "{}", refused.stderr);
    let alone = Setup::bare().command(Some("cluster")).run();
    assert_eq!((alone.status, alone.stderr.contains("bus.urls")), (64, true), "{}", alone.stderr);
}

#[test]
fn cl_067_operators_see_the_nodes_over_http_with_a_token() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let stored = format!("[apps]\ndatabase = \"{}\"", postgres.url());
    let server = Setup::bare().config(&format!("{}{stored}", bus(&redis, "node_name = \"one\""))).start();
    expect_ready(&server, 200, "ready");
    let token = ["token", "create", "--name", "t", "--scope", "read", "--json", "--config", "fanfare.toml"];
    let made: Value = serde_json::from_str(&server.commanded(&token)).expect("JSON");
    let token = made["token"].as_str().expect("a token is a text");
    let admin = Admin::nobody(&server).bearing(token);
    eventually("the node has said that its link is up", || {
        let nodes = admin.get("/v1/nodes").expect(200);
        let node = &nodes["nodes"][0];
        (node["name"] == "one" && node["links"][0]["up"] == true).then_some(())
    });
    Admin::nobody(&server).get("/v1/nodes").expect(401);
    let alone = TestServer::with_stored_app(&[]);
    let only = Admin::with(&alone, "read").get("/v1/nodes").expect(200);
    assert_eq!(only["nodes"].as_array().map(Vec::len), Some(1), "{only}");
    assert_eq!((&only["nodes"][0]["links"], &only["nodes"][0]["connections"]), (&json!([]), &json!(0)));
    let without_tokens = Admin::nobody(&node(&redis, "", "")).get("/v1/nodes");
    without_tokens.refused(503, "no-database", &[]);
    let detail = without_tokens.json["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("fanfare cluster --json"), "{detail}");
}

#[test]
fn cl_072_a_node_that_may_not_join_is_not_ready_and_says_why() {
    let redis = Redis::start();
    let _first = node(&redis, "", "");
    let other = Setup::new().config(&bus(&redis, "partitions = 8")).start();
    expect_ready(&other, 503, "bus.partitions");
    let lost = format!("[bus]\nurls = [\"redis://127.0.0.1:{}\"]", free_port());
    let lost = Setup::new().config(&lost).start();
    expect_ready(&lost, 503, "no way to the other nodes");
    let mut socket = lost.connect();
    socket.subscribe("news");
    lost.api().publish("news", "e", "d");
    socket.expect_event("news", "e", "d");
}

#[test]
fn cl_021_and_cl_003_without_redis_queries_are_503_and_everything_else_goes_on() {
    let mut redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let (mut ann, mut bob) = (one.connect(), two.connect());
    for socket in [&mut ann, &mut bob] {
        socket.subscribe("news");
    }
    redis.kill();
    expect_ready(&one, 200, "degraded: out of touch with the other nodes");
    let mut api = one.api();
    let asked = api.get("/channels", &[]);
    assert_eq!((asked.head.status, asked.body.contains("try again")), (503, true), "{}", asked.body);
    let body = r#"{"name":"e","channels":["news"],"data":"1","info":"subscription_count"}"#;
    api.post("/events", body).expect(r#"{"channels":{"news":{}}}"#);
    ann.expect_event("news", "e", "1");
    assert_eq!(api.post("/users/u/terminate_connections", "{}").head.status, 503);
    // Who joins is served with what this node knows (CL-017).
    let mut late = one.connect();
    late.join(APP, "presence-a", r#"{"user_id":"late"}"#);
    assert!(one.metric("fanfare_bus_degraded") > 0.5);

    redis.restart();
    for server in [&one, &two] {
        expect_in_touch(server);
    }
    eventually("events cross again", || {
        one.api().publish("news", "e", "2");
        (!bob.is_left_alone_for(Duration::from_millis(50))).then_some(())
    });
    let users = || two.api().get("/channels/presence-a/users", &[]).body;
    eventually("the other node knows who came", || (users() == r#"{"users":[{"id":"late"}]}"#).then_some(()));
}

#[test]
fn cl_062_connections_of_all_nodes_count_and_free_places_are_known() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "max_connections = 2");
    let (first, _second) = (one.connect(), two.connect());
    for server in [&one, &two] {
        refused_at_last(server, 2);
    }
    first.close();
    eventually("the place is free on the other node", || {
        let mut socket = Upgrade::to(&pusher_js(APP)).open(two.addr).1;
        format!("{:?}", socket.frame()).contains("connection_established").then_some(())
    });
}

#[test]
fn cl_063_the_messages_of_a_day_are_added_up_over_the_nodes() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "messages_per_day = 10");
    for number in 0..8 {
        one.api().publish("news", "e", &number.to_string());
    }
    let publish = |server: &TestServer| {
        let body = r#"{"name":"e","channels":["news"],"data":"d"}"#;
        server.api().post("/events", body).head.status
    };
    let mut accepted = 0;
    eventually("the quota is used up on the other node", || {
        let status = publish(&two);
        accepted += usize::from(status == 200);
        (status == 403).then_some(())
    });
    // Nodes speak of it every second, and nobody publishes more than the quota on one node.
    assert!(accepted <= 10, "{accepted}");
    eventually("and on the first", || (publish(&one) == 403).then_some(()));
}

#[test]
fn cl_016_the_most_members_of_a_channel_are_exact_over_all_nodes() {
    let redis = Redis::start();
    let servers = pair(&redis, "[apps.list.limits]\nmembers = 5");
    let mut sockets: Vec<Socket> = (0..20).map(|at| servers[at % 2].connect()).collect();
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.ask_signed(APP, "presence-a", Some(&format!(r#"{{"user_id":"u{at}"}}"#)));
    }
    let mut joined = 0;
    for socket in &mut sockets {
        let first = loop {
            let frame = socket.json();
            if frame["event"] != "pusher_internal:member_added" {
                break frame;
            }
        };
        joined += usize::from(first["event"] == "pusher_internal:subscription_succeeded");
    }
    assert_eq!(joined, 5);
    // A refused connection may try again, and has no subscription meanwhile.
    let body = servers[0].api().get("/channels/presence-a", &[("info", "user_count")]).body;
    assert!(body.contains(r#""user_count":5"#), "{body}");
}

#[test]
fn a_subscription_that_the_cluster_refuses_is_logged_as_on_one_node() {
    let redis = Redis::start();
    let debug = "[log]\nformat = \"json\"\nfilter = \"info,fanfare::connection=debug\"\n";
    let app = "[apps.list.limits]\nmembers = 1";
    let one = node(&redis, "", app);
    let two = Setup::bare().app(APP, app).config(&format!("{}{debug}", bus(&redis, ""))).start();
    expect_ready(&two, 200, "ready");
    let (mut ann, mut bob) = (one.connect(), two.connect());
    ann.join(APP, "presence-a", r#"{"user_id":"ann"}"#);
    bob.ask_signed(APP, "presence-a", Some(r#"{"user_id":"bob"}"#));
    bob.error();
    two.process.log_line("the refusal", |line| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let fields = &line["fields"];
        let is_it = fields["message"] == "command refused"
            && fields["error"] == "channel_full"
            && fields["app"] == APP.id
            && fields["channel"] == "presence-a"
            && fields["socket"] == bob.id.as_str();
        is_it.then_some(())
    });
}

/// Reads until every user was told of as added and has sent an event.
#[track_caller]
fn expect_each_added_before_heard(watcher: &mut Socket, users: usize, round: usize) {
    let mut added = std::collections::HashSet::new();
    let mut heard = 0;
    while heard < users {
        let frame = watcher.json();
        let data = frame["data"].as_str().unwrap_or_default();
        match frame["event"].as_str().unwrap_or_default() {
            "pusher_internal:member_added" => {
                let data: Value = serde_json::from_str(data).expect("JSON");
                added.insert(data["user_id"].as_str().expect("an id").to_owned());
            }
            "pusher_internal:member_removed" => {}
            _ => {
                let user = frame["user_id"].as_str().or(frame["data"].as_str()).expect("a user").to_owned();
                assert!(added.contains(&user), "round {round}: {user} is heard before being added: {frame}");
                heard += 1;
            }
        }
    }
}

#[test]
fn cl_002_who_has_joined_is_told_of_before_the_events_that_follow_on_the_other_node() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "client_events = true");
    // Telling so many of a newcomer takes longer than the way to the newcomer and back.
    let mut watchers: Vec<Socket> = (0..200).map(|_| two.connect()).collect();
    for watcher in &mut watchers {
        watcher.join(APP, "presence-a", r#"{"user_id":"watcher"}"#);
    }
    let watcher = &mut watchers[199];
    let mut api = one.api();
    for round in 0..30 {
        let mut sockets: Vec<Socket> = (0..60).map(|_| one.connect()).collect();
        for (at, socket) in sockets.iter_mut().enumerate() {
            socket.ask_signed(APP, "presence-a", Some(&format!(r#"{{"user_id":"{round}-{at}"}}"#)));
        }
        // The last who has joined is the first to send.
        for (at, socket) in sockets.iter_mut().enumerate().rev() {
            while socket.json()["event"] != "pusher_internal:subscription_succeeded" {}
            if at % 8 == 0 {
                api.publish("presence-a", "sent", &format!("{round}-{at}"));
            } else {
                socket.client_event("presence-a", "client-e", "{}");
            }
        }
        expect_each_added_before_heard(watcher, sockets.len(), round);
    }
}

#[test]
fn cl_052_a_user_is_closed_on_every_node() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let mut sockets = [one.connect(), two.connect()];
    for socket in &mut sockets {
        socket.sign_in(APP, r#"{"id":"7"}"#);
    }
    one.api().post("/users/7/terminate_connections", "{}").expect("{}");
    for socket in &mut sockets {
        socket.expect_close_code(4009);
    }
}

#[test]
fn cl_068_a_broadcast_that_every_node_hears_reaches_each_client_once_and_is_counted_once() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"laravel_\"\n", redis.url());
    let start = || {
        let server = Setup::new().config(&format!("{feed}{}", bus(&redis, ""))).start();
        expect_ready(&server, 200, "ready");
        server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
        server
    };
    let servers = [start(), start()];
    let nodes = || servers.iter().map(|server| server.metric("fanfare_cluster_nodes")).fold(9.0, f64::min);
    eventually("both know of both", || (nodes() > 1.5).then_some(()));
    let mut sockets = [servers[0].connect(), servers[1].connect()];
    for socket in &mut sockets {
        socket.subscribe("cache-news");
        socket.expect_cache_miss("cache-news");
    }
    redis.broadcast(&["laravel_cache-news"], r#"{"event":"e","data":{"a":1},"socket":null}"#);
    for socket in &mut sockets {
        socket.expect_event("cache-news", "e", r#"{"a":1}"#);
    }
    for server in &servers {
        let mut late = server.connect();
        late.subscribe("cache-news");
        late.expect_event("cache-news", "e", r#"{"a":1}"#);
    }
    for socket in &mut sockets {
        socket.expect_nothing_more();
    }
    let counted: f64 =
        servers.iter().map(|server| server.metric(r#"fanfare_events_published_total{app="3"}"#)).sum();
    assert!((counted - 1.0).abs() < 0.5, "{counted}");
}

#[test]
fn cl_070_the_users_of_a_node_that_drains_are_gone_at_once() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let (mut stays, mut goes) = (one.connect(), two.connect());
    stays.join(APP, "presence-a", r#"{"user_id":"stays"}"#);
    goes.join(APP, "presence-a", r#"{"user_id":"goes"}"#);
    let added = r#"{"user_id":"goes","user_info":{}}"#;
    stays.expect_event("presence-a", "pusher_internal:member_added", added);
    let before = std::time::Instant::now();
    drop(two.stop());
    stays.expect_event("presence-a", "pusher_internal:member_removed", r#"{"user_id":"goes"}"#);
    // The drain takes up to nine seconds; a lease that has to run out would come on top.
    assert!(before.elapsed().as_secs() < 12);
    assert_eq!(get(one.admin, "/ready").head.status, 200);
}

#[test]
fn cl_071_a_node_of_several_that_drains_is_refused_so_that_a_balancer_asks_the_next_one() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "[timeouts]\ndrain = 3");
    let mut stays = two.connect();
    let mut asks = Http::connect(two.addr);
    asks.write(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(asks.answer().head.status, 200);
    two.process.signal(Signal::TERM);
    eventually("nothing is accepted", || Http::try_connect(two.addr).is_none().then_some(()));
    // The others are served to the end of the drain: a kept connection is answered, and told to go elsewhere.
    assert_eq!(get(two.admin, "/ready").head.status, 503);
    asks.write(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(asks.answer().head.header("connection"), Some("close"));
    stays.expect_close(4200, "Server shutting down");
    two.drained();
    assert_eq!(get(one.admin, "/ready").head.status, 200);
}
