//! One cut, on a channel of each kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::resume::{Position, ResumeToken};

use crate::page::{Got, Page, app, hub_of, publish};

fn event(data: &str) -> Got {
    Got::Event(data.to_owned())
}

fn resumed(replayed: u64, complete: bool) -> Got {
    Got::Resumed { replayed, complete }
}

fn other(name: &str) -> Got {
    Got::Other(name.to_owned())
}

/// An app without counts, so that nothing but events counts.
fn quiet() -> (fanfare_hub::Hubs, Arc<fanfare_hub::AppHub>) {
    hub_of(fanfare_protocol::app::App { subscription_counts: false, ..app() })
}

#[test]
fn res_005_what_was_lost_and_what_came_since_follows_the_acknowledgement_in_order() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    for number in 0..5 {
        publish(&hub, "news", &number.to_string(), None);
    }
    let gone = page.cut(3);
    assert_eq!(page.take("news"), [Got::Acknowledged, event("0"), event("1")]);
    publish(&hub, "news", "5", None);
    drop(gone);
    publish(&hub, "news", "6", None);
    page.connect();
    page.subscribe("news");
    publish(&hub, "news", "7", None);
    let missed = ["2", "3", "4", "5", "6"].map(event);
    let wanted = [&[Got::Acknowledged], &missed[..], &[resumed(5, true), event("7")]].concat();
    assert_eq!(page.take("news"), wanted);
}

#[test]
fn res_002_a_connection_that_still_seems_alive_ends_at_once() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    publish(&hub, "news", "0", None);
    let alive = page.cut(1).expect("a connection");
    publish(&hub, "news", "1", None);
    page.connect();
    assert!(alive.conn().outbox.waiting().is_none(), "the old connection is ending");
    page.subscribe("news");
    let wanted = [Got::Acknowledged, Got::Acknowledged, event("0"), event("1"), resumed(2, true)];
    assert_eq!(page.take("news"), wanted, "nothing waits for the end of the old one");
    drop(alive);
    publish(&hub, "news", "2", None);
    assert_eq!(page.take("news"), [event("2")]);
}

#[test]
fn res_006_only_who_comes_with_a_position_is_answered() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    drop(page.cut(usize::MAX));
    page.connect();
    page.subscribe("other");
    assert_eq!(page.take("other"), [Got::Acknowledged]);
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged, Got::Acknowledged, resumed(0, true)]);
    page.leave("news");
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged], "a position is for one subscription");
}

#[test]
fn res_006_a_position_that_cannot_be_true_is_incomplete_and_replays_nothing() {
    let (_hubs, hub) = quiet();
    let unknown = ResumeToken::from_bits(77);
    let positions: [&dyn Fn(&mut Position); 3] =
        [&|position| position.count += 1, &|position| position.count = u64::MAX, &|position| {
            position.token = unknown
        }];
    for (id, change) in positions.into_iter().enumerate() {
        let mut page = Page::subscribed(&hub, id as u64 + 1, "news");
        publish(&hub, "news", "0", None);
        drop(page.cut(usize::MAX));
        publish(&hub, "news", "1", None);
        page.take("news");
        page.connect_with(|told| change(told.get_mut("news").expect("a position")));
        page.subscribe("news");
        assert_eq!(page.take("news"), [Got::Acknowledged, resumed(0, false)]);
    }
}

#[test]
fn res_006_a_channel_that_was_left_before_the_end_is_incomplete() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    page.read(usize::MAX);
    let mut left = page.cut(usize::MAX).expect("a connection");
    assert!(left.unsubscribe("news"));
    drop(left);
    page.take("news");
    page.connect();
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged, resumed(0, false)]);
}

#[test]
fn res_007_a_token_is_not_used_up_by_a_connection_that_was_cut_before_an_acknowledgement_arrived() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    drop(page.cut(usize::MAX));
    publish(&hub, "news", "0", None);
    for _ in 0..3 {
        page.connect();
        page.subscribe("news");
        publish(&hub, "news", "1", Some(page.socket()));
        drop(page.cut(0));
    }
    page.take("news");
    page.connect();
    page.subscribe("news");
    assert_eq!(
        page.take("news"),
        [Got::Acknowledged, event("0"), resumed(1, true)],
        "events that left out a socket of the page are not the page's (RES-009)"
    );
}

