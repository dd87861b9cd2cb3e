//! Numbers, refusals, uses of keys and the nodes' own state, of all nodes, whichever node is asked (CON-020, CON-026, CON-044,
//! CON-052, CON-058).

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::expect_ready;
use crate::cluster_lists::{Pair, is_of_both, once, pair_with};
use crate::support::admin::Admin;
use crate::support::{APP, App, eventually, eventually_within};

/// Within this time each node has made two points, of which one comes every ten seconds, also on a busy machine.
const TWO_POINTS: Duration = Duration::from_secs(60);

fn pair() -> Pair {
    pair_with("", &[])
}

/// The numbers of this answer, in the order of the names.
fn numbers<const N: usize>(of: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| of[name].as_u64().expect("a number"))
}

/// The answer of a route of no app, once this is so of it.
#[track_caller]
fn once_of_nodes(admin: &Admin, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(path, || Some(admin.get(path).expect(200)).filter(&is_so))
}

#[test]
fn con_020_and_con_026_numbers_of_any_node_are_of_all_and_what_is_on_two_is_one() {
    let pair = pair();
    let (mut here, mut there, mut more) = (pair.one.connect(), pair.two.connect(), pair.two.connect());
    for socket in [&mut here, &mut there] {
        socket.subscribe("news");
        socket.sign_in(APP, r#"{"id":"42"}"#);
    }
    more.subscribe("elsewhere");
    more.sign_in(APP, r#"{"id":"7"}"#);
    let names = ["connections", "channels", "subscriptions", "users"];
    for (admin, name, other) in [(&pair.at_one, "one", "two"), (&pair.at_two, "two", "one")] {
        let stats =
            once(admin, "stats", |answer| is_of_both(answer) && numbers(answer, names) == [3, 2, 3, 2]);
        assert_eq!(
            (&stats["node"], &stats["nodes"], &stats["missing"], &stats["at_least"]),
            (&json!(name), &json!([name, other]), &json!([]), &json!([]))
        );
        assert_eq!(numbers(&stats["by_node"]["one"], names), [1, 1, 1, 1]);
        assert_eq!(numbers(&stats["by_node"]["two"], names), [2, 2, 2, 2]);
    }
    pair.one.api().publish("news", "e", "x");
    for socket in [&mut here, &mut there] {
        socket.expect_event("news", "e", "x");
    }
    let names = ["events", "deliveries"];
    for admin in [&pair.at_one, &pair.at_two] {
        let all = once(admin, "stats", |stats| is_of_both(stats) && numbers(stats, names) == [1, 2]);
        let by_node = ["one", "two"].map(|node| numbers(&all["by_node"][node], names));
        assert_eq!(by_node, [[1, 1], [0, 1]], "a message counts where it was accepted");
    }
}

#[test]
fn con_021_and_con_026_the_last_hour_of_two_nodes_is_one_curve() {
    let pair = pair();
    let _open = [pair.one.connect(), pair.two.connect(), pair.two.connect()];
    let stats = eventually_within(TWO_POINTS, "points of both nodes", || {
        let stats = pair.at_one.get("/v1/apps/3/stats").expect(200);
        let points = stats["history"].as_array().expect("a list");
        let has_both = points.iter().filter(|point| point["connections"] == 3).count() > 1;
        (has_both && is_of_both(&stats)).then_some(stats)
    });
    let moments: Vec<&str> = stats["history"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|point| point["at"].as_str())
        .collect();
    assert!(moments.is_sorted(), "{moments:?}");
    assert!(moments.iter().all(|at| at.ends_with("0Z")), "one point each ten seconds: {moments:?}");
}

#[test]
fn con_044_and_con_026_equal_refusals_of_two_nodes_are_one_row_and_say_where() {
    let pair = pair();
    let wrong = App { secret: "wrong", ..APP };
    let nobody = App { id: "44", key: "unknown", secret: "wrong" };
    for (server, times) in [(&pair.one, 2), (&pair.two, 3)] {
        for _ in 0..times {
            server.api_of(nobody).post("/events", "{}").refused(404, "");
        }
        let mut socket = server.connect();
        socket.ask_for("private-a");
        socket.error();
    }
    pair.two.api_of(wrong).post("/events", "{}").refused(401, "signature");
    let mut answers = Vec::new();
    for admin in [&pair.at_one, &pair.at_two] {
        let list = once(admin, "refusals", |answer| is_of_both(answer) && answer["total"] == 2);
        let row = |cause: &str| {
            let rows = list["refusals"].as_array().expect("a list");
            rows.iter().find(|row| row["cause"] == cause).unwrap_or_else(|| panic!("{cause}: {list}")).clone()
        };
        let both = row("unsigned");
        assert_eq!((&both["count"], &both["nodes"]), (&json!(2), &json!({"one": 1, "two": 1})), "{both}");
        assert_eq!(both["example"]["node"], "two", "the latest: {both}");
        assert!(
            both["first_at"].as_str() <= both["last_at"].as_str() && both["advice"].is_string(),
            "{both}"
        );
        assert_eq!(row("signature_mismatch")["nodes"], json!({"two": 1}));
        let page = admin.get("/v1/apps/3/refusals?limit=1").expect(200);
        let next = page["next"].as_str().expect("a second page");
        let rest = admin.get(&format!("/v1/apps/3/refusals?limit=1&after={next}")).expect(200);
        assert_eq!(json!([page["refusals"][0], rest["refusals"][0]]), list["refusals"]);
        let of_no_app = once_of_nodes(admin, "/v1/refusals", is_of_both);
        let strangers = &of_no_app["refusals"][0];
        assert_eq!(strangers["nodes"], json!({"one": 2, "two": 3}), "{of_no_app}");
        answers.push((list["refusals"].clone(), of_no_app["refusals"].clone()));
    }
    assert_eq!(answers[0], answers[1], "whichever node is asked, with the same ids");
}

#[test]
fn con_052_and_con_026_the_uses_of_a_key_on_all_nodes_are_added() {
    let pair = pair();
    let used = |admin: &Admin| {
        let keys = once(admin, "keys", is_of_both);
        numbers(&keys["keys"][0], ["connections", "requests_last_hour"])
    };
    let [_, before] = used(&pair.at_one);
    let _open = [pair.one.connect(), pair.two.connect(), pair.two.connect()];
    for server in [&pair.one, &pair.two, &pair.two] {
        server.api().publish("news", "e", "x");
    }
    for admin in [&pair.at_one, &pair.at_two] {
        eventually("both nodes count", || (used(admin) == [3, before + 3]).then_some(()));
    }
}

#[test]
fn con_058_and_con_085_every_node_says_how_it_is_whichever_is_asked_and_a_silent_one_is_named() {
    let pair = pair_with("\n[limits]\nconnections = 17\n", &[]);
    let _open = pair.two.connect();
    for admin in [&pair.at_one, &pair.at_two] {
        let list = once_of_nodes(admin, "/v1/nodes", |list| {
            let nodes = list["nodes"].as_array().expect("a list");
            nodes.len() == 2 && nodes.iter().all(|node| node["answers"] == true)
        });
        assert_eq!((&list["of"], &list["missing"]), (&json!("all nodes"), &json!([])));
        for node in list["nodes"].as_array().expect("a list") {
            let open = u64::from(node["name"] == "two");
            assert_eq!(numbers(node, ["connections", "capacity"]), [open, 17], "{node}");
            assert_eq!(
                (&node["ready"], &node["says"], &node["draining"], &node["database"], &node["redis"]),
                (&json!(true), &json!("ready"), &json!(false), &json!(true), &json!(true)),
                "{node}"
            );
            assert!(node["memory_bytes"].as_u64() > Some(0) && node["links"][0]["up"] == true, "{node}");
            assert_eq!(node.get("configuration"), None, "a node shows its own settings alone");
        }
    }
    pair.two.process.signal(Signal::STOP);
    let list = once_of_nodes(&pair.at_one, "/v1/nodes", |list| list["missing"] == json!(["two"]));
    pair.two.process.signal(Signal::CONT);
    let nodes = list["nodes"].as_array().expect("a list");
    let silent = nodes.iter().find(|node| node["name"] == "two").expect("it is still listed");
    assert_eq!((&silent["answers"], silent.get("ready")), (&json!(false), None));
}

#[test]
fn con_026_a_node_that_was_killed_is_named_and_the_numbers_are_of_the_rest() {
    let mut pair = pair();
    let _open = pair.one.connect();
    pair.one.api_of(App { secret: "wrong", ..APP }).post("/events", "{}").refused(401, "signature");
    for path in ["stats", "refusals", "keys", "webhooks/deliveries"] {
        once(&pair.at_one, path, is_of_both);
    }
    pair.two.process.signal(Signal::KILL);
    pair.two.process.ended();
    // Until its lease ends, five seconds after its death.
    let stats = once(&pair.at_one, "stats", |stats| stats["missing"] == json!(["two"]));
    assert_eq!((&stats["of"], &stats["nodes"]), (&json!("all nodes"), &json!(["one"])));
    assert_eq!(numbers(&stats, ["connections", "refusals"]), [1, 1]);
    for path in ["refusals", "keys", "webhooks/deliveries"] {
        let answer = once(&pair.at_one, path, |answer| answer["nodes"] == json!(["one"]));
        assert_ne!(answer["missing"], Value::Null, "{path}");
    }
    let list = eventually_within(TWO_POINTS, "the dead node", || {
        let list = pair.at_one.get("/v1/nodes").expect(200);
        (list["nodes"][1]["lost"] == true).then_some(list)
    });
    let [one, two] = list["nodes"].as_array().expect("a list").as_slice() else { panic!("{list}") };
    assert_eq!((&one["lost"], &one["answers"], &list["missing"]), (&json!(false), &json!(true), &json!([])));
    assert_eq!((&two["name"], &two["answers"]), (&json!("two"), &json!(false)));
    assert!(two["last_seen_at"].as_str() < one["last_seen_at"].as_str(), "not heard of for a while: {list}");
}

#[test]
fn con_026_without_redis_the_asked_node_answers_for_itself() {
    let Pair { one, at_one, redis, two: _two, postgres: _postgres, .. } = pair();
    let _open = one.connect();
    drop(redis);
    expect_ready(&one, 200, "degraded");
    for path in ["stats", "refusals", "keys", "webhooks/deliveries"] {
        let answer = once(&at_one, path, |answer| answer["missing"] == Value::Null);
        assert_eq!((&answer["of"], &answer["nodes"]), (&json!("this node"), &json!(["one"])), "{path}");
    }
    let stats = at_one.get("/v1/apps/3/stats").expect(200);
    assert_eq!(numbers(&stats, ["connections"]), [1]);
}

#[test]
fn con_026_a_crowd_of_operators_with_the_same_question_asks_the_other_nodes_once_a_second() {
    let pair = pair();
    for path in ["stats", "refusals", "keys", "channels", "webhooks/deliveries"] {
        once(&pair.at_one, path, is_of_both);
    }
    // Far more than may be asked in a second.
    for _ in 0..20 {
        for path in ["stats", "refusals", "keys", "channels", "webhooks/deliveries"] {
            let answer = pair.at_one.get(&format!("/v1/apps/3/{path}")).expect(200);
            assert_ne!(answer["missing"], Value::Null, "{path}: nobody was asked: {answer}");
        }
    }
}

#[test]
fn con_026_other_questions_about_an_app_are_asked_ten_times_a_second_and_an_answer_of_this_node_alone_says_so()
 {
    let pair = pair();
    let mut asked = 0;
    let refused = eventually("more than ten questions in a second", || {
        // None is like another.
        let answers = (0..50).map(|_| {
            asked += 1;
            let address = format!("10.0.{}.{}", asked / 200, asked % 200);
            pair.at_one.get(&format!("/v1/apps/3/connections?address={address}")).expect(200)
        });
        answers.filter(|answer| answer["missing"] == Value::Null).last()
    });
    assert_eq!((&refused["of"], &refused["nodes"]), (&json!("this node"), &json!(["one"])));
    once(&pair.at_one, "stats", is_of_both);
}
