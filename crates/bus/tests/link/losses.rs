//! Single keys that are deleted, as by hand or by a wrong `maxmemory-policy`: nodes notice and tell everything anew.

use std::time::Duration;

use fanfare_bus::partition::Topic;
use fanfare_bus::{ChannelCounts, ClusterQuestion, ClusterReply, Settings};
use fanfare_testing::redis::Redis;

use crate::support::{Node, app, channel, settings};

/// A node whose epochs settle soon.
fn node(redis: &Redis, id: u64) -> Node {
    let node = Node::with(Settings { settling: Duration::from_secs(1), ..settings(&[&redis.url()], id) });
    node.wait_until_up();
    node
}

/// Waits until a node answers with these numbers of subscriptions and users.
#[track_caller]
fn wait_for(node: &Node, channels: [&str; 2], expected: [(usize, usize); 2]) {
    let question = || ClusterQuestion::Counts(channels.map(channel).to_vec());
    let counts = expected.map(|(subscriptions, users)| ChannelCounts { subscriptions, users });
    let expected = ClusterReply::Counts(counts.to_vec());
    node.until(&format!("{expected:?}"), || (node.ask(question())? == expected).then_some(()));
}

#[test]
fn cl_116_a_key_that_is_deleted_alone_is_noticed_and_its_numbers_come_back() {
    let redis = Redis::start();
    let (one, other) = (node(&redis, 1), node(&redis, 2));
    let layout = one.bus.layout();
    let presence = "presence-a";
    let partition = layout.partition(&app(), &channel(presence));
    // Of the same partition, and of one node alone.
    let is_there = |name: &String| layout.partition(&app(), &channel(name)) == partition;
    let quiet = (0..).map(|number| format!("quiet-{number}")).find(is_there).unwrap();
    let channels = [presence, &quiet];
    for (node, users) in [(&one, &["ann"][..]), (&other, &["ann", "bob"])] {
        node.open(presence);
        node.count(presence, users.len());
        users.iter().for_each(|user| node.join(presence, user));
    }
    other.count(&quiet, 4);
    wait_for(&one, channels, [(3, 2), (4, 0)]);
    let topic = Topic { partition, app: app() };
    let (totals, roster) =
        (layout.app_key(&topic, "totals"), layout.channel_key(&topic, "m", &channel(presence)));
    let own = layout.key(partition, "own:0000000000000001");
    for key in [&totals, &roster, &own] {
        assert_eq!(redis.says(&["DEL", key]), "1", "{key}");
        one.until(key, || (redis.says(&["EXISTS", key]) == "1").then_some(()));
        wait_for(&one, channels, [(3, 2), (4, 0)]);
        assert_eq!(redis.says(&["HGET", &roster, "ann"]), "2:", "behind {key}");
    }
    // A change that comes before the next beat hides nothing.
    redis.says(&["DEL", &totals]);
    other.count(&quiet, 5);
    wait_for(&one, channels, [(3, 2), (5, 0)]);
    assert!(!one.outcomes().iter().any(|told| told.contains("removed")), "{:?}", one.outcomes());
    // What is there is exactly what was told: it all goes again.
    one.leave(presence, "ann");
    one.count(presence, 0);
    wait_for(&other, channels, [(2, 2), (5, 0)]);
    for user in ["ann", "bob"] {
        other.leave(presence, user);
    }
    other.count(presence, 0);
    other.count(&quiet, 0);
    one.until("nothing is left", || (redis.says(&["EXISTS", &totals, &roster]) == "0").then_some(()));
}
