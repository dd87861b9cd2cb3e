//! Presence channels of a cluster: waiting, refusals, second tabs, and the copy as the truth (CL-010 … CL-018).

use fanfare_protocol::cluster::ClusterOutcome;

use crate::node::{Node, channel, identity, info, join, join_with, received, users};

const ROOM: &str = "presence-room";

fn roster(node: &Node, ids: &[&str], only_adds: bool) {
    let (channel, copy) = (channel(ROOM), node.copy(ROOM));
    node.apply(ClusterOutcome::Roster { channel, copy, users: users(ids), only_adds });
}

fn confirm(node: &Node, user: &str, ticket: u64) {
    node.apply(ClusterOutcome::Confirmed { channel: channel(ROOM), user: user.into(), ticket });
}

fn added(node: &Node, user: &str) {
    let (channel, copy) = (channel(ROOM), node.copy(ROOM));
    node.apply(ClusterOutcome::Added { channel, copy, user: user.into(), info: None });
}

fn removed(node: &Node, user: &str) {
    let (channel, copy) = (channel(ROOM), node.copy(ROOM));
    node.apply(ClusterOutcome::Removed { channel, copy, user: user.into() });
}

fn doubt(node: &Node) {
    node.apply(ClusterOutcome::Doubtful { channel: channel(ROOM), copy: node.copy(ROOM) });
}

fn serve(node: &Node) {
    node.apply(ClusterOutcome::Serve { channel: channel(ROOM), copy: node.copy(ROOM) });
}

#[test]
fn n5_a_join_waits_for_its_confirmation_and_for_the_roster() {
    let node = Node::new();
    let ann = node.joined(1, ROOM, "ann");
    assert_eq!(
        node.changes(),
        ["opened presence-room", "joined presence-room ann of 10", "counted presence-room 1"]
    );
    let ticket = node.ticket(ROOM, "ann");
    confirm(&node, "ann", ticket + 1);
    roster(&node, &["ann", "bob"], false);
    assert!(received(&ann).is_empty(), "another join was confirmed");
    confirm(&node, "ann", ticket);
    assert_eq!(received(&ann), ["in: ann,bob"]);
    let cid = node.joined(2, ROOM, "cid");
    confirm(&node, "cid", node.ticket(ROOM, "cid"));
    assert_eq!(
        (received(&cid), received(&ann)),
        (vec!["in: ann,bob,cid".to_owned()], vec!["+cid".to_owned()])
    );
}

#[test]
fn a_second_tab_is_acknowledged_at_once_and_tells_nobody() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    received(&ann);
    node.changes();
    let mut tab = node.joined(2, ROOM, "ann");
    assert_eq!(received(&tab), ["in: ann"]);
    assert_eq!(node.changes(), ["counted presence-room 2"]);
    tab.unsubscribe(ROOM);
    assert_eq!(node.changes(), ["counted presence-room 1"]);
    assert!(received(&ann).is_empty());
}

#[test]
fn a_second_tab_of_a_user_without_a_confirmation_waits_like_the_first() {
    let node = Node::new();
    let first = node.joined(1, ROOM, "ann");
    let second = node.joined(2, ROOM, "ann");
    roster(&node, &[], false);
    assert!(received(&first).is_empty() && received(&second).is_empty());
    confirm(&node, "ann", node.ticket(ROOM, "ann"));
    assert_eq!(
        (received(&first), received(&second)),
        (vec!["in: ann".to_owned()], vec!["in: ann".to_owned()])
    );
}

#[test]
fn a_connection_that_comes_again_as_somebody_else_waits_for_that_user() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    received(&ann);
    let mut tab = node.joined(2, ROOM, "ann");
    tab.unsubscribe(ROOM);
    received(&tab);
    join(&mut tab, ROOM, "bob");
    confirm(&node, "ann", node.ticket(ROOM, "ann"));
    assert!(received(&tab).is_empty() && received(&ann).is_empty());
    confirm(&node, "bob", node.ticket(ROOM, "bob"));
    assert_eq!((received(&tab), received(&ann)), (vec!["in: ann,bob".to_owned()], vec!["+bob".to_owned()]));
}

