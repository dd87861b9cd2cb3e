//! Every bound, filled: the oldest go, and who needs them is told (RES-012).

use std::sync::Arc;

use fanfare_hub::{Budget, Hubs, ResumeBounds};
use fanfare_protocol::app::{App, Limits};

use crate::page::{Got, Page, app, hub_of, numbers, publish};

const SECOND: u64 = 1000;

fn with(limits: Limits) -> App {
    App { limits, subscription_counts: false, ..app() }
}

fn bounded(bounds: ResumeBounds) -> Hubs {
    Hubs::new(Budget::default()).with_resume_bounds(bounds)
}

/// Cuts the page, publishes so many events, and resumes; whether that was complete.
fn resumes_after(page: &mut Page, name: &str, events: usize, publish: impl Fn(usize) -> usize) -> bool {
    // Behind an earlier word of a gap, which the page has got for sure by the next event.
    publish(0);
    drop(page.cut(usize::MAX));
    page.take(name);
    for number in 0..events {
        publish(number);
    }
    page.connect();
    page.subscribe(name);
    let got = page.take(name);
    let answer = got.iter().find_map(|got| match got {
        Got::Resumed { replayed, complete } => Some((*replayed, *complete)),
        _ => None,
    });
    let (replayed, complete) = answer.expect("an answer");
    assert_eq!(replayed, if complete { events as u64 } else { 0 });
    complete
}

#[test]
fn res_012_a_ring_has_so_many_entries() {
    let (_hubs, hub) = hub_of(with(Limits { resume_entries: 10, ..Limits::default() }));
    let mut page = Page::subscribed(&hub, 1, "news");
    for (events, complete) in [(10, true), (11, false), (10, true), (0, true)] {
        let publish = |number: usize| publish(&hub, "news", &number.to_string(), None);
        assert_eq!(resumes_after(&mut page, "news", events, publish), complete, "{events}");
    }
}

#[test]
fn res_012_the_rings_of_an_app_have_so_many_bytes() {
    let (hubs, hub) = hub_of(with(Limits { resume_bytes: 100_000, ..Limits::default() }));
    let mut page = Page::subscribed(&hub, 1, "news");
    let data = "x".repeat(10_000);
    let publish = |_| publish(&hub, "news", &data, None);
    assert!(resumes_after(&mut page, "news", 8, publish));
    assert!(!resumes_after(&mut page, "news", 10, publish));
    for _ in 0..1000 {
        publish(0);
        assert!(hubs.kept_for_resuming().0 <= 100_000);
    }
    // A sweep leaves room for other channels.
    let mut other = Page::subscribed(&hub, 2, "other");
    hubs.sweep_rings(SECOND);
    hubs.sweep_rings(200 * SECOND);
    page.subscriptions = None;
    other.subscriptions = None;
    hubs.sweep_rings(1000 * SECOND);
    assert_eq!(hubs.kept_for_resuming(), (0, 0), "all that was counted is given back");
}

#[test]
fn res_012_the_rings_of_a_node_have_so_many_bytes() {
    let hubs = bounded(ResumeBounds { bytes: 50_000, ..ResumeBounds::default() });
    let hub = hubs.open(&Arc::new(with(Limits::default())));
    let second = hubs.open(&Arc::new(App { resume_seconds: 5, ..App::new("2".into(), Vec::new()) }));
    let mut page = Page::subscribed(&hub, 1, "news");
    let mut other = Page::subscribed(&second, 1, "news");
    let data = "x".repeat(10_000);
    for _ in 0..10 {
        publish(&second, "news", &data, None);
    }
    assert!(hubs.kept_for_resuming().0 <= 50_000);
    // Nothing of an app goes for the sake of another at once, so the event is not kept.
    let publish = |_| publish(&hub, "news", &data, None);
    assert!(!resumes_after(&mut page, "news", 2, publish));
    other.subscriptions = None;
    hubs.sweep_rings(200 * SECOND);
    assert!(resumes_after(&mut page, "news", 2, publish));
}

#[test]
fn res_012_where_a_node_keeps_too_much_the_oldest_go_of_whatever_app() {
    const SMALL: usize = 8;
    let hubs = bounded(ResumeBounds { bytes: 100_000, ..ResumeBounds::default() });
    let app = |id: usize| App { resume_seconds: 600, ..App::new((&*id.to_string()).into(), Vec::new()) };
    let large = hubs.open(&Arc::new(app(SMALL)));
    let mut page = Page::subscribed(&large, 1, "news");
    for _ in 0..8 {
        publish(&large, "news", &"x".repeat(10_000), None);
    }
    // The others' events are much younger; with these it is too much.
    hubs.sweep_rings(500 * SECOND);
    assert!(hubs.kept_for_resuming().0 > 80_000, "not too much yet");
    let mut pages: Vec<Page> = (0..SMALL)
        .map(|id| {
            let hub = hubs.open(&Arc::new(app(id)));
            let page = Page::subscribed(&hub, 1, "news");
            publish(&hub, "news", &"x".repeat(1000), None);
            page
        })
        .collect();
    hubs.sweep_rings(600 * SECOND);
    let mut is_complete = |page: &mut Page| {
        drop(page.cut(1));
        page.take("news");
        page.connect();
        page.subscribe("news");
        page.take("news").contains(&Got::Resumed { replayed: 1, complete: true })
    };
    assert!(pages.iter_mut().all(&mut is_complete), "little, and not old");
    assert!(!is_complete(&mut page), "much, and the oldest");
}

