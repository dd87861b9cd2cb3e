//! The caches of cache channels, and the bound on the bytes of channels without subscribers (WS-170 … WS-173).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use fanfare_hub::{AppHub, Budget, Conn, Hubs, SubscribeError, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;
use serde_json::Value;

fn app(cache_bytes: usize) -> Arc<App> {
    let limits = Limits { cache_bytes, members: 1, ..Limits::default() };
    Arc::new(App { limits, ..App::new("1".into(), Vec::new()) })
}

fn hub(cache_bytes: usize) -> Arc<AppHub> {
    Arc::new(AppHub::new(app(cache_bytes)))
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

fn connect(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    Subscriptions::new(
        Arc::clone(hub),
        Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1 << 30))),
    )
}

fn publish(hub: &AppHub, name: &str, data: &str, until: u64) {
    let name = channel(name);
    hub.deliver_and_keep(&name, &QuotedEvent::new("e", data).on(&name), None, until);
}

fn is_kept(hub: &AppHub, name: &str, now: u64) -> bool {
    hub.cached(&channel(name), now).is_some()
}

/// The data of every waiting event of a connection; the event's name for events other than `e`.
fn received(subscriptions: &Subscriptions) -> Vec<String> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = subscriptions.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    let text = |frame: &Frame| {
        let frame: Value = serde_json::from_slice(frame.payload()).expect("JSON");
        let shown = if frame["event"] == "e" { &frame["data"] } else { &frame["event"] };
        shown.as_str().expect("a string").to_owned()
    };
    frames.iter().map(text).collect()
}

#[test]
fn what_has_expired_is_swept_to_the_last_byte_and_the_hub_with_it() {
    let hubs = Hubs::default();
    for number in 0..500_u64 {
        publish(&hubs.open(&app(1 << 20)), &format!("cache-{number}"), "d", 1000 + number);
    }
    let bytes = || hubs.get(&"1".into()).map(|hub| hub.parked_bytes());
    let all = bytes().expect("it keeps something");
    hubs.sweep(999);
    assert_eq!(bytes(), Some(all), "nothing has expired yet");
    hubs.sweep(1249);
    let half = bytes().expect("it still keeps something");
    assert!(half > 0 && half < all * 6 / 10, "{half} of {all}");
    assert!(!is_kept(&hubs.open(&app(1 << 20)), "cache-249", 1249));
    assert!(is_kept(&hubs.open(&app(1 << 20)), "cache-250", 1249));
    let held = hubs.open(&app(1 << 20));
    hubs.sweep(1500);
    assert_eq!(held.parked_bytes(), 0);
    drop(held);
    hubs.sweep(1500);
    assert!(hubs.all().is_empty());
}

#[test]
fn a_value_that_is_replaced_gives_its_bytes_back() {
    let hub = hub(1 << 20);
    publish(&hub, "cache-a", "d", 10);
    let one = hub.parked_bytes();
    for round in 0..100 {
        publish(&hub, "cache-a", "d", 10 + round);
    }
    assert_eq!(hub.parked_bytes(), one);
}

#[test]
fn only_what_nobody_listens_to_is_counted() {
    let hub = hub(1 << 20);
    publish(&hub, "cache-a", "d", 10);
    let one = hub.parked_bytes();
    let (mut first, mut second) = (connect(&hub, 1), connect(&hub, 2));
    for subscriptions in [&mut first, &mut second] {
        subscriptions.subscribe(channel("cache-a"), None, 0).expect("subscribed");
    }
    assert_eq!(hub.parked_bytes(), 0);
    publish(&hub, "cache-a", "d", 10);
    first.unsubscribe("cache-a");
    assert_eq!(hub.parked_bytes(), 0);
    drop(second);
    assert_eq!(hub.parked_bytes(), one);
}

#[test]
fn ws_170_a_value_that_expired_under_its_subscribers_is_shown_to_nobody() {
    let hubs = Hubs::default();
    let hub = hubs.open(&app(1 << 20));
    let (mut early, mut late) = (connect(&hub, 1), connect(&hub, 2));
    early.subscribe(channel("cache-a"), None, 0).expect("subscribed");
    publish(&hub, "cache-a", "d", 10);
    hubs.sweep(10);
    assert!(is_kept(&hub, "cache-a", 9) && !is_kept(&hub, "cache-a", 10));
    late.subscribe(channel("cache-a"), None, 10).expect("subscribed");
    assert_eq!(received(&late), ["pusher_internal:subscription_succeeded", "pusher:cache_miss"]);
    drop((early, late));
    assert_eq!((hub.parked_bytes(), hub.totals()), (0, (0, 0)));
}

