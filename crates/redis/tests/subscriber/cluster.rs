//! A Redis Cluster: the feed subscribes to one node, and to another when that dies.

use crate::support::Listening;
use fanfare_testing::redis::Redis;
use fanfare_testing::until;

fn cluster() -> [Redis; 3] {
    let nodes = [Redis::cluster_node(), Redis::cluster_node(), Redis::cluster_node()];
    let places: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let mut words = vec!["--cluster", "create"];
    words.extend(places.iter().map(String::as_str));
    words.push("--cluster-yes");
    nodes[0].says(&words);
    for node in &nodes {
        until("the cluster is up", || {
            node.says(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
        });
    }
    nodes
}

#[test]
fn what_is_published_at_any_node_arrives_and_a_node_that_dies_is_replaced_by_another() {
    let [mut first, second, third] = cluster();
    // The feed learns the other nodes from this one.
    let feed = Listening::to(&format!("redis+cluster://127.0.0.1:{}", first.port), &["a_"]);
    assert_eq!(feed.subscribed(), (first.port, None));
    for (node, text) in [(&first, "1"), (&second, "2"), (&third, "3")] {
        node.broadcast(&["a_x"], text);
        feed.expect_message("a_x", text);
    }
    first.kill();
    let (port, gap) = feed.subscribed();
    assert!([second.port, third.port].contains(&port) && gap.is_some(), "{port} {gap:?}");
    for (node, text) in [(&second, "4"), (&third, "5")] {
        node.broadcast(&["a_x"], text);
        feed.expect_message("a_x", text);
    }
}
