//! A Redis Cluster: each partition at the master of its slot, wherever the slot goes.

use fanfare_testing::redis::Cluster;

use crate::support::{Node, app, assert_in_touch, channel};

/// A channel in each partition.
fn channels(node: &Node) -> Vec<String> {
    let layout = node.bus.layout();
    let in_partition = |partition| {
        let names = (0..).map(|number| format!("a{number}"));
        names.into_iter().find(|name| layout.partition(&app(), &channel(name)) == partition).unwrap()
    };
    (0..layout.partitions()).map(in_partition).collect()
}

fn assert_all_in_touch(one: &Node, other: &Node, channels: &[String]) {
    one.wait_until_up();
    other.wait_until_up();
    for name in channels {
        assert_in_touch(one, other, name);
    }
}

#[test]
fn cl_109_events_go_through_every_shard_and_on_when_a_slot_moves() {
    let cluster = Cluster::start(0);
    let (one, other) = (Node::up(&cluster.url(), 1), Node::up(&cluster.url(), 2));
    let channels = channels(&one);
    channels.iter().for_each(|name| other.open(name));
    assert_all_in_touch(&one, &other, &channels);
    assert!(cluster.nodes.iter().all(|node| node.clients("pubsub") > 0), "every shard is used");
    let key = one.bus.layout().key(3, "live");
    let to = (cluster.master_of(&key, 0) + 1) % 3;
    cluster.move_slot(&key, to);
    other.until("the loss is counted", || (other.bus.counters().moved.get() >= 1).then_some(()));
    assert_all_in_touch(&one, &other, &channels);
}

#[test]
fn cl_109_a_master_that_dies_is_replaced_and_the_others_go_on() {
    let mut cluster = Cluster::start(1);
    let (one, other) = (Node::up(&cluster.url(), 1), Node::up(&cluster.url(), 2));
    let channels = channels(&one);
    channels.iter().for_each(|name| other.open(name));
    assert_all_in_touch(&one, &other, &channels);
    let dying = cluster.master_of(&one.bus.layout().key(5, "live"), 0);
    let witness = (dying + 1) % 3;
    let is_elsewhere =
        |partition| cluster.master_of(&one.bus.layout().key(partition, "live"), witness) != dying;
    let others: Vec<u16> = (0..16).filter(|partition| is_elsewhere(*partition)).collect();
    cluster.nodes[dying].kill();
    one.away();
    for partition in others {
        assert_in_touch(&one, &other, &channels[usize::from(partition)]);
        assert!(one.bus.links()[usize::from(partition)].is_up);
    }
    assert_all_in_touch(&one, &other, &channels);
}

#[test]
fn cl_040_the_oldest_kept_events_of_a_partition_make_room_in_a_cluster_too() {
    let cluster = Cluster::start(0);
    let one = Node::up(&cluster.url(), 1);
    let layout = one.bus.layout();
    let names = (0..).map(|number| format!("cache-{number}"));
    let own = names.filter(|name| layout.partition(&app(), &channel(name)) == 3).take(5).collect::<Vec<_>>();
    for name in &own {
        one.open(name);
        one.keep_within(name, name, 16 * 900);
        one.hears(&format!("kept own {name} {name}"));
    }
    let late = Node::up(&cluster.url(), 2);
    for (at, name) in own.iter().enumerate() {
        let kept = if at < 3 { "" } else { name };
        late.begin(name);
        late.is_told(&format!("{name} cached {kept}"));
    }
    assert_eq!(one.bus.counters().lost.get(), 0);
}
