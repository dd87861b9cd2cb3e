//! Sentinels: the master that most of them name is used, and left when they name another.

use fanfare_testing::redis::Guarded;

use crate::support::{Node, assert_in_touch};

#[test]
fn cl_107_after_a_failover_the_new_master_is_used() {
    let mut guarded = Guarded::start(2);
    let (one, other) = (Node::up(&guarded.url(), 1), Node::up(&guarded.url(), 2));
    other.open("a");
    assert_in_touch(&one, &other, "a");
    guarded.servers[0].kill();
    let new = guarded.moved_from(0);
    one.wait_until_up();
    other.wait_until_up();
    assert_in_touch(&one, &other, "a");
    assert!(guarded.servers[new].clients("pubsub") >= 2);
}

#[test]
fn cl_117_an_old_master_that_wakes_up_is_left() {
    let guarded = Guarded::start(1);
    let (one, other) = (Node::up(&guarded.url(), 1), Node::up(&guarded.url(), 2));
    other.open("a");
    guarded.servers[0].signal("STOP");
    let new = guarded.moved_from(0);
    guarded.servers[0].signal("CONT");
    for node in [&one, &other] {
        node.wait_until_up();
    }
    assert_in_touch(&one, &other, "a");
    one.until("nobody is at the old one", || (guarded.servers[0].clients("pubsub") == 0).then_some(()));
    assert!(guarded.servers[new].clients("pubsub") >= 2);
}

#[test]
fn a_sentinel_that_hangs_keeps_nobody_from_the_master() {
    let guarded = Guarded::start(1);
    guarded.sentinels[1].signal("STOP");
    Node::up(&guarded.url(), 1);
}
