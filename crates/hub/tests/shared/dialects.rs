//! Clients of Socket.IO in a cluster, beside Pusher's: waiting, refusals, members of other nodes, kept events (SIO-103,
//! SIO-105).

use fanfare_hub::{Dialect, OrderedEvent, Subscriptions};
use fanfare_protocol::cluster::{ClusterOutcome, FoundEvent};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::server::QuotedEvent;
use std::time::Duration;

use crate::node::{NOW, Node, channel, info, join_with, received, texts, users};

const ROOM: &str = "presence-room";
const RATES: &str = "cache-rates";

fn echo(node: &Node, id: u64) -> Subscriptions {
    node.client_speaking(Dialect::SocketIo, id)
}

fn listening(node: &Node, id: u64, name: &str) -> Subscriptions {
    let mut client = echo(node, id);
    client.subscribe(channel(name), None, NOW).expect("a first subscription");
    client
}

fn joined(node: &Node, id: u64, user: &str) -> Subscriptions {
    let mut client = echo(node, id);
    join_with(&mut client, ROOM, user, "1");
    client
}

fn confirm(node: &Node, user: &str) {
    let ticket = node.ticket(ROOM, user);
    node.apply(ClusterOutcome::Confirmed { channel: channel(ROOM), user: user.into(), ticket });
}

fn roster(node: &Node, ids: &[&str]) {
    let (channel, copy) = (channel(ROOM), node.copy(ROOM));
    node.apply(ClusterOutcome::Roster { channel, copy, users: users(ids), only_adds: false });
}

fn event(data: &str) -> Frame {
    QuotedEvent::new("e", data).on(&channel(RATES))
}

#[test]
fn sio_057_a_join_waits_for_the_cluster_and_then_gets_the_roster_of_all_nodes() {
    let node = Node::new();
    let mut ann = joined(&node, 1, "ann");
    roster(&node, &["bob"]);
    node.publish(ROOM, "1");
    assert!(ann.acknowledge_again(ROOM), "the answer is still to come");
    assert!(texts(&ann).is_empty());
    confirm(&node, "ann");
    let answer = texts(&ann);
    assert_eq!(answer.len(), 1);
    assert!(answer[0].starts_with(r#"42["presence:subscribed","presence-room",["#));
    for member in [r#"{"user_id":"ann","user_info":1}"#, r#"{"user_id":"bob","user_info":{}}"#] {
        assert!(answer[0].contains(member), "{}", answer[0]);
    }
    node.publish(ROOM, "2");
    assert_eq!(texts(&ann), [r#"42["e","presence-room",2]"#]);
}

#[test]
fn sio_057_members_of_other_nodes_join_and_leave_in_both_forms() {
    let node = Node::new();
    let (ann, bob) = (joined(&node, 1, "ann"), node.joined(2, ROOM, "bob"));
    confirm(&node, "ann");
    confirm(&node, "bob");
    roster(&node, &["ann", "bob"]);
    texts(&ann);
    received(&bob);
    let (copy, user) = (node.copy(ROOM), "cid");
    let info = info(r#"{"n":"é"}"#);
    node.apply(ClusterOutcome::Added { channel: channel(ROOM), copy, user: user.into(), info });
    node.apply(ClusterOutcome::Removed { channel: channel(ROOM), copy, user: user.into() });
    assert_eq!(received(&bob), ["+cid", "-cid"]);
    assert_eq!(
        texts(&ann),
        [
            r#"42["presence:joining","presence-room",{"user_id":"cid","user_info":{"n":"é"}}]"#,
            r#"42["presence:leaving","presence-room",{"user_id":"cid","user_info":{"n":"é"}}]"#
        ]
    );
    roster(&node, &["ann"]);
    roster(&node, &["ann", "bob", "dan"]);
    assert_eq!(texts(&ann), [r#"42["presence:joining","presence-room",{"user_id":"dan","user_info":{}}]"#]);
}

#[test]
fn sio_103_whom_the_cluster_refuses_is_told_413_and_is_no_member() {
    let node = Node::new();
    let (mut ann, bob) = (joined(&node, 1, "ann"), node.joined(2, ROOM, "ann"));
    let ticket = node.ticket(ROOM, "ann");
    let told = node.hub.refuse(&channel(ROOM), &"ann".into(), ticket, NOW);
    assert_eq!(told.len(), 2);
    assert_eq!(texts(&ann), [r#"42["subscription_error","presence-room",413]"#]);
    assert!(received(&bob)[0].starts_with("error "));
    assert!(ann.is_empty() && !ann.acknowledge_again(ROOM));
}

#[test]
fn sio_050_other_channels_are_not_answered_whether_the_cluster_was_asked_or_not() {
    let node = Node::new();
    node.set_live(false);
    let [mut ann, bob] = [1, 2].map(|id| listening(&node, id, "news"));
    let mut cid = node.subscribed(3, "news");
    ann.unsubscribe("news");
    cid.unsubscribe("news");
    assert!(texts(&ann).is_empty());
    assert_eq!(received(&cid), ["in"], "every subscribe of Pusher's has an answer");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: node.copy("news") });
    node.apply(ClusterOutcome::Count { channel: channel("news"), count: 200 });
    assert!(texts(&bob).is_empty(), "no answer, and no count");
    let (dan, eve) = (listening(&node, 4, "news"), node.subscribed(5, "news"));
    node.publish("news", "1");
    assert_eq!(texts(&bob), [r#"42["e","news",1]"#]);
    assert!(texts(&dan).is_empty() && received(&eve).is_empty(), "not live: they wait");
    node.apply(ClusterOutcome::Serve { channel: channel("news"), copy: node.copy("news") });
    assert!(texts(&dan).is_empty());
    assert_eq!(received(&eve), ["in", "count 200"]);
}

#[test]
fn sio_105_the_kept_event_comes_once_and_in_the_order_of_redis() {
    let node = Node::new();
    let [ann, bob] = [1, 2].map(|id| listening(&node, id, RATES));
    let found = FoundEvent { version: 2, frame: event("2"), lives: Duration::from_secs(9) };
    node.apply(ClusterOutcome::Cached {
        channel: channel(RATES),
        copy: node.copy(RATES),
        found: Some(found),
    });
    for (version, data) in [(1, "1"), (2, "2"), (3, "3")] {
        let frame = &event(data);
        let event =
            OrderedEvent { version, is_own: false, is_quiet: false, frame, except: None, until: NOW + 9 };
        node.hub.hear_kept(&channel(RATES), event);
    }
    let expected = [r#"42["e","cache-rates",2]"#, r#"42["e","cache-rates",3]"#];
    assert_eq!(
        (texts(&ann), texts(&bob)),
        (expected.map(String::from).to_vec(), expected.map(String::from).to_vec())
    );
    assert_eq!(texts(&listening(&node, 3, RATES)), expected[1..]);
}

#[test]
fn sio_105_without_a_kept_event_nothing_is_said() {
    let node = Node::new();
    let (ann, bob) = (listening(&node, 1, RATES), node.subscribed(2, RATES));
    node.changes();
    node.apply(ClusterOutcome::Cached { channel: channel(RATES), copy: node.copy(RATES), found: None });
    assert!(texts(&ann).is_empty());
    assert_eq!(received(&bob), ["in", "cache_miss"]);
}
