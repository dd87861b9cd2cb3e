//! What is open, of all nodes, whichever node is asked (CON-026).

use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::Redis;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::{bus, expect_ready};
use crate::inspect_channels::{field, paged};
use crate::support::admin::Admin;
use crate::support::server::TestServer;
use crate::support::setup::{Setup, binary, run};
use crate::support::{APP, eventually};

/// Two nodes that share a database, and an operator at each with the same token.
pub struct Pair {
    pub one: TestServer,
    pub two: TestServer,
    pub at_one: Admin,
    pub at_two: Admin,
    pub redis: Redis,
    pub postgres: Postgres,
}

pub fn pair() -> Pair {
    pair_with("", &[])
}

/// Nodes with further settings, and an app with some.
pub fn pair_with(config: &str, app: &[&str]) -> Pair {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let [one, two] = ["one", "two"].map(|name| {
        let settings = format!("{}{config}", bus(&redis, &format!("node_name = \"{name}\"")));
        let server = Setup::bare().env("DATABASE_URL", &postgres.url()).config(&settings).start();
        expect_ready(&server, 200, "ready");
        server
    });
    let url = postgres.url();
    let made = one.create_app(app, &[("DATABASE_URL", &url)]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    let words = ["token", "create", "--name", "t", "--scope", "read,operate,payloads", "--json"];
    let made = run(binary(one.folder()).args(words).env("DATABASE_URL", &url));
    assert_eq!(made.status, 0, "{}", made.stderr);
    let token: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let token = token["token"].as_str().expect("a token");
    let [at_one, at_two] = [&one, &two].map(|server| {
        server.expect_app_known();
        Admin::nobody(server).bearing(token)
    });
    Pair { one, two, at_one, at_two, postgres, redis }
}

/// An answer once this is so of it: what one node knows, the other hears a moment later.
#[track_caller]
pub fn once(admin: &Admin, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(path, || Some(admin.get(&format!("/v1/apps/3/{path}")).expect(200)).filter(&is_so))
}

pub fn is_of_both(answer: &Value) -> bool {
    answer["of"] == "all nodes" && answer["nodes"].as_array().map(Vec::len) == Some(2)
}

#[test]
fn con_026_lists_of_any_node_are_of_all_and_a_user_on_two_is_one() {
    let pair = pair();
    let (mut here, mut there, mut more) = (pair.one.connect(), pair.two.connect(), pair.two.connect());
    for socket in [&mut here, &mut there] {
        socket.subscribe("news");
        socket.sign_in(APP, r#"{"id":"42"}"#);
    }
    let member = |user: &str| format!(r#"{{"user_id":"{user}","user_info":{{"name":"Ada"}}}}"#);
    here.join(APP, "presence-room", &member("u"));
    there.join(APP, "presence-room", &member("u"));
    more.join(APP, "presence-room", &member("v"));
    more.subscribe("elsewhere");
    for (admin, name, other) in [(&pair.at_one, "one", "two"), (&pair.at_two, "two", "one")] {
        let list = once(admin, "channels", |answer| {
            is_of_both(answer) && field(answer, "channels", "subscribers") == [3, 2, 1]
        });
        assert_eq!((&list["node"], &list["nodes"]), (&json!(name), &json!([name, other])));
        assert_eq!((&list["missing"], &list["total"]), (&json!([]), &json!(3)));
        assert_eq!(field(&list, "channels", "name"), ["presence-room", "news", "elsewhere"]);
        assert_eq!(list["channels"][0]["nodes"], json!({"one": 1, "two": 2}));
        assert_eq!(list["channels"][0]["users"], 2, "u is on both");
        let room = once(admin, "channels/presence-room", is_of_both);
        assert_eq!((&room["subscribers"], &room["users"]), (&json!(3), &json!(2)));
        let members = once(admin, "channels/presence-room/members", is_of_both);
        let told: Vec<Value> = members["members"].as_array().expect("a list").clone();
        assert_eq!(
            (told[0].clone(), &told[1]["nodes"], &members["total"]),
            (
                json!({"user": "u", "connections": 2, "user_info": {"name": "Ada"}, "nodes": {"one": 1, "two": 1}}),
                &json!({"two": 1}),
                &json!(2)
            )
        );
        let subscribers = once(admin, "channels/news/subscribers", is_of_both);
        let mut nodes = field(&subscribers, "subscribers", "node");
        nodes.sort_by_key(Value::to_string);
        assert_eq!((nodes, &subscribers["total"]), (vec![json!("one"), json!("two")], &json!(2)));
        let users = once(admin, "users", is_of_both);
        assert_eq!(
            (&users["users"][0]["connections"], &users["users"][0]["nodes"]),
            (&json!(2), &json!({"one": 1, "two": 1}))
        );
        assert_eq!((&users["total"], &users["more_than"]), (&json!(1), &Value::Null));
        let open = once(admin, "connections", is_of_both);
        assert_eq!((open["connections"].as_array().map(Vec::len), &open["total"]), (Some(3), &json!(3)));
        for (socket, node) in [(&here, "one"), (&there, "two"), (&more, "two")] {
            let shown = once(admin, &format!("connections/{}", socket.id), |_| true);
            assert_eq!(shown["node"], node);
            assert!(shown["channels"].as_array().is_some_and(|channels| channels.len() == 2));
        }
        admin.get("/v1/apps/3/connections/1.1").refused(404, "no-such-connection", &[]);
    }
}

#[test]
fn con_026_pages_of_all_nodes_have_every_row_once() {
    let pair = pair();
    let mut sockets: Vec<_> =
        (0..14).map(|at| if at % 2 == 0 { pair.one.connect() } else { pair.two.connect() }).collect();
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe(&format!("c{}", at / 4));
        socket.sign_in(APP, &format!(r#"{{"id":"user-{}"}}"#, at / 3));
    }
    once(&pair.at_two, "channels", |answer| {
        is_of_both(answer) && field(answer, "channels", "subscribers") == [4, 4, 4, 2]
    });
    for (path, list, key, limit, rows) in [
        ("connections?", "connections", "socket", 6, 14),
        ("users?", "users", "user", 2, 5),
        ("channels?order=name&", "channels", "name", 2, 4),
        ("channels?", "channels", "name", 2, 4),
        ("channels/c1/subscribers?", "subscribers", "socket", 3, 4),
    ] {
        let mut found: Vec<String> = paged(&pair.at_one, &format!("/v1/apps/3/{path}"), list, limit)
            .iter()
            .map(|row| row[key].to_string())
            .collect();
        let all = found.len();
        found.sort();
        found.dedup();
        assert_eq!((all, found.len()), (rows, rows), "{path}");
    }
}

#[test]
fn con_022_and_con_026_users_of_two_nodes_are_counted_once_whichever_page_is_asked_for() {
    let pair = pair();
    let mut sockets: Vec<_> =
        (0..14).map(|at| if at % 2 == 0 { pair.one.connect() } else { pair.two.connect() }).collect();
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe("news");
        socket.sign_in(APP, &format!(r#"{{"id":"user-{}"}}"#, at / 3));
    }
    let mut other = pair.one.connect();
    other.sign_in(APP, r#"{"id":"other"}"#);
    for admin in [&pair.at_one, &pair.at_two] {
        for (query, total) in [
            ("limit=2", 6),
            ("prefix=user-&limit=2", 5),
            ("prefix=user-&after=user-3", 5),
            ("prefix=none", 0),
        ] {
            let list =
                once(admin, &format!("users?{query}"), |list| is_of_both(list) && list["total"] == total);
            assert_eq!(list["more_than"], Value::Null, "{query}");
        }
    }
    let Pair { one, at_one, redis, postgres: _postgres, two: _two, .. } = pair;
    drop(redis);
    expect_ready(&one, 200, "degraded");
    let alone = once(&at_one, "users?limit=2", |list| list["missing"] == Value::Null);
    assert_eq!((&alone["total"], &alone["more_than"]), (&Value::Null, &Value::Null), "not known");
}

#[test]
fn con_026_and_con_047_a_connection_and_a_user_are_closed_from_any_node() {
    let pair = pair();
    let (mut there, mut one, mut two) = (pair.two.connect(), pair.one.connect(), pair.two.connect());
    for socket in [&mut one, &mut two] {
        socket.sign_in(APP, r#"{"id":"42"}"#);
    }
    let path = format!("/v1/apps/3/connections/{}?code=4009", there.id);
    eventually("the nodes know each other", || {
        (pair.at_one.delete(&path).answer.head.status == 204).then_some(())
    });
    there.expect_close(4009, "Closed by an operator of the server");
    let answer = pair.at_one.post("/v1/apps/3/users/42/terminate", "").expect(200);
    assert_eq!((&answer["closed"], &answer["of"]), (&json!(2), &json!("all nodes")));
    for socket in [&mut one, &mut two] {
        socket.expect_close(4009, "You got disconnected by the app.");
    }
    let log = pair.at_two.get("/v1/audit?limit=2").expect(200);
    assert_eq!(field(&log, "entries", "action"), ["user.terminate", "connection.close"]);
}

#[test]
fn con_026_a_node_that_does_not_answer_is_named_and_the_rest_is_shown() {
    let pair = pair();
    let mut socket = pair.one.connect();
    socket.subscribe("news");
    once(&pair.at_one, "channels", is_of_both);
    pair.two.process.signal(Signal::STOP);
    for (path, list) in [
        ("channels", "channels"),
        ("connections", "connections"),
        ("channels/news/subscribers", "subscribers"),
    ] {
        let answer = once(&pair.at_one, path, |answer| answer["missing"] == json!(["two"]));
        assert_eq!(
            (answer[list].as_array().map(Vec::len), &answer["nodes"]),
            (Some(1), &json!(["one"])),
            "{path}"
        );
    }
    let elsewhere = pair.at_one.get("/v1/apps/3/connections/1.1");
    pair.two.process.signal(Signal::CONT);
    if elsewhere.answer.head.status == 503 {
        assert!(
            elsewhere.json["detail"].as_str().is_some_and(|detail| detail.contains("two did not answer"))
        );
    }
}

#[test]
fn con_026_without_redis_the_asked_node_answers_for_itself_and_says_so() {
    let Pair { one, at_one, redis, postgres: _postgres, two: _two, .. } = pair();
    let mut socket = one.connect();
    socket.subscribe("news");
    drop(redis);
    expect_ready(&one, 200, "degraded");
    for path in ["channels", "connections", "users", "channels/news", "channels/news/subscribers"] {
        let answer = at_one.get(&format!("/v1/apps/3/{path}")).expect(200);
        assert_eq!(
            (&answer["of"], &answer["nodes"], &answer["missing"]),
            (&json!("this node"), &json!(["one"]), &Value::Null),
            "{path}"
        );
    }
    let shown = at_one.get("/v1/apps/3/channels").expect(200);
    assert_eq!(field(&shown, "channels", "subscribers"), [1]);
    at_one.get("/v1/apps/3/connections/1.1").refused(503, "cluster-away", &[]);
}