#[test]
fn res_008_however_many_exclusions_are_known_as_long_as_the_ring_reaches_back() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    for number in 0..80 {
        publish(&hub, "news", &number.to_string(), (number % 2 == 1).then(|| page.socket()));
    }
    // The acknowledgement and 30 of 40.
    drop(page.cut(31));
    page.take("news");
    page.connect();
    page.subscribe("news");
    let got = page.take("news");
    assert_eq!(crate::page::numbers(&got), [60, 62, 64, 66, 68, 70, 72, 74, 76, 78]);
    assert_eq!(got.last(), Some(&resumed(10, true)));
    for number in 80..120 {
        publish(&hub, "news", &number.to_string(), (number % 2 == 1).then(|| page.socket()));
    }
    drop(page.cut(0));
    page.connect();
    page.subscribe("news");
    let got = page.take("news");
    assert_eq!(crate::page::numbers(&got), (80..120).step_by(2).collect::<Vec<_>>());
    assert_eq!(got.last(), Some(&resumed(20, true)));
}

#[test]
fn res_009_an_event_that_left_out_the_new_socket_or_one_between_is_not_replayed() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    drop(page.cut(usize::MAX));
    publish(&hub, "news", "of the old", Some(page.socket()));
    page.connect();
    publish(&hub, "news", "of one between", Some(page.socket()));
    drop(page.cut(usize::MAX));
    page.connect();
    publish(&hub, "news", "of the new", Some(page.socket()));
    publish(&hub, "news", "of nobody", None);
    page.subscribe("news");
    let got = page.take("news");
    assert_eq!(got[1..], [Got::Acknowledged, event("of nobody"), resumed(1, true)]);
}

#[test]
fn res_010_member_events_and_counts_count_and_are_not_replayed() {
    let (_hubs, hub) = hub_of(app());
    let mut page = Page::subscribed(&hub, 1, "presence-room");
    let mut others: Vec<Page> = (2..5).map(|id| Page::new(&hub, id)).collect();
    for (number, other) in others.iter_mut().enumerate() {
        other.connect();
        other.subscribe("presence-room");
        publish(&hub, "presence-room", &number.to_string(), None);
    }
    let gone = page.cut(3);
    let member = other("pusher_internal:member_added");
    assert_eq!(page.take("presence-room"), [Got::Acknowledged, member, event("0")]);
    others.pop();
    publish(&hub, "presence-room", "3", None);
    drop(gone);
    page.connect();
    page.subscribe("presence-room");
    let got = page.take("presence-room");
    let wanted = [Got::Acknowledged, event("1"), event("2"), event("3"), resumed(3, true)];
    assert_eq!(got, wanted, "the roster is new");
    // A second cut, in the middle of what was replayed.
    drop(page.cut(usize::MAX));
    publish(&hub, "presence-room", "4", None);
    page.connect();
    page.subscribe("presence-room");
    drop(page.cut(2));
    assert_eq!(page.take("presence-room"), [Got::Acknowledged, event("4")]);
    others.pop();
    publish(&hub, "presence-room", "5", None);
    page.connect();
    page.subscribe("presence-room");
    let got = page.take("presence-room");
    assert_eq!(got[..3], [Got::Acknowledged, event("5"), resumed(1, true)]);
}

#[test]
fn res_010_counts_of_a_newcomer_and_of_all_count_and_are_not_replayed() {
    let (_hubs, hub) = hub_of(app());
    let count = other("pusher_internal:subscription_count");
    let mut page = Page::subscribed(&hub, 1, "news");
    let _second = Page::subscribed(&hub, 2, "news");
    publish(&hub, "news", "0", None);
    publish(&hub, "news", "1", None);
    let gone = page.cut(4);
    assert_eq!(page.take("news"), [Got::Acknowledged, count.clone(), count.clone(), event("0")]);
    drop(gone);
    page.connect();
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged, event("1"), resumed(1, true), count]);
}

#[test]
fn res_006_word_of_a_gap_that_may_not_have_arrived_is_said_again() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "news");
    drop(page.cut(usize::MAX));
    page.take("news");
    page.connect_with(|told| told.get_mut("news").expect("a position").count = 7);
    page.subscribe("news");
    // The acknowledgement arrives, and the word does not.
    drop(page.cut(1));
    publish(&hub, "news", "0", None);
    page.take("news");
    page.connect();
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged, resumed(0, false)]);
    publish(&hub, "news", "1", None);
    page.take("news");
    drop(page.cut(usize::MAX));
    publish(&hub, "news", "2", None);
    page.connect();
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged, event("2"), resumed(1, true)], "the page knows by now");
}

