//! A Redis Cluster: the feed subscribes to one node, and to another when that dies.

use crate::support::Listening;
use fanfare_testing::redis::Cluster;

#[test]
fn what_is_published_at_any_node_arrives_and_a_node_that_dies_is_replaced_by_another() {
    let mut cluster = Cluster::start(0);
    // The feed learns the other nodes from this one.
    let feed = Listening::to(&cluster.url(), &["a_"]);
    assert_eq!(feed.subscribed(), (cluster.nodes[0].port, None));
    for (node, text) in cluster.nodes.iter().zip(["1", "2", "3"]) {
        node.broadcast(&["a_x"], text);
        feed.expect_message("a_x", text);
    }
    cluster.nodes[0].kill();
    let (port, gap) = feed.subscribed();
    assert!(cluster.nodes[1..].iter().any(|node| node.port == port) && gap.is_some(), "{port} {gap:?}");
    for (node, text) in cluster.nodes[1..].iter().zip(["4", "5"]) {
        node.broadcast(&["a_x"], text);
        feed.expect_message("a_x", text);
    }
}
