//! Channels without roster and cache: a newcomer waits only for the topic (CL-006), and hears counts of the cluster.

use fanfare_protocol::cluster::ClusterOutcome;

use crate::node::{Node, channel, received};

#[test]
fn cl_006_a_newcomer_is_acknowledged_at_once_on_a_live_topic_and_waits_otherwise() {
    let node = Node::new();
    let early = node.subscribed(1, "news");
    assert_eq!(received(&early), ["in"]);
    node.set_live(false);
    let late = node.subscribed(2, "news");
    assert_eq!(node.publish("news", "x"), 1, "who waits hears nothing of the channel");
    assert_eq!((received(&early), received(&late)), (vec!["x".to_owned()], vec![]));
    assert_eq!(node.hub.counts(&channel("news")).subscriptions, 2, "who waits is subscribed");
    let copy = node.copy("news");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: copy + 100 });
    assert!(received(&late).is_empty(), "another copy was meant");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy });
    assert_eq!(received(&late), ["in"]);
    node.publish("news", "y");
    assert_eq!((received(&early), received(&late)), (vec!["y".to_owned()], vec!["y".to_owned()]));
}

#[test]
fn serving_a_plain_channel_serves_nobody_who_comes_later() {
    let node = Node::new();
    node.set_live(false);
    let first = node.subscribed(1, "news");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: node.copy("news") });
    let second = node.subscribed(2, "news");
    assert_eq!((received(&first), received(&second)), (vec!["in".to_owned()], vec![]));
}

#[test]
fn changes_come_in_order_and_each_life_of_a_channel_has_a_copy_of_its_own() {
    let node = Node::new();
    let mut client = node.subscribed(1, "news");
    let first = node.copy("news");
    client.unsubscribe("news");
    let other = node.subscribed(2, "news");
    assert!(node.copy("news") > first);
    drop(other);
    assert_eq!(
        node.changes(),
        [
            "opened news",
            "counted news 1",
            "counted news 0",
            "closed news",
            "opened news",
            "counted news 1",
            "counted news 0",
            "closed news"
        ]
    );
    assert_eq!(node.hub.totals(), (0, 0));
}

#[test]
fn copies_never_come_twice_although_a_hub_is_dropped_and_made_again() {
    let node = Node::new();
    let client = node.subscribed(1, "news");
    let first = node.copy("news");
    drop(client);
    let Node { hubs, hub, .. } = node;
    let app = hub.app();
    drop(hub);
    hubs.sweep(u64::MAX);
    let hub = hubs.get(&app.id).expect("a hub stays while the cluster has not heard of its changes");
    hub.take_changes(&mut Vec::new(), 100);
    drop(hub);
    hubs.sweep(u64::MAX);
    assert!(hubs.get(&app.id).is_none());
    let again = hubs.open(&app);
    let conn = fanfare_hub::Conn::new(fanfare_protocol::ids::SocketId::from_bits(2), hubs.budget().clone());
    let mut client = fanfare_hub::Subscriptions::new(again.clone(), conn.into());
    client.subscribe(channel("news"), None, 0).expect("subscribed");
    let copy = again.snapshot().channels.iter().find_map(|open| open.copy).expect("an open channel");
    assert!(copy > first);
}

#[test]
fn cl_022_subscribers_hear_the_number_of_the_cluster_and_never_that_of_the_node() {
    let node = Node::new();
    let first = node.subscribed(1, "news");
    node.apply(ClusterOutcome::Count { channel: channel("news"), count: 7 });
    assert_eq!(received(&first), ["in", "count 7"]);
    node.subscribed(2, "news");
    node.hub.tell_changes();
    node.hub.tell_counts();
    assert!(received(&first).is_empty());
}

#[test]
fn ws_177_a_newcomer_hears_no_number_without_itself_if_another_follows() {
    let node = Node::new();
    let first = node.subscribed(1, "news");
    let count = |count| node.apply(ClusterOutcome::Count { channel: channel("news"), count });
    count(7);
    assert_eq!(received(&first), ["in", "count 7"]);
    assert_eq!(received(&node.subscribed(2, "news")), ["in"]);
    count(100);
    assert_eq!(received(&node.subscribed(3, "news")), ["in", "count 100"], "a crowd is told now and then");
    count(7);
    node.set_live(false);
    let alone = node.subscribed(4, "news");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: node.copy("news") });
    assert_eq!(received(&alone), ["in", "count 7"], "without the cluster no other follows");
}

#[test]
fn ws_177_a_number_that_is_told_while_a_newcomer_waits_is_told_with_the_acknowledgement() {
    let node = Node::new();
    node.set_live(false);
    let first = node.subscribed(1, "news");
    node.apply(ClusterOutcome::Count { channel: channel("news"), count: 1 });
    node.set_live(true);
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: node.copy("news") });
    assert_eq!(received(&first), ["in", "count 1"]);
    assert_eq!(received(&node.subscribed(2, "news")), ["in"]);
}

#[test]
fn who_leaves_while_waiting_is_gone() {
    let node = Node::new();
    node.set_live(false);
    let mut client = node.subscribed(1, "news");
    assert!(client.unsubscribe("news") && !client.unsubscribe("news"));
    assert_eq!(node.changes(), ["opened news", "counted news 1", "counted news 0", "closed news"]);
    assert_eq!((node.hub.totals(), client.len()), ((0, 0), 0));
}

#[test]
fn ws_142_who_leaves_before_the_topic_is_heard_is_acknowledged_and_on_a_presence_channel_is_not() {
    let node = Node::new();
    node.set_live(false);
    let mut client = node.subscribed(1, "news");
    assert!(received(&client).is_empty());
    client.unsubscribe("news");
    assert_eq!(received(&client), ["in"]);
    node.publish("news", "x");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: 1 });
    assert!(received(&client).is_empty());
    let mut late = node.subscribed(2, "cache-news");
    late.unsubscribe("cache-news");
    assert_eq!(received(&late), ["in"]);
    let mut member = node.joined(3, "presence-room", "ann");
    member.unsubscribe("presence-room");
    assert!(received(&member).is_empty(), "nobody knows whether there was room");
}
