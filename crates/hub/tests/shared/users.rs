//! Signed-in users of a cluster, and watchlists (CL-050, CL-051).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;

use crate::node::{Node, online, received, sign_in, users};

fn ticket(node: &Node, user: &str) -> u64 {
    node.ticket(online(user).as_str(), user)
}

fn copy(node: &Node, user: &str) -> (ChannelName, u64) {
    (online(user), node.copy(online(user).as_str()))
}

fn roster(node: &Node, user: &str, is_online: bool) {
    let (channel, copy) = copy(node, user);
    let there = if is_online { users(&[user]) } else { Vec::new() };
    node.apply(ClusterOutcome::Roster { channel, copy, users: there, only_adds: false });
}

fn added(node: &Node, user: &str) {
    let (channel, copy) = copy(node, user);
    node.apply(ClusterOutcome::Added { channel, copy, user: user.into(), info: None });
}

fn removed(node: &Node, user: &str) {
    let (channel, copy) = copy(node, user);
    node.apply(ClusterOutcome::Removed { channel, copy, user: user.into() });
}

fn serve(node: &Node, user: &str) {
    let (channel, copy) = copy(node, user);
    node.apply(ClusterOutcome::Serve { channel, copy });
}

#[test]
fn ws_195_the_first_list_waits_until_the_cluster_has_told_of_everybody() {
    let node = Node::new();
    let mut ann = node.client(1);
    sign_in(&mut ann, "ann", &["bob", "cid"]);
    assert_eq!(
        node.changes(),
        ["joined #online-ann ann", "counted #online-ann 1", "opened #online-bob", "opened #online-cid"]
    );
    assert_eq!(received(&ann), ["signin_success"]);
    roster(&node, "bob", true);
    removed(&node, "bob");
    assert!(received(&ann).is_empty(), "nothing before the first list");
    roster(&node, "cid", true);
    assert_eq!(received(&ann), ["online cid; offline bob"]);
    added(&node, "bob");
    added(&node, "bob");
    removed(&node, "cid");
    assert_eq!(received(&ann), ["online bob", "offline cid"]);
    let mut tab = node.client(2);
    sign_in(&mut tab, "ann", &["bob", "cid"]);
    assert_eq!(received(&tab), ["signin_success", "online bob; offline cid"], "all is known");
    assert_eq!(node.changes(), ["counted #online-ann 2"]);
    drop(tab);
    assert_eq!(node.changes(), ["counted #online-ann 1"]);
}

#[test]
fn a_user_of_this_node_is_online_when_the_cluster_has_said_so() {
    let node = Node::new();
    let mut ann = node.client(1);
    sign_in(&mut ann, "ann", &["bob"]);
    roster(&node, "bob", false);
    received(&ann);
    let mut bob = node.client(2);
    sign_in(&mut bob, "bob", &[]);
    assert!(received(&ann).is_empty());
    node.apply(ClusterOutcome::Confirmed {
        channel: online("bob"),
        user: "bob".into(),
        ticket: ticket(&node, "bob"),
    });
    removed(&node, "bob");
    assert_eq!(received(&ann), ["online bob"], "bob is here, and the cluster knows");
    added(&node, "bob");
    drop(bob);
    assert!(received(&ann).is_empty());
    removed(&node, "bob");
    assert_eq!(received(&ann), ["offline bob"]);
    assert_eq!(node.hub.users_online(), 1);
}

#[test]
fn cl_017_without_the_cluster_lists_are_sent_with_what_is_known() {
    let node = Node::new();
    let mut ann = node.client(1);
    sign_in(&mut ann, "ann", &["ann", "bob"]);
    received(&ann);
    serve(&node, "ann");
    serve(&node, "bob");
    assert_eq!(received(&ann), ["online ann; offline bob"]);
    let mut bob = node.client(2);
    sign_in(&mut bob, "bob", &[]);
    removed(&node, "bob");
    assert_eq!(received(&ann), ["online bob"], "bob is here");
    let (channel, copy) = copy(&node, "bob");
    node.apply(ClusterOutcome::Doubtful { channel, copy });
    roster(&node, "bob", true);
    assert!(received(&ann).is_empty());
}

#[test]
fn another_watchlist_keeps_what_is_on_both_and_closes_the_rest() {
    let node = Node::new();
    let mut ann = node.client(1);
    sign_in(&mut ann, "ann", &["bob", "cid"]);
    roster(&node, "bob", true);
    roster(&node, "cid", true);
    received(&ann);
    node.changes();
    sign_in(&mut ann, "ann", &["cid", "dan"]);
    assert_eq!(node.changes(), ["opened #online-dan", "closed #online-bob"]);
    assert_eq!(received(&ann), ["signin_success"]);
    removed(&node, "cid");
    roster(&node, "dan", true);
    assert_eq!(received(&ann), ["online dan; offline cid"]);
    drop(ann);
    let mut changes = node.changes();
    changes.sort();
    assert_eq!(
        changes,
        ["closed #online-cid", "closed #online-dan", "counted #online-ann 0", "left #online-ann ann"]
    );
    assert!(node.hub.snapshot().channels.iter().all(|open| open.channel.is_connections()));
}

#[test]
fn n8_a_list_that_may_lack_users_takes_nobody_offline_nor_does_one_for_an_earlier_copy() {
    let node = Node::new();
    let mut ann = node.client(1);
    sign_in(&mut ann, "ann", &["bob"]);
    roster(&node, "bob", true);
    received(&ann);
    let (channel, copy) = copy(&node, "bob");
    let nobody = |copy, only_adds| ClusterOutcome::Roster {
        channel: channel.clone(),
        copy,
        users: Vec::new(),
        only_adds,
    };
    node.apply(nobody(copy, true));
    node.apply(nobody(copy - 1, false));
    assert!(received(&ann).is_empty());
    node.apply(nobody(copy, false));
    assert_eq!(received(&ann), ["offline bob"]);
}

#[test]
fn nothing_hidden_is_shown() {
    let node = Node::new();
    let mut ann = node.client(1);
    sign_in(&mut ann, "ann", &["bob"]);
    let _place = node.hub.take_slot();
    let mut shown = Vec::new();
    for shard in 0..fanfare_hub::SHARDS {
        node.hub.show_channels(shard, "", |name, _| shown.push(name.clone()));
    }
    assert!(shown.is_empty() && node.hub.present().is_empty());
    assert_eq!(node.hub.totals(), (0, 0));
}
