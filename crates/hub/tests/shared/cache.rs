//! Cache channels of a cluster, one case each; all interleavings are tried in the crate itself (CL-040 … CL-043).

use std::time::Duration;

use fanfare_hub::{FedEvent, OrderedEvent, Subscriptions};
use fanfare_protocol::app::App;
use fanfare_protocol::cluster::{ClusterOutcome, FoundEvent};
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server::QuotedEvent;
use fanfare_protocol::webhook::{Kind, Kinds, Webhook};

use crate::node::{NOW, Node, OUTBOX, app, channel, received, users};

const RATES: &str = "cache-rates";

/// An event of another node.
const OTHER: Heard = Heard { is_own: false, is_quiet: false, except: None };

/// An event of this node that has come back.
const OWN: Heard = Heard { is_own: true, ..OTHER };

#[derive(Clone, Copy)]
struct Heard {
    is_own: bool,
    is_quiet: bool,
    except: Option<u64>,
}

fn hear(node: &Node, version: u64, data: &str, heard: Heard) {
    hear_on(node, RATES, version, data, heard);
}

fn hear_on(node: &Node, name: &str, version: u64, data: &str, heard: Heard) {
    let name = channel(name);
    let Heard { is_own, is_quiet, except } = heard;
    let frame = &QuotedEvent::new("e", data).on(&name);
    let except = except.map(SocketId::from_bits);
    node.hub.hear_kept(&name, OrderedEvent { version, is_own, is_quiet, frame, except, until: NOW + 1_000 });
}

fn cached(node: &Node, found: Option<(u64, &str)>) {
    let found = found.map(|(version, data)| FoundEvent {
        version,
        frame: QuotedEvent::new("e", data).on(&channel(RATES)),
        lives: Duration::from_secs(1),
    });
    node.apply(ClusterOutcome::Cached { channel: channel(RATES), copy: node.copy(RATES), found });
}

fn lose(node: &Node) {
    node.apply(ClusterOutcome::CacheLost { channel: channel(RATES), copy: node.copy(RATES) });
}

fn serve(node: &Node) {
    node.apply(ClusterOutcome::Serve { channel: channel(RATES), copy: node.copy(RATES) });
}

/// A subscriber of a channel that Redis has answered for.
fn listening(node: &Node, found: Option<(u64, &str)>) -> Subscriptions {
    let client = node.subscribed(1, RATES);
    cached(node, found);
    received(&client);
    client
}

/// What a newcomer gets now.
fn newcomer(node: &Node, id: u64) -> Vec<String> {
    received(&node.subscribed(id, RATES))
}

fn with_webhooks() -> App {
    let webhook = Webhook {
        url: "http://localhost/".to_owned(),
        events: Kinds::from_iter(Kind::ALL),
        channel_prefixes: Vec::new(),
        batch: false,
        durable: false,
        enabled: true,
    };
    App { webhooks: vec![webhook], subscription_counts: false, ..app() }
}

#[test]
fn cl_040_the_first_subscriber_waits_for_redis_and_then_gets_what_came_meanwhile() {
    let node = Node::new();
    let client = node.subscribed(1, RATES);
    assert_eq!(node.changes(), ["opened cache-rates", "counted cache-rates 1"]);
    assert_eq!(node.publish(RATES, "mine"), 0);
    hear(&node, 4, "old", OTHER);
    hear(&node, 6, "new", OTHER);
    assert!(received(&client).is_empty());
    cached(&node, Some((5, "kept")));
    assert_eq!(received(&client), ["in", "kept", "mine", "new"]);
    assert_eq!(newcomer(&node, 2), ["in", "mine"], "an own event is on its way");
    hear(&node, 7, "mine", OWN);
    assert_eq!(node.changes(), ["kept mine", "counted cache-rates 2", "counted cache-rates 1"]);
}

#[test]
fn an_event_that_has_waited_is_not_given_to_the_excluded_connection() {
    let node = Node::new();
    let (one, two) = (node.subscribed(1, RATES), node.subscribed(2, RATES));
    hear(&node, 6, "x", Heard { except: Some(1), ..OTHER });
    cached(&node, None);
    assert_eq!(received(&one), ["in", "cache_miss"]);
    assert_eq!(received(&two), ["in", "cache_miss", "x"]);
}

#[test]
fn a_channel_without_subscribers_here_keeps_nothing_here() {
    let node = Node::new();
    assert_eq!(node.publish(RATES, "x"), 0);
    hear(&node, 1, "x", OWN);
    assert_eq!((node.changes(), node.hub.parked_bytes()), (vec!["kept x".to_owned()], 0));
    assert!(node.hub.cached(&channel(RATES), 0).is_none());
    drop(listening(&node, Some((1, "x"))));
    assert!(node.hub.cached(&channel(RATES), 0).is_none());
}

