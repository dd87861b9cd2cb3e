//! What connections are sent about one another: the count, and who is online (WS-175 … WS-198).

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use fanfare_hub::{AppHub, Budget, Conn, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server::signin_success;
use fanfare_protocol::user::UserData;
use serde_json::Value;

fn hub() -> Arc<AppHub> {
    let app = App { subscription_counts: true, watchlist_events: true, ..App::new("1".into(), Vec::new()) };
    Arc::new(AppHub::new(Arc::new(app)))
}

fn connect(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    Subscriptions::new(
        Arc::clone(hub),
        Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1 << 30))),
    )
}

fn subscribed(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    let mut subscriptions = connect(hub, id);
    let news = ChannelName::parse("news", 164).expect("a legal name");
    subscriptions.subscribe(news, None, 0).expect("subscribed");
    subscriptions
}

/// The data of every waiting event of a connection with this name, parsed.
fn received(subscriptions: &Subscriptions, event: &str) -> Vec<Value> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = subscriptions.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    let parsed = frames.iter().map(|frame| serde_json::from_slice(frame.payload()).expect("JSON"));
    parsed
        .filter(|frame: &Value| frame["event"] == event)
        .map(|frame| serde_json::from_str(frame["data"].as_str().expect("a string")).expect("JSON"))
        .collect()
}

fn counts(subscriptions: &Subscriptions) -> Vec<u64> {
    let told = received(subscriptions, "pusher_internal:subscription_count");
    told.iter().map(|data| data["subscription_count"].as_u64().expect("a number")).collect()
}

#[test]
fn ws_176_a_crowd_is_told_once_when_its_time_comes() {
    let hub = hub();
    let first = subscribed(&hub, 0);
    let crowd: Vec<Subscriptions> = (1..105).map(|id| subscribed(&hub, id)).collect();
    assert_eq!(counts(&first), (1..=100).collect::<Vec<_>>(), "each change up to a hundred, then none");
    hub.tell_counts();
    assert_eq!(counts(&first), [105]);
    hub.tell_counts();
    assert_eq!(counts(&first), [0; 0], "nothing has changed");
    hub.tell_changes();
    drop(crowd);
    assert_eq!(counts(&first), (1..=100).rev().collect::<Vec<_>>());
}

#[test]
fn ws_176_what_was_told_at_once_is_not_told_again_when_the_time_comes() {
    let hub = hub();
    let first = subscribed(&hub, 0);
    let crowd: Vec<Subscriptions> = (1..102).map(|id| subscribed(&hub, id)).collect();
    assert_eq!(counts(&first).last(), Some(&100));
    hub.tell_changes();
    drop(crowd);
    assert_eq!(counts(&first).last(), Some(&1));
    hub.tell_counts();
    assert_eq!(counts(&first), [0; 0]);
}

#[test]
fn ws_176_a_crowd_that_scattered_and_came_back_is_told_once() {
    let hub = hub();
    let first = subscribed(&hub, 0);
    for _ in 0..5 {
        drop((1..103).map(|id| subscribed(&hub, id)).collect::<Vec<_>>());
    }
    let _crowd: Vec<Subscriptions> = (1..103).map(|id| subscribed(&hub, id)).collect();
    counts(&first);
    hub.tell_counts();
    assert_eq!(counts(&first), [103]);
    hub.tell_counts();
    assert_eq!(counts(&first), [0; 0]);
}

#[test]
fn ws_176_a_crowd_that_has_gone_is_not_told_anything() {
    let hub = hub();
    drop((0..150).map(|id| subscribed(&hub, id)).collect::<Vec<_>>());
    hub.tell_counts();
    let late = subscribed(&hub, 1);
    hub.tell_counts();
    assert_eq!(counts(&late), [1]);
}

fn sign_in(subscriptions: &mut Subscriptions, user_data: &str) -> bool {
    let user = UserData::parse(user_data, &Limits::default()).expect("user data");
    subscriptions.sign_in(user, &signin_success(user_data), 0)
}

/// Applies watchlist events to who is online; each must change something.
fn follow(online: &mut HashSet<String>, told: &[Value]) {
    for event in told.iter().flat_map(|data| data["events"].as_array().expect("a list")) {
        for id in event["user_ids"].as_array().expect("a list") {
            let id = id.as_str().expect("a string").to_owned();
            match event["name"].as_str() {
                Some("online") => assert!(online.insert(id), "online twice"),
                Some("offline") => assert!(online.remove(&id), "offline twice"),
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

#[test]
fn ws_195_the_first_state_and_the_later_changes_add_up_to_the_truth() {
    let hub = hub();
    let watchlist = r#"{"id":"watcher","watchlist":["u0","u1","u2"]}"#;
    let event = "pusher_internal:watchlist_events";
    let mut watcher = connect(&hub, u64::MAX);
    assert!(sign_in(&mut watcher, watchlist));
    let first = received(&watcher, event);
    assert_eq!(first[0]["events"][0]["name"], "offline");
    let watchers: Vec<Subscriptions> = thread::scope(|scope| {
        for thread in 0..4_u64 {
            let hub = &hub;
            scope.spawn(move || {
                for round in 0..500_u64 {
                    let mut subscriptions = connect(hub, thread << 32 | round);
                    sign_in(&mut subscriptions, &format!(r#"{{"id":"u{}"}}"#, round % 3));
                }
            });
        }
        let late = (0..50_u64).map(|number| {
            let mut late = connect(&hub, 1 << 40 | number);
            sign_in(&mut late, watchlist);
            late
        });
        late.collect()
    });
    let mut online = HashSet::new();
    follow(&mut online, &received(&watcher, event));
    assert!(online.is_empty(), "{online:?}");
    for late in &watchers {
        let told = received(late, event);
        let (state, changes) = told.split_first().expect("a first state");
        let is_online = |event: &&Value| event["name"] == "online";
        let mut online: HashSet<String> = HashSet::new();
        for event in state["events"].as_array().expect("a list").iter().filter(is_online) {
            let ids = event["user_ids"].as_array().expect("a list").iter();
            online.extend(ids.map(|id| id.as_str().expect("a string").to_owned()));
        }
        follow(&mut online, changes);
        assert!(online.is_empty(), "{online:?}");
    }
    assert_eq!(hub.users_online(), 1, "the watcher is left");
    drop((watcher, watchers));
    assert_eq!(hub.users_online(), 0);
}

#[test]
fn ws_182_another_id_is_refused_and_changes_nothing() {
    let hub = hub();
    let mut subscriptions = connect(&hub, 1);
    assert!(sign_in(&mut subscriptions, r#"{"id":"a"}"#));
    assert!(!sign_in(&mut subscriptions, r#"{"id":"b","watchlist":["a"]}"#));
    assert_eq!(subscriptions.signed_in().map(|user| user.id.as_str()), Some("a"));
    assert_eq!(received(&subscriptions, "pusher:signin_success").len(), 1);
    assert_eq!(hub.users_online(), 1);
}
