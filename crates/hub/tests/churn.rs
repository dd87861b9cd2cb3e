//! Threads against one hub: whatever they interleave, every connection sees the truth in order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use fanfare_hub::{AppHub, Budget, Conn, SHARDS, SubscribeError, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;
use serde_json::Value;

fn hub(members: usize) -> Arc<AppHub> {
    let limits = Limits { members, ..Limits::default() };
    let app = App { max_connections: Some(1000), limits, ..App::new("1".into(), Vec::new()) };
    Arc::new(AppHub::new(Arc::new(app)))
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

fn user(id: &str) -> Option<Identity> {
    Some(
        Identity::parse(&format!(r#"{{"user_id":"{id}"}}"#), "presence-a", &Limits::default())
            .expect("an identity"),
    )
}

/// Every frame that waits for a connection, parsed.
fn received(subscriptions: &Subscriptions) -> Vec<Value> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = subscriptions.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    frames.iter().map(|frame| serde_json::from_slice(frame.payload()).expect("JSON")).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().expect("a name")).collect()
}

#[test]
fn ws_125_the_acknowledgement_comes_before_every_event_of_the_channel() {
    let hub = hub(100);
    let news = channel("news");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for publisher in 0..2_u64 {
            let (hub, news, stop) = (&hub, &news, &stop);
            scope.spawn(move || {
                let mut number = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let frame = QuotedEvent::new("n", format!("{publisher}:{number}")).on(news);
                    hub.deliver(news, &frame, None);
                    number += 1;
                }
            });
        }
        let subscribers: Vec<_> = (0..4_u64)
            .map(|thread| {
                let (hub, news) = (&hub, &news);
                scope.spawn(move || {
                    for round in 0..500 {
                        let mut subscriptions = connect(hub, thread << 32 | round);
                        subscriptions.subscribe(news.clone(), None, 0).expect("a first subscription");
                        check_order(&received(&subscriptions));
                    }
                })
            })
            .collect();
        for subscriber in subscribers {
            subscriber.join().expect("no panic");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(hub.totals(), (0, 0), "nothing is left over");
    assert_eq!(hub.connections(), 0);
}

/// The acknowledgement first, then each publisher's numbers without a gap.
fn check_order(events: &[Value]) {
    assert_eq!(events[0]["event"], "pusher_internal:subscription_succeeded");
    let mut last: HashMap<&str, u64> = HashMap::new();
    for event in &events[1..] {
        let (publisher, number) =
            event["data"].as_str().and_then(|data| data.split_once(':')).expect("publisher:number");
        let number: u64 = number.parse().expect("a number");
        if let Some(before) = last.insert(publisher, number) {
            assert_eq!(number, before + 1, "publisher {publisher}");
        }
    }
}

#[test]
fn ws_154_roster_and_member_events_add_up_to_the_truth() {
    let hub = hub(100);
    let room = channel("presence-a");
    let ids = AtomicU64::new(0);
    let mut watcher = connect(&hub, u64::MAX);
    watcher.subscribe(room.clone(), user("watcher"), 0).expect("the watcher joins");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..300 {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    let mut subscriptions = connect(&hub, id);
                    let name = format!("u{}", round % 5);
                    subscriptions.subscribe(room.clone(), user(&name), 0).expect("room for five users");
                    let seen = received(&subscriptions);
                    assert!(roster(&seen[0]).contains(&name), "the subscriber itself is included");
                    let mut present = roster(&seen[0]);
                    follow(&mut present, &seen[1..]);
                    assert!(present.contains("watcher"));
                }
            });
        }
    });
    // So many users join and leave that some changes wait.
    hub.tell_changes();
    let seen = received(&watcher);
    let mut present = roster(&seen[0]);
    follow(&mut present, &seen[1..]);
    assert_eq!(present, HashSet::from(["watcher".to_owned()]));
    assert_eq!(hub.counts(&room).users, 1);
}

fn roster(succeeded: &Value) -> HashSet<String> {
    let data: Value = serde_json::from_str(succeeded["data"].as_str().expect("a string")).expect("JSON");
    let ids = data["presence"]["ids"].as_array().expect("ids");
    ids.iter().map(|id| id.as_str().expect("a string").to_owned()).collect()
}