#[test]
fn cl_041_others_do_not_replace_an_own_event_on_its_way_and_the_last_of_the_topic_wins() {
    let node = Node::new();
    let client = listening(&node, None);
    node.publish(RATES, "a1");
    node.publish(RATES, "a2");
    hear(&node, 1, "b1", OTHER);
    assert_eq!(newcomer(&node, 2), ["in", "a2"]);
    hear(&node, 2, "a1", OWN);
    assert_eq!(newcomer(&node, 3), ["in", "a2"]);
    hear(&node, 3, "a2", OWN);
    hear(&node, 4, "b2", OTHER);
    assert_eq!(newcomer(&node, 4), ["in", "b2"]);
    assert_eq!(received(&client), ["a1", "a2", "b1", "b2"]);
}

#[test]
fn cl_115_own_events_that_are_lost_behind_the_queue_are_not_waited_for() {
    let node = Node::new();
    let _client = listening(&node, Some((1, "old")));
    node.publish(RATES, "mine");
    let copy = node.copy(RATES);
    assert!(!node.hub.snapshot().has_gap);
    node.changes();
    node.hub.lose_taken_changes();
    assert!(node.hub.snapshot().has_gap);
    assert!(!node.hub.snapshot().has_gap, "told once");
    assert!(node.copy(RATES) > copy, "what is kept is read anew");
    cached(&node, Some((2, "other")));
    hear(&node, 3, "newer", OTHER);
    assert_eq!(newcomer(&node, 2), ["in", "newer"]);
}

#[test]
fn own_events_that_are_published_without_redis_are_not_waited_for() {
    let node = Node::new();
    let client = listening(&node, Some((1, "old")));
    lose(&node);
    node.publish(RATES, "a1");
    assert_eq!(newcomer(&node, 2), ["in", "a1"]);
    cached(&node, Some((2, "b2")));
    assert_eq!(newcomer(&node, 3), ["in", "b2"], "all nodes agree again, whether a1 has got there or not");
    hear(&node, 3, "b3", OTHER);
    assert_eq!(newcomer(&node, 4), ["in", "b3"]);
    assert_eq!(received(&client), ["a1", "b3"]);
}

#[test]
fn an_own_event_that_comes_back_uncounted_is_what_is_kept() {
    let node = Node::new();
    let client = listening(&node, None);
    node.publish(RATES, "a1");
    lose(&node);
    hear(&node, 1, "b1", OTHER);
    hear(&node, 2, "a1", OWN);
    assert_eq!(newcomer(&node, 2), ["in", "a1"], "the last of the topic");
    assert_eq!(received(&client), ["a1", "b1"]);
}

#[test]
fn cl_068_a_quiet_event_is_kept_and_delivered_to_nobody() {
    let node = Node::new();
    let client = listening(&node, None);
    hear(&node, 1, "feed", Heard { is_quiet: true, ..OTHER });
    assert!(received(&client).is_empty());
    assert_eq!(newcomer(&node, 2), ["in", "feed"]);
    let late = Node::new();
    let waits = late.subscribed(1, RATES);
    hear(&late, 2, "feed", Heard { is_quiet: true, ..OTHER });
    cached(&late, Some((1, "before")));
    assert_eq!(received(&waits), ["in", "before"]);
    assert_eq!(newcomer(&late, 2), ["in", "feed"]);
}

fn feed(node: &Node, data: &str, is_told: bool) -> usize {
    let frame = &QuotedEvent::new("e", data).on(&channel(RATES));
    node.hub.deliver_fed(&channel(RATES), FedEvent { frame, except: None, until: NOW + 1_000, is_told })
}

const QUIET: Heard = Heard { is_quiet: true, ..OTHER };

#[test]
fn cl_068_the_node_that_tells_of_the_feed_tells_quietly() {
    let node = Node::new();
    let client = listening(&node, None);
    node.changes();
    assert_eq!(feed(&node, "f", true), 1);
    assert_eq!((node.changes(), received(&client)), (vec!["kept f".to_owned()], vec!["f".to_owned()]));
    assert_eq!(feed(&node, "g", false), 1);
    assert!(node.changes().is_empty(), "another node tells");
    assert_eq!(newcomer(&node, 2), ["in", "g"]);
}