#[test]
fn cl_015_a_newer_user_info_replaces_the_older_silently_and_needs_no_room() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    received(&ann);
    node.changes();
    let mut tab = node.client(2);
    join_with(&mut tab, ROOM, "ann", r#"{"v":2}"#);
    assert_eq!(received(&tab), ["in: ann"]);
    assert_eq!(node.changes(), ["joined presence-room ann", "counted presence-room 2"]);
    let (channel, copy) = (channel(ROOM), node.copy(ROOM));
    node.apply(ClusterOutcome::Added { channel, copy, user: "ann".into(), info: info(r#"{"v":3}"#) });
    assert!(received(&ann).is_empty() && received(&tab).is_empty());
    let bob = node.present(3, ROOM, "bob", &["ann", "bob"]);
    assert_eq!(received(&bob), ["in: ann,bob"]);
}

#[test]
fn cl_016_who_is_refused_hears_why_is_not_subscribed_and_may_try_again() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    let mut bob = node.joined(2, ROOM, "bob");
    let mut tab = node.joined(3, ROOM, "bob");
    let ticket = node.ticket(ROOM, "bob");
    node.changes();
    node.apply(ClusterOutcome::Refused { channel: channel(ROOM), user: "bob".into(), ticket: ticket + 1 });
    assert!(received(&bob).is_empty() && bob.contains(ROOM), "another join was refused");
    node.apply(ClusterOutcome::Refused { channel: channel(ROOM), user: "bob".into(), ticket });
    let error = "error Presence channel presence-room has its maximum of 10 users (setting limits.members)";
    assert_eq!((received(&bob), received(&tab)), (vec![error.to_owned()], vec![error.to_owned()]));
    assert_eq!(node.changes(), ["left presence-room bob", "counted presence-room 1"]);
    assert_eq!((bob.len(), bob.contains(ROOM), bob.get(ROOM)), (0, false, None));
    assert!(!tab.unsubscribe(ROOM), "there is no subscription");
    join(&mut bob, ROOM, "bob");
    assert_eq!((bob.len(), bob.contains(ROOM)), (1, true));
    assert_eq!(
        bob.subscribe(channel(ROOM), identity(ROOM, "bob", "{}"), 0),
        Err(fanfare_hub::SubscribeError::Existing)
    );
    confirm(&node, "bob", node.ticket(ROOM, "bob"));
    assert_eq!(received(&bob), ["in: ann,bob"]);
    assert_eq!(received(&ann), ["in: ann", "+bob"]);
}

#[test]
fn a_tab_that_leaves_before_its_acknowledgement_and_a_refusal_behind_the_confirmation_change_nothing() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    assert_eq!(received(&ann), ["in: ann"]);
    doubt(&node);
    drop(node.joined(2, ROOM, "ann"));
    let tab = node.joined(3, ROOM, "ann");
    node.changes();
    let ticket = node.ticket(ROOM, "ann");
    node.apply(ClusterOutcome::Refused { channel: channel(ROOM), user: "ann".into(), ticket });
    assert!(node.changes().is_empty());
    roster(&node, &["ann"], false);
    assert_eq!((received(&ann), received(&tab)), (Vec::new(), vec!["in: ann".to_owned()]));
    drop((ann, tab));
    let last = [
        "counted presence-room 1",
        "left presence-room ann",
        "counted presence-room 0",
        "closed presence-room",
    ];
    assert_eq!(node.changes(), last);
}

#[test]
fn cl_016_who_was_served_is_not_thrown_out_and_the_cluster_is_told_once_more() {
    let node = Node::new();
    let ann = node.joined(1, ROOM, "ann");
    let tab = node.joined(2, ROOM, "ann");
    serve(&node);
    let third = node.joined(3, ROOM, "ann");
    received(&ann);
    received(&tab);
    node.changes();
    let ticket = node.ticket(ROOM, "ann");
    node.apply(ClusterOutcome::Refused { channel: channel(ROOM), user: "ann".into(), ticket });
    assert!(received(&ann).is_empty() && received(&third).is_empty());
    assert_eq!(node.changes(), ["joined presence-room ann"], "without a limit");
    assert!(node.ticket(ROOM, "ann") > ticket);
    roster(&node, &["ann"], false);
    confirm(&node, "ann", node.ticket(ROOM, "ann"));
    assert_eq!(received(&third), ["in: ann"]);
}

/// The newest `user_info` of a user, as the roster of a newcomer has it.
fn known_info(node: &Node, newcomer: u64, user: &str) -> String {
    let client = node.joined(newcomer, ROOM, "ann");
    let (succeeded, _) = crate::node::raw(&client);
    succeeded["presence"]["hash"][user].to_string()
}

#[test]
fn cl_015_what_the_cluster_says_of_a_user_is_newer_than_what_a_second_tab_repeats() {
    let node = Node::new();
    let _ann = node.present(1, ROOM, "ann", &["ann"]);
    let (room, copy) = (channel(ROOM), node.copy(ROOM));
    node.apply(ClusterOutcome::Added { channel: room, copy, user: "ann".into(), info: info(r#"{"v":9}"#) });
    assert_eq!(known_info(&node, 2, "ann"), r#"{"v":9}"#, "the tab's own is older");
    let mut tab = node.client(3);
    join_with(&mut tab, ROOM, "ann", r#"{"v":10}"#);
    assert_eq!(crate::node::raw(&tab).0["presence"]["hash"]["ann"].to_string(), r#"{"v":10}"#);
}

#[test]
fn the_last_one_refused_leaves_no_channel_behind() {
    let node = Node::new();
    let bob = node.joined(2, ROOM, "bob");
    let ticket = node.ticket(ROOM, "bob");
    node.changes();
    node.apply(ClusterOutcome::Refused { channel: channel(ROOM), user: "bob".into(), ticket });
    let wanted = ["left presence-room bob", "counted presence-room 0", "closed presence-room"];
    assert_eq!(node.changes(), wanted);
    drop(bob);
    assert_eq!((node.changes(), node.hub.totals()), (vec![], (0, 0)));
}

#[test]
fn a_refusal_of_an_app_with_sokets_errors_has_both() {
    let node = Node::of(fanfare_protocol::app::App { subscription_error_event: true, ..crate::node::app() });
    let bob = node.joined(2, ROOM, "bob");
    node.apply(ClusterOutcome::Refused {
        channel: channel(ROOM),
        user: "bob".into(),
        ticket: node.ticket(ROOM, "bob"),
    });
    let received = received(&bob);
    assert_eq!((received.len(), received[1].as_str()), (2, "subscription_error"));
}

#[test]
fn cl_012_a_repeated_change_tells_nobody_and_nobody_hears_of_itself() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    for _ in 0..2 {
        added(&node, "bob");
        added(&node, "ann");
    }
    for _ in 0..2 {
        removed(&node, "bob");
        removed(&node, "ann");
    }
    assert_eq!(received(&ann), ["in: ann", "+bob", "-bob"]);
}

#[test]
fn a_roster_tells_the_difference_and_while_others_may_be_missing_it_only_adds() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann", "bob"]);
    received(&ann);
    roster(&node, &["cid"], true);
    assert_eq!(received(&ann), ["+cid"]);
    roster(&node, &["dan"], false);
    let mut told = received(&ann);
    told.sort();
    assert_eq!(told, ["+dan", "-bob", "-cid"], "ann is here, whatever the roster says");
}

#[test]
fn n4_a_leave_that_comes_back_late_takes_away_who_has_returned_without_a_confirmation() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    let mut bob = node.present(2, ROOM, "bob", &["ann", "bob"]);
    received(&ann);
    bob.unsubscribe(ROOM);
    assert!(received(&ann).is_empty(), "the others hear of it from the cluster");
    let again = node.joined(3, ROOM, "bob");
    removed(&node, "bob");
    confirm(&node, "bob", node.ticket(ROOM, "bob"));
    removed(&node, "bob");
    assert_eq!(received(&ann), ["-bob", "+bob"]);
    assert_eq!(received(&again), ["in: ann,bob"]);
}

#[test]
fn a_confirmation_of_an_earlier_join_confirms_nothing() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann"]);
    let mut bob = node.joined(2, ROOM, "bob");
    let old = node.ticket(ROOM, "bob");
    bob.unsubscribe(ROOM);
    received(&bob);
    join(&mut bob, ROOM, "bob");
    confirm(&node, "bob", old);
    assert!(received(&bob).is_empty());
    confirm(&node, "bob", node.ticket(ROOM, "bob"));
    assert_eq!(
        (received(&bob), received(&ann)),
        (vec!["in: ann,bob".to_owned()], vec!["in: ann".to_owned(), "+bob".to_owned()])
    );
}

#[test]
fn cl_017_without_the_cluster_joins_are_served_with_what_is_known() {
    let node = Node::new();
    let ann = node.present(1, ROOM, "ann", &["ann", "zoe"]);
    let bob = node.joined(2, ROOM, "bob");
    serve(&node);
    assert_eq!(
        (received(&bob), received(&ann)[1..].to_vec()),
        (vec!["in: ann,bob,zoe".to_owned()], vec!["+bob".to_owned()])
    );
    let mut cid = node.joined(3, ROOM, "cid");
    assert!(received(&cid).is_empty(), "each newcomer waits for a word");
    serve(&node);
    assert_eq!(
        (received(&cid), received(&ann)),
        (vec!["in: ann,bob,cid,zoe".to_owned()], vec!["+cid".to_owned()])
    );
    removed(&node, "cid");
    assert!(received(&ann).is_empty(), "cid is here");
    cid.unsubscribe(ROOM);
    removed(&node, "cid");
    assert_eq!(received(&ann), ["-cid"]);
    doubt(&node);
    let dan = node.joined(4, ROOM, "dan");
    confirm(&node, "dan", node.ticket(ROOM, "dan"));
    assert!(received(&dan).is_empty(), "the cluster is back, and its roster is being read");
    roster(&node, &["ann", "bob", "dan", "eve"], false);
    assert_eq!(received(&dan), ["in: ann,bob,dan,eve"]);
    let mut told = received(&ann);
    told.sort();
    assert_eq!(told, ["+dan", "+eve", "-zoe"]);
}

#[test]
fn nothing_that_was_meant_for_an_earlier_copy_is_applied() {
    let node = Node::new();
    let first = node.present(1, ROOM, "ann", &["ann"]);
    let old = node.copy(ROOM);
    drop(first);
    let again = node.joined(2, ROOM, "ann");
    confirm(&node, "ann", node.ticket(ROOM, "ann"));
    node.apply(ClusterOutcome::Added { channel: channel(ROOM), copy: old, user: "ghost".into(), info: None });
    node.apply(ClusterOutcome::Roster {
        channel: channel(ROOM),
        copy: old,
        users: users(&["ghost"]),
        only_adds: false,
    });
    node.apply(ClusterOutcome::Serve { channel: channel(ROOM), copy: old });
    assert!(received(&again).is_empty());
    roster(&node, &["ann"], false);
    assert_eq!(received(&again), ["in: ann"]);
}

#[test]
fn queries_of_the_node_know_who_waits_and_nobody_from_elsewhere() {
    let node = Node::new();
    let _ann = node.present(1, ROOM, "ann", &["ann", "zoe"]);
    let bob = node.joined(2, ROOM, "bob");
    let counts = node.hub.counts(&channel(ROOM));
    assert_eq!((counts.subscriptions, counts.users), (2, 2));
    let mut ids: Vec<String> = node.hub.user_ids(&channel(ROOM)).iter().map(ToString::to_string).collect();
    ids.sort();
    assert_eq!(ids, ["ann", "bob"]);
    assert_eq!(node.hub.user_of(&channel(ROOM), bob.conn().id), Some("bob".into()));
    let present = node.hub.present();
    assert_eq!((present.len(), present[0].users.len()), (1, 2));
}
