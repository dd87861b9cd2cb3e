//! Clients that resume on a node of a cluster: their channels stay open while they are away, and who waits for an
//! acknowledgement keeps its position (RES-005, RES-014).

use std::borrow::Cow;
use std::time::Duration;

use fanfare_hub::Subscriptions;
use fanfare_protocol::app::App;
use fanfare_protocol::cluster::{ClusterOutcome, FoundEvent};
use fanfare_protocol::resume::{Position, ResumeToken};

use crate::node::{Node, app, channel, identity, join, received, users};

const ROOM: &str = "presence-room";

fn node() -> Node {
    Node::of(App { resume_seconds: 60, subscription_counts: false, ..app() })
}

/// A connection that counts.
fn counting(node: &Node, id: u64) -> Subscriptions {
    back(node, id, &[])
}

/// A connection that has come back: the channels, each with the connection before and the count.
fn back(node: &Node, id: u64, positions: &[(&str, u64, u64)]) -> Subscriptions {
    let token = |id: u64| ResumeToken::from_bits(id.into());
    let mut client = node.client(id);
    client.offer_resume(token(id));
    let positions = positions.iter().map(|(name, former, count)| {
        (Cow::Borrowed(*name), Some(Position { token: token(*former), count: *count }))
    });
    client.resume(positions, 100);
    client
}

/// A client that counts has subscribed to `news`, and its connection has ended.
fn one_went(node: &Node) {
    subscribe(&mut counting(node, 1), "news");
}

fn subscribe(client: &mut Subscriptions, name: &str) {
    client.subscribe(channel(name), None, crate::node::NOW).expect("a first subscription");
}

#[test]
fn res_014_a_channel_stays_open_until_nobody_may_come_back() {
    let node = node();
    let mut client = counting(&node, 1);
    subscribe(&mut client, "news");
    assert_eq!(received(&client), ["in"]);
    drop(client);
    assert_eq!(node.changes(), ["opened news", "counted news 1", "counted news 0"]);
    assert_eq!(node.hub.deliver_heard("news", &event("x"), None, 7), 0, "another node's event");
    let mut client = back(&node, 2, &[("news", 1, 0)]);
    subscribe(&mut client, "news");
    assert_eq!(received(&client), ["in", "x", "resumed"]);
    drop(client);
    node.hubs.sweep_rings(1000 * 1000);
    drop(node.changes());
    node.hubs.sweep_rings(2000 * 1000);
    assert_eq!(node.changes(), [] as [&str; 0]);
    assert_eq!(node.hubs.kept_for_resuming(), (0, 0));
}

#[test]
fn res_014_the_copy_closes_with_the_last_client_that_may_come_back() {
    let node = node();
    one_went(&node);
    drop(node.changes());
    node.hubs.sweep_rings(60 * 1000);
    assert_eq!(node.changes(), [] as [&str; 0], "too early");
    node.hubs.sweep_rings(62 * 1000);
    assert_eq!(node.changes(), ["closed news"]);
    let all = format!("{:?}", node.hub);
    assert!(!all.contains("Channel {") && !all.contains("Ring {"), "{all}");
}

#[test]
fn res_005_who_waits_for_the_topic_is_sent_what_came_until_the_acknowledgement() {
    let node = node();
    one_went(&node);
    node.set_live(false);
    let mut client = back(&node, 2, &[("news", 1, 0)]);
    subscribe(&mut client, "news");
    node.publish("news", "x");
    assert!(received(&client).is_empty());
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: node.copy("news") });
    node.publish("news", "y");
    assert_eq!(received(&client), ["in", "x", "resumed", "y"]);
}

#[test]
fn res_005_a_member_who_waits_for_the_cluster_keeps_its_position() {
    let node = node();
    let mut client = counting(&node, 1);
    join(&mut client, ROOM, "ann");
    let confirm = || {
        let ticket = node.ticket(ROOM, "ann");
        node.apply(ClusterOutcome::Confirmed { channel: channel(ROOM), user: "ann".into(), ticket });
    };
    confirm();
    let roster = ClusterOutcome::Roster {
        channel: channel(ROOM),
        copy: node.copy(ROOM),
        users: users(&["bob"]),
        only_adds: false,
    };
    node.apply(roster);
    assert_eq!(received(&client), ["in: ann,bob"]);
    drop(client);
    node.publish(ROOM, "x");
    let mut client = back(&node, 2, &[(ROOM, 1, 0)]);
    client
        .subscribe(channel(ROOM), identity(ROOM, "ann", "{}"), crate::node::NOW)
        .expect("a first subscription");
    node.publish(ROOM, "y");
    assert!(received(&client).is_empty(), "the cluster has not answered");
    confirm();
    assert_eq!(received(&client), ["in: ann,bob", "x", "y", "resumed"]);
}

#[test]
fn res_014_who_leaves_while_waiting_leaves_no_position_behind() {
    let node = node();
    one_went(&node);
    node.set_live(false);
    let mut client = back(&node, 2, &[("news", 1, 0)]);
    subscribe(&mut client, "news");
    assert!(client.unsubscribe("news"));
    node.set_live(true);
    subscribe(&mut client, "news");
    assert_eq!(received(&client), ["in", "in"], "the first acknowledgement is for the leave");
}

#[test]
fn whoever_does_not_come_back_is_forgotten_also_where_an_answer_has_overtaken_its_event() {
    const RATES: &str = "cache-rates";
    let node = node();
    let mut stays = counting(&node, 1);
    subscribe(&mut stays, RATES);
    let answer = |version: u64| {
        let frame = fanfare_protocol::server::QuotedEvent::new("e", "kept").on(&channel(RATES));
        let found = Some(FoundEvent { version, frame, lives: Duration::from_secs(1000) });
        node.apply(ClusterOutcome::Cached { channel: channel(RATES), copy: node.copy(RATES), found });
    };
    answer(1);
    node.apply(ClusterOutcome::CacheLost { channel: channel(RATES), copy: node.copy(RATES) });
    // The event itself has not been heard, so that whoever gets it as the kept one is noted.
    answer(2);
    for id in 10..20 {
        let mut client = counting(&node, id);
        subscribe(&mut client, RATES);
        assert_eq!(received(&client), ["in", "kept"]);
    }
    let nobody_is_noted = || format!("{:?}", node.hub).contains("served: {}");
    assert!(!nobody_is_noted(), "they may come back");
    node.hubs.sweep_rings(62 * 1000);
    assert!(nobody_is_noted(), "{:?}", node.hub);
    // The same where resuming is switched off.
    subscribe(&mut counting(&node, 20), RATES);
    assert!(!nobody_is_noted());
    node.hub.set_app(&std::sync::Arc::new(App { resume_seconds: 0, ..app() }));
    node.hubs.sweep_rings(63 * 1000);
    assert!(nobody_is_noted(), "{:?}", node.hub);
}

fn event(data: &str) -> fanfare_protocol::frame::Frame {
    fanfare_protocol::server::QuotedEvent::new("e", data).on(&channel("news"))
}