#[test]
fn cl_068_an_event_of_the_feed_that_redis_had_first_is_delivered_once_and_keeps_its_place() {
    let node = Node::new();
    let client = listening(&node, None);
    hear(&node, 1, "f", QUIET);
    let served = node.subscribed(2, RATES);
    hear(&node, 2, "x", OTHER);
    assert_eq!(feed(&node, "f", false), 1);
    assert_eq!(received(&client), ["x", "f"]);
    assert_eq!(received(&served), ["in", "f", "x"], "f was served as the kept one");
    assert_eq!(newcomer(&node, 3), ["in", "x"], "the order of Redis counts");
}

#[test]
fn cl_068_an_event_of_the_feed_that_redis_has_later_is_kept_at_once() {
    let node = Node::new();
    let client = listening(&node, None);
    feed(&node, "f", false);
    assert_eq!(newcomer(&node, 2), ["in", "f"]);
    hear(&node, 1, "f", QUIET);
    hear(&node, 2, "x", OTHER);
    assert_eq!(
        (received(&client), newcomer(&node, 3)),
        (vec!["f".to_owned(), "x".to_owned()], vec!["in".to_owned(), "x".to_owned()])
    );
    assert_eq!(feed(&node, "f", false), 1, "the same text once more is another event");
    assert_eq!(newcomer(&node, 4), ["in", "f"]);
}

#[test]
fn cl_068_what_the_feed_had_while_redis_was_asked_is_given_once() {
    for (found, quiet, wanted) in [
        (Some((3, "f2")), None, ["in", "f2", "f3"].as_slice()),
        (Some((3, "x")), Some((2, "f2")), &["in", "x", "f3"]),
        (Some((3, "x")), Some((4, "f1")), &["in", "x", "f1", "f2", "f3"]),
        (None, None, &["in", "cache_miss", "f1", "f2", "f3"]),
    ] {
        let node = Node::new();
        let client = node.subscribed(1, RATES);
        for data in ["f1", "f2", "f3"] {
            feed(&node, data, false);
        }
        if let Some((version, data)) = quiet {
            hear(&node, version, data, QUIET);
        }
        cached(&node, found);
        assert_eq!(received(&client), wanted, "{found:?}");
    }
}

#[test]
fn cl_043_without_redis_what_is_kept_is_served_and_a_miss_tells_no_webhook() {
    let node = Node::of(with_webhooks());
    let client = node.subscribed(1, RATES);
    serve(&node);
    assert_eq!(received(&client), ["in", "cache_miss"]);
    assert_eq!(newcomer(&node, 2), ["in", "cache_miss"], "newcomers need not wait for the next word");
    node.publish(RATES, "x");
    assert_eq!(
        (received(&client), newcomer(&node, 3)),
        (vec!["x".to_owned()], vec!["in".to_owned(), "x".to_owned()])
    );
    assert!(!node.changes().iter().any(|change| change.starts_with("missed")));
}

#[test]
fn hook_018_a_miss_is_told_once_for_all_who_have_waited() {
    let node = Node::of(with_webhooks());
    let _clients = [node.subscribed(1, RATES), node.subscribed(2, RATES)];
    node.changes();
    cached(&node, None);
    assert_eq!(node.changes(), ["missed cache-rates"]);
    newcomer(&node, 3);
    assert_eq!(node.changes()[0], "missed cache-rates");
    let quiet = Node::new();
    newcomer(&quiet, 1);
    listening(&quiet, None);
    assert!(!quiet.changes().iter().any(|change| change.starts_with("missed")), "no webhook wants it");
}

#[test]
fn while_redis_was_asked_and_is_lost_the_last_event_of_all_is_kept() {
    let node = Node::new();
    let client = node.subscribed(1, RATES);
    hear(&node, 9, "b1", OTHER);
    node.publish(RATES, "a1");
    lose(&node);
    assert_eq!(received(&client), ["in", "a1"]);
    cached(&node, Some((1, "after the loss versions begin anew")));
    assert_eq!(newcomer(&node, 2), ["in", "after the loss versions begin anew"]);
}

#[test]
fn after_a_loss_the_answer_replaces_what_is_kept_only_if_it_is_newer() {
    let node = Node::new();
    let client = listening(&node, Some((100, "old")));
    lose(&node);
    assert_eq!(newcomer(&node, 2), ["in", "old"]);
    hear(&node, 105, "b105", OTHER);
    cached(&node, Some((104, "b104")));
    assert_eq!(newcomer(&node, 3), ["in", "b105"]);
    lose(&node);
    cached(&node, Some((4, "b4")));
    assert_eq!(newcomer(&node, 4), ["in", "b4"], "versions have begun anew");
    hear(&node, 5, "b5", OTHER);
    assert_eq!(received(&client), ["b105", "b5"]);
    lose(&node);
    cached(&node, None);
    assert_eq!(newcomer(&node, 5), ["in", "cache_miss"], "Redis has lost its data");
}