#[test]
fn res_008_a_second_cut_within_what_was_replayed_is_exact() {
    let (_hubs, hub) = hub_of(app());
    let mut page = Page::subscribed(&hub, 1, "presence-room");
    drop(page.cut(usize::MAX));
    page.take("presence-room");
    // Members come and go between the events that are missed.
    for number in 0..50 {
        let _member = Page::subscribed(&hub, 100 + number, "presence-room");
        publish(&hub, "presence-room", &number.to_string(), None);
    }
    for missed in [0, 10, 25] {
        page.connect();
        page.subscribe("presence-room");
        // The acknowledgement, and some of what is replayed.
        drop(page.cut(1 + if missed == 0 { 10 } else { 15 }));
        let got = crate::page::numbers(&page.take("presence-room"));
        assert_eq!(got[0], missed);
    }
    page.connect();
    page.subscribe("presence-room");
    let got = page.take("presence-room");
    assert_eq!(crate::page::numbers(&got), (40..50).collect::<Vec<_>>());
    assert!(got.contains(&resumed(10, true)), "{got:?}");
}

#[test]
fn res_011_a_kept_event_comes_once_as_a_missed_one_or_as_the_kept_one() {
    let (_hubs, hub) = quiet();
    let mut page = Page::subscribed(&hub, 1, "cache-rates");
    assert_eq!(page.take("cache-rates"), [Got::Acknowledged, other("pusher:cache_miss")]);
    drop(page.cut(usize::MAX));
    publish(&hub, "cache-rates", "0", None);
    publish(&hub, "cache-rates", "1", None);
    page.connect();
    page.subscribe("cache-rates");
    let got = page.take("cache-rates");
    assert_eq!(got, [Got::Acknowledged, event("0"), event("1"), resumed(2, true)]);
    drop(page.cut(usize::MAX));
    page.connect();
    page.subscribe("cache-rates");
    let got = page.take("cache-rates");
    assert_eq!(got, [Got::Acknowledged, event("1"), resumed(0, true)], "the kept one, as ever");
    publish(&hub, "cache-rates", "2", None);
    drop(page.cut(0));
    page.connect();
    page.subscribe("cache-rates");
    assert_eq!(page.take("cache-rates"), [Got::Acknowledged, event("2"), resumed(1, true)]);
}

#[test]
fn res_010_a_kept_event_that_was_lost_is_replayed_before_what_came_after() {
    let (_hubs, hub) = quiet();
    let _other = Page::subscribed(&hub, 2, "cache-rates");
    publish(&hub, "cache-rates", "0", None);
    let mut page = Page::subscribed(&hub, 1, "cache-rates");
    // The acknowledgement alone.
    drop(page.cut(1));
    page.take("cache-rates");
    publish(&hub, "cache-rates", "1", None);
    page.connect();
    page.subscribe("cache-rates");
    let got = page.take("cache-rates");
    assert_eq!(got, [Got::Acknowledged, event("0"), event("1"), resumed(2, true)]);
}

#[test]
fn res_013_without_the_setting_nothing_is_kept_or_answered() {
    let (hubs, hub) = hub_of(fanfare_protocol::app::App { resume_seconds: 0, ..app() });
    let mut page = Page::subscribed(&hub, 1, "news");
    publish(&hub, "news", "0", None);
    drop(page.cut(usize::MAX));
    assert_eq!(hubs.kept_for_resuming(), (0, 0));
    assert!(!format!("{hub:?}").contains("Ring {"));
}

#[test]
fn res_006_a_position_that_comes_behind_its_subscription_is_answered_and_the_gap_is_not_forgotten() {
    let (_hubs, hub) = hub_of(App { subscription_counts: false, ..app() });
    let mut page = Page::subscribed(&hub, 1, "news");
    drop(page.cut(usize::MAX));
    page.take("news");
    publish(&hub, "news", "1", None);
    let mut counted = BTreeMap::new();
    page.connect_with(|told| counted = std::mem::take(told));
    page.subscribe("news");
    publish(&hub, "news", "2", None);
    page.tell(&counted);
    let gap = resumed(0, false);
    // The answer is lost in flight.
    drop(page.cut(2));
    assert_eq!(page.take("news"), [Got::Acknowledged, event("2")]);
    page.connect();
    page.subscribe("news");
    assert_eq!(page.take("news"), [Got::Acknowledged, gap]);
}
