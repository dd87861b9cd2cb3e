//! The last deliveries of webhooks among several nodes (CON-054).

use fanfare_testing::redis::Redis;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::{expect_ready, pair};
use crate::support::receiver::Receiver;
use crate::support::{APP, eventually};
use crate::webhook_deliveries::deliveries;
use crate::webhook_tests::{test_by_api, webhook};

/// The nodes of the rows of the first webhook, by the alphabet.
fn nodes_of(answer: &Value) -> Vec<&str> {
    let rows = answer["webhooks"][0]["deliveries"].as_array().expect("a list");
    let mut nodes: Vec<&str> = rows.iter().filter_map(|row| row["node"].as_str()).collect();
    nodes.sort_unstable();
    nodes
}

#[test]
fn con_054_each_node_tells_the_deliveries_of_all_and_names_the_nodes_that_do_not_answer() {
    let (redis, receiver) = (Redis::start(), Receiver::new());
    let [one, two] = pair(&redis, &receiver.setting(&["channel_existence"]));
    for (node, name) in [(&one, "one"), (&two, "two"), (&one, "one")] {
        assert_eq!(test_by_api(node, &receiver.url())["status"], json!(200), "{name}");
    }
    let answer = eventually("the nodes know each other", || {
        let answer = deliveries(&one);
        (answer["nodes"].as_array().map(Vec::len) == Some(2)).then_some(answer)
    });
    assert_eq!(nodes_of(&answer), ["one", "one", "two"]);
    assert_eq!((&answer["nodes"], &answer["missing"]), (&json!(["one", "two"]), &json!([])));
    let of_two = deliveries(&two);
    assert_eq!(of_two["nodes"], json!(["two", "one"]));
    assert_eq!(of_two["webhooks"], answer["webhooks"], "whichever node is asked, with the same ids");

    two.process.signal(Signal::STOP);
    let answer = eventually("node two has stopped", || {
        let answer = deliveries(&one);
        (answer["missing"] == json!(["two"])).then_some(answer)
    });
    two.process.signal(Signal::CONT);
    assert_eq!(answer["nodes"], json!(["one"]));
    assert_eq!(nodes_of(&answer), ["one", "one"]);
}

#[test]
fn con_054_without_redis_the_asked_node_answers_for_itself_and_says_so() {
    let (redis, receiver) = (Redis::start(), Receiver::new());
    let [one, _two] = pair(&redis, &receiver.setting(&["channel_existence"]));
    drop(redis);
    expect_ready(&one, 200, "degraded");
    assert_eq!(test_by_api(&one, &receiver.url())["status"], json!(200));
    let answer = deliveries(&one);
    assert_eq!((nodes_of(&answer), &answer["missing"]), (vec!["one"], &Value::Null));
    let shown = webhook(&one, &["deliveries", APP.id]).stdout;
    assert!(
        shown.ends_with("the Redis between the nodes is away, or too many questions were asked.\n"),
        "{shown}"
    );
}