#[test]
fn cl_002_what_was_heard_before_a_loss_does_not_come_behind_the_kept_event_that_a_newcomer_was_served() {
    let node = Node::new();
    let client = listening(&node, Some((3, "b3")));
    lose(&node);
    hear(&node, 2, "b2", OTHER);
    assert!(received(&client).is_empty(), "served b3 already");
    cached(&node, Some((6, "b6")));
    let served = node.subscribed(2, RATES);
    lose(&node);
    hear(&node, 4, "b4", OTHER);
    cached(&node, Some((8, "b8")));
    let last = node.subscribed(3, RATES);
    for (version, data) in [(5, "b5"), (7, "b7"), (9, "b9")] {
        hear(&node, version, data, OTHER);
    }
    assert_eq!(received(&client), ["b4", "b5", "b7", "b9"]);
    assert_eq!(received(&served), ["in", "b6", "b7", "b9"]);
    assert_eq!(received(&last), ["in", "b8", "b9"]);
}

#[test]
fn cl_042_an_answer_that_has_overtaken_an_event_gives_the_event_to_nobody_twice() {
    let node = Node::new();
    let client = listening(&node, None);
    lose(&node);
    cached(&node, Some((2, "b2")));
    let served = node.subscribed(2, RATES);
    assert_eq!(received(&served), ["in", "b2"]);
    hear(&node, 1, "b1", OTHER);
    hear(&node, 2, "b2", OTHER);
    hear(&node, 3, "b3", OTHER);
    assert_eq!(received(&client), ["b1", "b2", "b3"]);
    assert_eq!(received(&served), ["b3"]);
    assert_eq!(newcomer(&node, 3), ["in", "b3"]);
}

#[test]
fn an_answer_that_has_overtaken_events_waits_for_own_ones() {
    let node = Node::new();
    let client = listening(&node, None);
    lose(&node);
    cached(&node, None);
    node.publish(RATES, "a1");
    cached(&node, Some((2, "b2")));
    assert_eq!(newcomer(&node, 2), ["in", "a1"]);
    hear(&node, 1, "a1", OWN);
    assert_eq!(newcomer(&node, 3), ["in", "b2"], "Redis has had a1 before b2");
    hear(&node, 2, "b2", OTHER);
    assert_eq!(received(&client), ["a1", "b2"]);
    node.publish(RATES, "a2");
    cached(&node, Some((4, "b4")));
    hear(&node, 4, "b4", OTHER);
    hear(&node, 5, "a2", OWN);
    assert_eq!(newcomer(&node, 4), ["in", "a2"], "Redis has had a2 after b4");
}

#[test]
fn what_is_kept_expires() {
    let node = Node::new();
    let client = listening(&node, Some((1, "x")));
    let at = |now: u64| {
        let mut late = node.client(now);
        late.subscribe(channel(RATES), None, now).expect("a first subscription");
        received(&late)
    };
    assert_eq!(at(NOW + 999), ["in", "x"]);
    assert_eq!(at(NOW + 1_000), ["in", "cache_miss"]);
    drop(client);
}

#[test]
fn a_presence_cache_channel_waits_for_both() {
    let node = Node::new();
    let name = "presence-cache-desk";
    let ann = node.joined(1, name, "ann");
    let (desk, copy) = (channel(name), node.copy(name));
    node.apply(ClusterOutcome::Confirmed {
        channel: desk.clone(),
        user: "ann".into(),
        ticket: node.ticket(name, "ann"),
    });
    node.apply(ClusterOutcome::Roster {
        channel: desk.clone(),
        copy,
        users: users(&["ann"]),
        only_adds: false,
    });
    assert!(received(&ann).is_empty());
    node.apply(ClusterOutcome::Cached { channel: desk.clone(), copy, found: None });
    assert_eq!(received(&ann), ["in: ann", "cache_miss"]);
    let bob = node.joined(2, name, "bob");
    hear_on(&node, name, 1, "x", OTHER);
    node.apply(ClusterOutcome::Confirmed {
        channel: desk,
        user: "bob".into(),
        ticket: node.ticket(name, "bob"),
    });
    assert_eq!(
        (received(&bob), received(&ann)),
        (vec!["in: ann,bob".to_owned(), "x".to_owned()], vec!["x".to_owned(), "+bob".to_owned()])
    );
}

