//! The queue of changes and the events that wait for a cache are bounded.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::node::{Node, channel, received};

#[test]
fn cl_115_a_full_queue_is_emptied_and_the_snapshot_has_everything() {
    let node = Node::new();
    let mut client = node.client(1);
    for _ in 0..26_000 {
        client.subscribe(channel("news"), None, 0).expect("subscribed");
        client.unsubscribe("news");
        received(&client);
    }
    let _ann = node.joined(2, "presence-room", "ann");
    let mut changes = Vec::new();
    let taken = node.hub.take_changes(&mut changes, usize::MAX);
    assert!(taken.is_stale && taken.lost > 50_000, "{taken:?}");
    assert_eq!(taken.lost + changes.len() as u64, 104_003, "nothing is lost silently");
    let snapshot = node.hub.snapshot();
    let room =
        snapshot.channels.iter().find(|open| open.channel.as_str() == "presence-room").expect("it is open");
    assert_eq!((room.count, room.users.len(), room.copy.is_some()), (1, 1, true));
    assert!(!node.hub.take_changes(&mut changes, 10).is_stale, "told once");
}

#[test]
fn kept_events_count_with_their_bytes() {
    let node = Node::new();
    let data = "x".repeat(1 << 20);
    for _ in 0..31 {
        node.publish("cache-rates", &data);
    }
    node.publish("cache-rates", &data);
    let mut changes = Vec::new();
    let taken = node.hub.take_changes(&mut changes, usize::MAX);
    assert_eq!((taken.lost, changes.len()), (32, 0), "32 events of a mebibyte are more than 32 MiB");
}

#[test]
fn an_app_with_changes_is_named_once() {
    let node = Node::new();
    let cx = Context::from_waker(Waker::noop());
    assert!(node.hubs.poll_cluster_changes(&cx).is_pending());
    let _one = node.subscribed(1, "news");
    let _two = node.subscribed(2, "news");
    assert_eq!(node.hubs.poll_cluster_changes(&cx), Poll::Ready(vec!["1".into()]));
    let mut changes = Vec::new();
    assert!(node.hub.take_changes(&mut changes, 1).more);
    assert!(!node.hub.take_changes(&mut changes, 10).more);
    assert!(node.hubs.poll_cluster_changes(&cx).is_pending());
    let _three = node.subscribed(3, "news");
    assert!(node.hubs.poll_cluster_changes(&cx).is_ready());
}

#[test]
fn while_changes_of_an_app_are_handed_over_other_apps_are_not_held_up_and_its_own_keep_their_order() {
    let (node, other) = (Node::new(), Node::new());
    let _ann = node.joined(1, "presence-room", "ann");
    let _bob = other.joined(2, "presence-room", "bob");
    let (inside, entered) = mpsc::channel();
    thread::scope(|scope| {
        node.hub.hand_over(1, |first, _| {
            assert_eq!(first.len(), 1);
            assert!(other.hub.hand_over(10, |changes, _| !changes.is_empty()));
            let hub = &node.hub;
            scope.spawn(move || hub.hand_over(10, |rest, _| inside.send(rest.len())));
            assert!(entered.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
        });
        assert!(entered.recv().is_ok_and(|rest| rest > 0));
    });
}