/// Applies member events; each must change something, or joins and leaves do not alternate.
fn follow(present: &mut HashSet<String>, events: &[Value]) {
    for event in events {
        let data: Value = serde_json::from_str(event["data"].as_str().expect("a string")).expect("JSON");
        let user = data["user_id"].as_str().expect("an id").to_owned();
        match event["event"].as_str() {
            Some("pusher_internal:member_added") => assert!(present.insert(user), "joined twice"),
            Some("pusher_internal:member_removed") => assert!(present.remove(&user), "left twice"),
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[test]
fn ws_150_and_ws_151_only_the_first_and_the_last_connection_of_a_user_are_announced() {
    let hub = hub(100);
    let room = channel("presence-a");
    let mut ann = connect(&hub, 1);
    ann.subscribe(room.clone(), user("ann"), 0).expect("ann joins");
    let mut tabs: Vec<Subscriptions> = (2..4).map(|id| connect(&hub, id)).collect();
    for tab in &mut tabs {
        tab.subscribe(room.clone(), user("bob"), 0).expect("bob joins");
    }
    assert!(tabs[0].unsubscribe("presence-a"));
    drop(tabs);
    assert_eq!(
        names(&received(&ann)),
        [
            "pusher_internal:subscription_succeeded",
            "pusher_internal:member_added",
            "pusher_internal:member_removed"
        ]
    );
}

#[test]
fn ws_136_a_full_presence_channel_takes_only_further_connections_of_its_users() {
    let hub = hub(2);
    let room = channel("presence-a");
    let mut conns: Vec<Subscriptions> = (0..4).map(|id| connect(&hub, id)).collect();
    assert_eq!(conns[0].subscribe(room.clone(), user("a"), 0), Ok(()));
    assert_eq!(conns[1].subscribe(room.clone(), user("b"), 0), Ok(()));
    assert_eq!(conns[2].subscribe(room.clone(), user("c"), 0), Err(SubscribeError::Full));
    assert_eq!(conns[3].subscribe(room.clone(), user("b"), 0), Ok(()));
    assert!(received(&conns[2]).is_empty() && !conns[2].contains("presence-a"));
}

#[test]
fn a_refused_first_member_leaves_no_channel_behind() {
    let hub = hub(0);
    let mut conn = connect(&hub, 1);
    assert_eq!(conn.subscribe(channel("presence-a"), user("a"), 0), Err(SubscribeError::Full));
    assert_eq!(hub.totals(), (0, 0));
}

#[test]
fn ws_137_a_second_subscription_changes_nothing() {
    let hub = hub(100);
    let mut conn = connect(&hub, 1);
    assert_eq!(conn.subscribe(channel("news"), None, 0), Ok(()));
    assert_eq!(conn.subscribe(channel("news"), None, 0), Err(SubscribeError::Existing));
    assert_eq!(names(&received(&conn)), ["pusher_internal:subscription_succeeded"]);
    assert_eq!(hub.counts(&channel("news")).subscriptions, 1);
}

#[test]
fn api_014_the_excluded_connection_gets_nothing_and_everybody_else_does() {
    let hub = hub(100);
    let news = channel("news");
    let mut conns: Vec<Subscriptions> = (0..3).map(|id| connect(&hub, id)).collect();
    for conn in &mut conns {
        conn.subscribe(news.clone(), None, 0).expect("subscribed");
    }
    let frame = QuotedEvent::new("n", "1").on(&news);
    assert_eq!(hub.deliver(&news, &frame, Some(SocketId::from_bits(1))), 2);
    assert_eq!(received(&conns[1]).len(), 1);
    assert_eq!(received(&conns[2]).len(), 2);
}

#[test]
fn ws_061_places_are_given_back() {
    let hub = hub(100);
    let places: Vec<_> = (0..1000).map(|_| hub.take_slot().expect("a free place")).collect();
    assert!(hub.take_slot().is_none());
    drop(places);
    assert!(hub.take_slot().is_some());
}

#[test]
fn api_030_only_occupied_channels_with_the_prefix_are_listed() {
    let hub = hub(100);
    let mut conn = connect(&hub, 1);
    for name in ["news", "newsletter", "private-news", "#server-to-user-1"] {
        conn.subscribe(channel(name), None, 0).expect("subscribed");
    }
    let listed = |prefix: &str| {
        let mut names: Vec<String> = Vec::new();
        for shard in 0..SHARDS {
            hub.show_channels(shard, prefix, |name, _| names.push(name.to_string()));
        }
        names.sort();
        names
    };
    assert_eq!(listed("news"), ["news", "newsletter"]);
    assert_eq!(listed(""), ["news", "newsletter", "private-news"]);
    conn.unsubscribe("news");
    assert_eq!(listed("news"), ["newsletter"]);
}