#[test]
fn over_the_limit_the_oldest_go_whatever_their_names() {
    let hub = hub(5000);
    let mut listener = connect(&hub, 1);
    listener.subscribe(channel("cache-occupied"), None, 0).expect("subscribed");
    publish(&hub, "cache-occupied", "d", 1);
    for number in 0..100_u64 {
        publish(&hub, &format!("cache-{number}"), &"x".repeat(500), 1000 + number);
        assert!(hub.parked_bytes() <= 5000);
        assert!(is_kept(&hub, &format!("cache-{number}"), 0), "the newest stays");
    }
    let kept: Vec<u64> = (0..100_u64).filter(|number| is_kept(&hub, &format!("cache-{number}"), 0)).collect();
    assert!(kept.len() > 3);
    assert_eq!(kept, (100 - kept.len() as u64..100).collect::<Vec<_>>());
    assert!(is_kept(&hub, "cache-occupied", 0));
}

#[test]
fn a_value_made_fresh_again_is_not_the_oldest_any_more() {
    let hub = hub(2000);
    publish(&hub, "cache-a", &"x".repeat(500), 1);
    publish(&hub, "cache-b", &"x".repeat(500), 2);
    publish(&hub, "cache-a", &"x".repeat(500), 3);
    publish(&hub, "cache-c", &"x".repeat(500), 4);
    let kept = ["cache-a", "cache-b", "cache-c"].map(|name| is_kept(&hub, name, 0));
    assert_eq!(kept, [true, false, true]);
}

#[test]
fn a_crowd_that_leaves_makes_the_app_keep_to_its_limit() {
    let hub = hub(3000);
    let mut listener = connect(&hub, 1);
    for number in 0..50_u64 {
        listener.subscribe(channel(&format!("cache-{number}")), None, 0).expect("subscribed");
        publish(&hub, &format!("cache-{number}"), "d", 1000 + number);
    }
    assert_eq!(hub.parked_bytes(), 0);
    drop(listener);
    assert!(hub.parked_bytes() <= 3000);
    assert!(is_kept(&hub, "cache-49", 0) && !is_kept(&hub, "cache-0", 0));
}

#[test]
fn a_value_larger_than_the_limit_is_not_kept_and_takes_nothing() {
    let hub = hub(100);
    publish(&hub, "cache-a", "d", 10);
    assert!(!is_kept(&hub, "cache-a", 0));
    assert_eq!(hub.parked_bytes(), 0);
}

#[test]
fn ws_136_who_is_refused_by_a_full_presence_channel_leaves_its_value_alone() {
    let hub = hub(1 << 20);
    let identity = |id: &str| {
        let data = format!(r#"{{"user_id":"{id}"}}"#);
        Identity::parse(&data, "presence-cache-a", &Limits::default()).ok()
    };
    publish(&hub, "presence-cache-a", "d", 10);
    let (mut first, mut second) = (connect(&hub, 1), connect(&hub, 2));
    first.subscribe(channel("presence-cache-a"), identity("a"), 0).expect("room for one");
    let refused = second.subscribe(channel("presence-cache-a"), identity("b"), 0);
    assert_eq!(refused, Err(SubscribeError::Full));
    assert!(received(&second).is_empty());
    drop(first);
    second.subscribe(channel("presence-cache-a"), identity("b"), 0).expect("room again");
    assert_eq!(received(&second), ["pusher_internal:subscription_succeeded", "d"]);
}

#[test]
fn whatever_threads_do_no_byte_is_counted_that_is_not_kept() {
    let hubs = Hubs::default();
    let hub = hubs.open(&app(4000));
    let ids = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (hub, hubs, ids) = (&hub, &hubs, &ids);
            scope.spawn(move || {
                for round in 0..1000_u64 {
                    let name = format!("cache-{}", (round * 7 + thread) % 20);
                    publish(hub, &name, "data", 10 + round % 3);
                    let mut subscriptions = connect(hub, ids.fetch_add(1, Ordering::Relaxed));
                    subscriptions.subscribe(channel(&name), None, 0).expect("subscribed");
                    if round % 5 == 0 {
                        hubs.sweep(10);
                    }
                    assert_eq!(received(&subscriptions)[0], "pusher_internal:subscription_succeeded");
                }
            });
        }
    });
    assert_eq!(hub.totals(), (0, 0));
    assert!(hub.parked_bytes() <= 4000);
    let kept = (0..20).filter(|number| is_kept(&hub, &format!("cache-{number}"), 0)).count();
    assert_eq!(hub.parked_bytes() > 0, kept > 0);
    hubs.sweep(100);
    assert_eq!(hub.parked_bytes(), 0);
}
