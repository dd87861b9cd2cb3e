//! The quota of connections of a cluster (CL-062).

use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::cluster::{Change, ClusterOutcome, Telling};

use crate::node::{Node, app};

#[test]
fn cl_062_places_that_other_nodes_have_taken_count_as_last_heard() {
    let node = Node::of(App { max_connections: Some(5), ..app() });
    let mine: Vec<_> = (0..2).map(|_| node.hub.take_slot().expect("a free place")).collect();
    node.apply(ClusterOutcome::Total { total: 4, own: 1 });
    assert!(node.hub.take_slot().is_none(), "two here, three elsewhere");
    drop(mine);
    let place = node.hub.take_slot();
    assert!(place.is_some());
    let second = node.hub.take_slot();
    assert!(second.is_some() && node.hub.take_slot().is_none(), "this node's part is not counted twice");
    drop(second);
    node.apply(ClusterOutcome::Total { total: 6, own: 1 });
    assert!(node.hub.take_slot().is_none());
    node.hub.forget_others();
    assert!(node.hub.take_slot().is_some());
    assert_eq!(node.changes().last().map(String::as_str), Some("counted #connections 1"));
}

#[test]
fn every_node_hears_of_connections_where_they_are_limited_and_none_elsewhere() {
    for (most, wanted) in [(Some(5), Telling::Always), (None, Telling::Off)] {
        let node = Node::of(App { max_connections: most, ..app() });
        let _place = node.hub.take_slot();
        let mut changes = Vec::new();
        node.hub.take_changes(&mut changes, 10);
        assert!(matches!(changes[..], [Change::Counted { count: 1, told, .. }] if told == wanted));
    }
}

#[test]
fn the_last_number_told_is_the_number_of_places_taken() {
    let node = Node::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    drop(node.hub.take_slot());
                }
            });
        }
    });
    assert_eq!(node.changes().last().map(String::as_str), Some("counted #connections 0"));
}

#[test]
fn other_settings_that_the_cluster_was_told_of_make_what_it_knows_stale() {
    let node = Node::new();
    node.hub.take_changes(&mut Vec::new(), 10);
    let mut newer = app();
    newer.client_events = true;
    node.hub.set_app(&Arc::new(newer.clone()));
    assert!(!node.hub.take_changes(&mut Vec::new(), 10).is_stale);
    newer.subscription_counts = false;
    node.hub.set_app(&Arc::new(newer));
    let taken = node.hub.take_changes(&mut Vec::new(), 10);
    assert_eq!((taken.is_stale, taken.lost), (true, 0));
}