#[test]
fn res_012_a_node_remembers_so_many_ended_connections_and_of_one_app_as_many_as_stay_free() {
    let hubs = bounded(ResumeBounds { records: 7, ..ResumeBounds::default() });
    let hub = hubs.open(&Arc::new(with(Limits::default())));
    let mut pages: Vec<Page> = (1..=5).map(|id| Page::new(&hub, id)).collect();
    for page in &mut pages {
        page.connect();
        page.subscribe("news");
        page.read(usize::MAX);
    }
    for page in &mut pages {
        drop(page.cut(usize::MAX));
    }
    assert_eq!(hubs.kept_for_resuming().1, 4);
    let second = hubs.open(&Arc::new(App { resume_seconds: 5, ..App::new("2".into(), Vec::new()) }));
    for id in 1..=3 {
        let mut other = Page::new(&second, id);
        other.connect();
        drop(other.cut(usize::MAX));
    }
    assert_eq!((second.kept_for_resuming().1, hubs.kept_for_resuming().1), (2, 6), "others have room");
    for (page, complete) in pages.iter_mut().zip([false, true, true, true, true]) {
        page.take("news");
        page.connect();
        page.subscribe("news");
        assert_eq!(page.take("news")[1], Got::Resumed { replayed: 0, complete }, "the oldest has gone");
    }
}

#[test]
fn res_012_what_is_remembered_is_forgotten_after_resume_seconds_to_the_last_byte_and_the_hub_with_it() {
    let (hubs, hub) = hub_of(with(Limits::default()));
    let mut page = Page::subscribed(&hub, 1, "news");
    hubs.sweep_rings(100 * SECOND);
    drop(page.cut(usize::MAX));
    publish(&hub, "news", "0", None);
    drop(hub);
    hubs.sweep_rings(159 * SECOND);
    hubs.sweep(159 * SECOND);
    let hub = hubs.get(&"1".into()).expect("the client may come back");
    let kept = hubs.kept_for_resuming();
    assert!(kept.0 > 0 && kept.1 == 1, "{kept:?}");
    assert_eq!(hub.totals(), (0, 0), "nobody sees the channel");
    drop(hub);
    drop(page);
    hubs.sweep_rings(162 * SECOND);
    assert_eq!(hubs.kept_for_resuming(), (0, 0));
    hubs.sweep(162 * SECOND);
    assert!(hubs.all().is_empty());
}

#[test]
fn res_012_frames_are_kept_for_as_long_as_a_lost_connection_may_go_unnoticed() {
    let (hubs, hub) = hub_of(with(Limits::default()));
    let mut page = Page::subscribed(&hub, 1, "news");
    publish(&hub, "news", "0", None);
    let lost = page.cut(1);
    page.take("news");
    // 80 seconds until the server notices, and 60 in which the client may come back.
    hubs.sweep_rings(80 * SECOND);
    drop(lost);
    hubs.sweep_rings(139 * SECOND);
    page.connect();
    page.subscribe("news");
    assert_eq!(
        page.take("news")[1..],
        [Got::Event("0".to_owned()), Got::Resumed { replayed: 1, complete: true }]
    );
}

#[test]
fn res_012_what_does_not_fit_into_an_outbox_is_incomplete_instead_of_the_end_of_the_connection() {
    let (_hubs, hub) = hub_of(with(Limits::default()));
    let mut page = Page::subscribed(&hub, 1, "news");
    let data = "x".repeat(10_000);
    let publish = |_| publish(&hub, "news", &data, None);
    assert!(resumes_after(&mut page, "news", 70, publish));
    assert!(!resumes_after(&mut page, "news", 90, publish), "an outbox holds a mebibyte");
    assert!(page.subscriptions.as_ref().expect("a connection").conn().outbox.waiting().is_some());
}

#[test]
fn res_009_of_a_client_that_is_cut_before_every_acknowledgement_the_last_sixteen_sockets_are_known() {
    let (_hubs, hub) = hub_of(with(Limits::default()));
    let mut page = Page::subscribed(&hub, 1, "news");
    page.read(usize::MAX);
    let come_back = |page: &mut Page| {
        drop(page.cut(0));
        page.connect();
        page.subscribe("news");
    };
    for number in 0..20 {
        come_back(&mut page);
        publish(&hub, "news", &number.to_string(), Some(page.socket()));
    }
    come_back(&mut page);
    assert_eq!(numbers(&page.take("news")), [0, 1, 2, 3], "its own events, but for the oldest sockets");
}

#[test]
fn res_012_switching_resume_off_drops_everything() {
    let (hubs, hub) = hub_of(with(Limits::default()));
    let mut page = Page::subscribed(&hub, 1, "news");
    let mut stays = Page::subscribed(&hub, 2, "news");
    drop(page.cut(usize::MAX));
    publish(&hub, "news", "0", None);
    hub.set_app(&Arc::new(App { resume_seconds: 0, ..with(Limits::default()) }));
    hubs.sweep_rings(SECOND);
    assert_eq!(hubs.kept_for_resuming(), (0, 0));
    drop(stays.cut(usize::MAX));
    assert_eq!(hubs.kept_for_resuming(), (0, 0));
    assert!(!format!("{hub:?}").contains("Ring {"));
}

#[test]
fn frames_that_rings_keep_do_not_count_as_waiting_for_clients() {
    let hubs = Hubs::new(Budget::new(1 << 20, 1 << 30));
    let hub = hubs.open(&Arc::new(with(Limits::default())));
    let mut page = Page::subscribed(&hub, 1, "news");
    page.read(usize::MAX);
    let data = "x".repeat(10_000);
    // Other tests of this process have frames as well.
    let before = hubs.budget().held();
    for _ in 0..200 {
        publish(&hub, "news", &data, None);
        page.read(usize::MAX);
    }
    assert!(hubs.kept_for_resuming().0 > 2_000_000);
    assert!(hubs.budget().held().saturating_sub(before) < 2_000_000, "they are kept, and wait for nobody");
}
