//! Sentinels: the master that most of them name is used, and left when they name another.

use fanfare_testing::redis::{Guarded, Redis};

use crate::support::{Node, assert_in_touch};

/// Whether a node subscribes there; the Sentinels have topics of their own.
fn is_listened_to(server: &Redis) -> bool {
    !server.says(&["PUBSUB", "CHANNELS", "fanfare:*"]).is_empty()
}

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
    one.until("the new one is used", || is_listened_to(&guarded.servers[new]).then_some(()));
}

#[test]
fn cl_117_an_old_master_that_wakes_up_is_left() {
    let guarded = Guarded::start(1);
    let (one, other) = (Node::up(&guarded.url(), 1), Node::up(&guarded.url(), 2));
    other.open("a");
    guarded.servers[0].signal("STOP");
    let new = guarded.moved_from(0);
    guarded.servers[0].signal("CONT");
    one.until("the old one is left", || (!is_listened_to(&guarded.servers[0])).then_some(()));
    one.until("the new one is used", || is_listened_to(&guarded.servers[new]).then_some(()));
    for node in [&one, &other] {
        node.wait_until_up();
    }
    assert_in_touch(&one, &other, "a");
    assert!(!is_listened_to(&guarded.servers[0]));
}

#[test]
fn cl_117_a_master_that_takes_writes_but_is_not_named_any_more_is_left() {
    let (old, new) = (Redis::start(), Redis::start());
    let sentinel = Redis::sentinel(old.port);
    let node = Node::up(&format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port), 1);
    assert!(is_listened_to(&old));
    sentinel.says(&["SENTINEL", "REMOVE", "main"]);
    sentinel.says(&["SENTINEL", "MONITOR", "main", "127.0.0.1", &new.port.to_string(), "1"]);
    node.until("the new one is used", || is_listened_to(&new).then_some(()));
    node.until("the old one is left", || (!is_listened_to(&old)).then_some(()));
    node.wait_until_up();
    assert_eq!(node.bus.counters().moved.get(), 1);
}

#[test]
fn a_sentinel_that_hangs_keeps_nobody_from_the_master() {
    let guarded = Guarded::start(1);
    guarded.sentinels[1].signal("STOP");
    Node::up(&guarded.url(), 1);
}