/// Three of these are more than an outbox holds.
fn big(name: &str) -> String {
    format!("{name}{}", "x".repeat(OUTBOX / 3))
}

#[test]
fn events_that_wait_are_bounded_and_an_answer_that_has_the_dropped_ones_is_as_good() {
    let node = Node::new();
    let client = node.subscribed(1, RATES);
    for version in 1..=4 {
        hear(&node, version, &big(&version.to_string()), OTHER);
    }
    cached(&node, Some((2, "second")));
    let got = received(&client);
    assert_eq!(got.iter().map(|text| &text[..1]).collect::<Vec<_>>(), ["i", "s", "3", "4"]);
}

#[test]
fn an_answer_that_lacks_a_dropped_event_is_no_answer_and_redis_is_asked_again() {
    for is_own in [false, true] {
        let node = Node::new();
        let client = node.subscribed(1, RATES);
        let old = node.copy(RATES);
        for version in 1..=4 {
            if is_own {
                node.publish(RATES, &big(&version.to_string()));
            } else {
                hear(&node, version, &big(&version.to_string()), OTHER);
            }
        }
        node.changes();
        // Two events fit, so the second is the newest that was dropped.
        cached(&node, Some((if is_own { 1_000 } else { 1 }, "x")));
        assert!(received(&client).is_empty());
        assert_eq!(node.changes(), ["opened cache-rates"]);
        assert!(node.copy(RATES) > old);
        hear(&node, 5, "5", if is_own { OWN } else { OTHER });
        cached(&node, Some((4, "4")));
        let wanted: &[&str] = if is_own { &["in", "4"] } else { &["in", "4", "5"] };
        assert_eq!(received(&client), wanted);
        assert_eq!(newcomer(&node, 2), ["in", "5"]);
    }
}

#[test]
fn after_lost_changes_own_events_are_not_waited_for_and_an_open_question_is_asked_anew() {
    let node = Node::new();
    let ready = listening(&node, None);
    let mut loading = node.client(2);
    loading.subscribe(channel("cache-other"), None, NOW).expect("subscribed");
    node.publish("cache-other", "before the gap");
    let (old, old_rates) = (node.copy("cache-other"), node.copy(RATES));
    for _ in 0..40 {
        node.publish(RATES, &"x".repeat(1 << 20));
    }
    assert!(node.hub.take_changes(&mut Vec::new(), 100).is_stale);
    let kept = node.hub.cached(&channel(RATES), NOW).map(|cached| cached.frame.bytes().len());
    let new = node.copy("cache-other");
    assert!(new > old, "the question was lost");
    assert!(node.copy(RATES) > old_rates, "and what is kept here may not be what Redis keeps");
    assert!(kept.is_some_and(|bytes| bytes > 1 << 20), "an own event, which nobody else has");
    cached(&node, Some((1, "b1")));
    assert_eq!(newcomer(&node, 3), ["in", "b1"], "all nodes agree again");
    node.apply(ClusterOutcome::Cached { channel: channel("cache-other"), copy: old, found: None });
    assert!(received(&loading).is_empty());
    node.apply(ClusterOutcome::Cached { channel: channel("cache-other"), copy: new, found: None });
    assert_eq!(received(&loading), ["in", "cache_miss"]);
    assert_eq!(node.copy("cache-other"), new, "asked anew once");
    drop(ready);
}

#[test]
fn cl_106_what_a_full_redis_does_not_keep_is_delivered_once_and_kept_on_this_node() {
    let node = Node::new();
    let client = listening(&node, Some((9, "before")));
    hear(&node, 0, "lost", OTHER);
    assert_eq!(received(&client).len(), 1);
    assert!(newcomer(&node, 2)[1].contains("lost"));
    // An own event counts as come back: later events of others are kept again.
    node.publish(RATES, "own");
    received(&client);
    hear(&node, 0, "own", OWN);
    hear(&node, 10, "after", OTHER);
    assert_eq!(received(&client).len(), 1);
    assert!(newcomer(&node, 3)[1].contains("after"));
}

#[test]
fn cl_106_what_a_full_redis_does_not_keep_follows_an_answer_that_is_on_its_way() {
    let node = Node::new();
    let client = node.subscribed(1, RATES);
    hear(&node, 0, "lost", OTHER);
    node.publish(RATES, "own");
    hear(&node, 0, "own", OWN);
    cached(&node, Some((9, "before")));
    let got = received(&client);
    assert!(got.len() == 4 && got[1].contains("before") && got[2].contains("lost"), "{got:?}");
    hear(&node, 10, "after", OTHER);
    assert!(newcomer(&node, 2)[1].contains("after"));
}
