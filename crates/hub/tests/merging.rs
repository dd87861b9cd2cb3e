//! Joins and leaves under load are merged, and every subscriber still ends with the truth.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Hubs, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;
use proptest::prelude::*;
use serde_json::Value;

const ROOM: &str = "presence-room";

/// Bytes of `user_info` of a member that joins and leaves, so that few of these changes are sent at once.
const MUCH: usize = 100_000;

/// More joins and leaves than a channel with a single subscriber sends at once.
const A_STORM: usize = 6;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

fn app() -> Arc<App> {
    let limits = Limits { members: 5000, ..Limits::default() };
    Arc::new(App { limits, subscription_counts: true, ..App::new("1".into(), Vec::new()) })
}

fn hub() -> Arc<AppHub> {
    Arc::new(AppHub::new(app()))
}

fn connect(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    Subscriptions::new(
        Arc::clone(hub),
        Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1 << 30))),
    )
}

fn identity(user: &str, info: u64) -> Option<Identity> {
    let data = format!(r#"{{"user_id":"{user}","user_info":{info}}}"#);
    Some(Identity::parse(&data, ROOM, &Limits::default()).expect("an identity"))
}

fn join(subscriptions: &mut Subscriptions, user: &str, info: u64) {
    subscriptions.subscribe(channel(ROOM), identity(user, info), 0).expect("room for one more");
}

fn received(subscriptions: &Subscriptions) -> Vec<Value> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = subscriptions.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    frames.iter().map(|frame| serde_json::from_slice(frame.payload()).expect("JSON")).collect()
}

fn data(event: &Value) -> Value {
    serde_json::from_str(event["data"].as_str().expect("a string")).expect("JSON")
}

/// The short names of events, each with its user or its count.
fn in_short(events: &[Value]) -> Vec<String> {
    let short = |event: &Value| {
        let name = event["event"].as_str().expect("a name").rsplit_once(':').map_or("e", |(_, name)| name);
        if name == "e" {
            return name.to_owned();
        }
        let data = data(event);
        let what = data["user_id"].as_str().map(str::to_owned);
        what.map_or_else(|| format!("{name} {}", data["subscription_count"]), |user| format!("{name} {user}"))
    };
    events.iter().map(short).collect()
}

/// A channel with a watcher, after so many joins and leaves that every further change waits.
fn pressed(hub: &Arc<AppHub>) -> Subscriptions {
    let mut watcher = connect(hub, u64::MAX);
    join(&mut watcher, "watcher", 0);
    storm(hub);
    publish(hub);
    received(&watcher);
    watcher
}

/// A user joins and leaves until no change is sent at once any more.
fn storm(hub: &Arc<AppHub>) {
    let mut comer = connect(hub, u64::MAX - 1);
    let data = format!(r#"{{"user_id":"comer","user_info":"{}"}}"#, "x".repeat(MUCH));
    let limits = Limits { member_bytes: 2 * MUCH, ..Limits::default() };
    for _ in 0..A_STORM {
        let identity = Identity::parse(&data, ROOM, &limits).expect("an identity");
        comer.subscribe(channel(ROOM), Some(identity), 0).expect("room for one more");
        comer.unsubscribe(ROOM);
        received(&comer);
    }
}

/// An event to the channel, before which everybody is sent the waiting changes.
fn publish(hub: &Arc<AppHub>) {
    hub.deliver(&channel(ROOM), &QuotedEvent::new("e", "{}").on(&channel(ROOM)), None);
}

#[test]
fn a_member_that_comes_and_goes_all_the_time_is_told_of_some_times_and_then_waits() {
    let hub = hub();
    let mut watcher = connect(&hub, 1);
    join(&mut watcher, "watcher", 0);
    received(&watcher);
    storm(&hub);
    let told = in_short(&received(&watcher));
    assert_eq!(told[..2], ["member_added comer", "member_removed comer"], "the first are told at once");
    assert!(told.len() < 2 * A_STORM, "{} events of {}", told.len(), 2 * A_STORM);
    hub.tell_changes();
    let last = in_short(&received(&watcher));
    assert!(last.len() <= 1, "whoever was not there and is not there never came");
    let ends_absent = told.iter().chain(&last).next_back();
    assert_eq!(ends_absent.map(String::as_str), Some("member_removed comer"));
    let mut calm = connect(&hub, 2);
    join(&mut calm, "calm", 0);
    assert_eq!(
        in_short(&received(&watcher)),
        ["member_added calm"],
        "after the storm it is told at once again"
    );
}

#[test]
fn whoever_is_back_before_the_others_are_told_was_never_away_unless_changed() {
    let hub = hub();
    let watcher = pressed(&hub);
    let [mut same, mut other, mut gone] = [1, 2, 3].map(|id| connect(&hub, id));
    for (subscriptions, user) in [(&mut same, "same"), (&mut other, "other"), (&mut gone, "gone")] {
        join(subscriptions, user, 1);
    }
    hub.tell_changes();
    received(&watcher);
    storm(&hub);
    publish(&hub);
    received(&watcher);
    for subscriptions in [&mut same, &mut other, &mut gone] {
        subscriptions.unsubscribe(ROOM);
    }
    join(&mut same, "same", 1);
    join(&mut other, "other", 2);
    assert!(received(&watcher).is_empty(), "everything waits");
    hub.tell_changes();
    let told = received(&watcher);
    assert_eq!(in_short(&told), ["member_removed other", "member_added other", "member_removed gone"]);
    assert_eq!(data(&told[1])["user_info"], 2);
}

#[test]
fn ws_123_a_user_whose_info_was_replaced_without_a_word_is_told_anew() {
    let hub = hub();
    let watcher = pressed(&hub);
    let [mut first, mut second] = [1, 2].map(|id| connect(&hub, id));
    join(&mut first, "u", 1);
    hub.tell_changes();
    join(&mut second, "u", 2);
    storm(&hub);
    publish(&hub);
    received(&watcher);
    first.unsubscribe(ROOM);
    second.unsubscribe(ROOM);
    join(&mut first, "u", 2);
    hub.tell_changes();
    let told = received(&watcher);
    assert_eq!(in_short(&told), ["member_removed u", "member_added u"]);
    assert_eq!(data(&told[1])["user_info"], 2, "unmerged, the watcher would know it as well");
}

#[test]
fn an_event_comes_behind_every_change_before_it() {
    let hub = hub();
    let watcher = pressed(&hub);
    let mut newcomer = connect(&hub, 1);
    join(&mut newcomer, "newcomer", 0);
    assert!(received(&watcher).is_empty());
    publish(&hub);
    assert_eq!(in_short(&received(&watcher)), ["member_added newcomer", "e"]);
}

#[test]
fn some_hundred_users_that_wait_are_told_without_waiting_for_more() {
    let hub = hub();
    let watcher = pressed(&hub);
    let mut crowd: Vec<_> = (0..300).map(|id| connect(&hub, id)).collect();
    for (number, subscriptions) in crowd.iter_mut().enumerate() {
        join(subscriptions, &format!("u{number}"), 0);
    }
    assert!(received(&watcher).len() >= 256);
}

#[test]
fn ws_175_counts_that_press_are_merged_into_the_last() {
    let hub = hub();
    let news = channel("news");
    let mut crowd: Vec<_> = (0..90).map(|id| connect(&hub, id)).collect();
    for subscriptions in &mut crowd {
        subscriptions.subscribe(news.clone(), None, 0).expect("a first subscription");
    }
    hub.tell_changes();
    for subscriptions in &crowd {
        assert_eq!(
            in_short(&received(subscriptions)).last().map(String::as_str),
            Some("subscription_count 90")
        );
    }
    let mut comer = connect(&hub, 100);
    for _ in 0..200 {
        comer.subscribe(news.clone(), None, 0).expect("a first subscription");
        comer.unsubscribe("news");
    }
    comer.subscribe(news, None, 0).expect("a first subscription");
    let own = in_short(&received(&comer));
    assert_eq!(
        own.last().map(String::as_str),
        Some("subscription_count 91"),
        "WS-124: a newcomer is told at once"
    );
    let at_once = received(&crowd[0]).len();
    assert!((1..200).contains(&at_once), "{at_once} counts of 401");
    hub.tell_changes();
    assert_eq!(in_short(&received(&crowd[0])), ["subscription_count 91"]);
    assert_eq!(in_short(&received(&comer)).last().map(String::as_str), Some("subscription_count 91"));
}

#[test]
fn an_app_with_changes_is_named_until_they_are_told() {
    let hubs = Hubs::default();
    let hub = hubs.open(&app());
    let cx = Context::from_waker(Waker::noop());
    assert!(hubs.poll_changes(&cx).is_pending());
    let _watcher = pressed(&hub);
    assert_eq!(hubs.poll_changes(&cx), Poll::Ready(vec!["1".into()]));
    assert!(hubs.poll_changes(&cx).is_pending(), "named once");
    hub.tell_changes();
    storm(&hub);
    assert_eq!(hubs.poll_changes(&cx), Poll::Ready(vec!["1".into()]));
}

#[derive(Clone, Debug)]
enum Step {
    /// A connection joins as one of few users, or leaves if the connection is on the channel.
    Toggle {
        conn: usize,
        user: usize,
        info: u64,
    },
    Publish,
    Tell,
}

const CONNS: usize = 5;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..CONNS, 0..3_usize, 0..2_u64).prop_map(|(conn, user, info)| Step::Toggle { conn, user, info }),
        1 => Just(Step::Publish),
        2 => Just(Step::Tell),
    ]
}

/// What a subscriber believes: users with their infos.
#[derive(Default)]
struct Belief(BTreeMap<String, Value>);

impl Belief {
    fn hear(&mut self, events: &[Value]) {
        for event in events {
            let id = || data(event)["user_id"].as_str().expect("a user").to_owned();
            match event["event"].as_str().expect("a name") {
                "pusher_internal:subscription_succeeded" => {
                    let hash = data(event)["presence"]["hash"].as_object().expect("an object").clone();
                    self.0 = hash.into_iter().collect();
                }
                "pusher_internal:member_added" => {
                    let before = self.0.insert(id(), data(event)["user_info"].clone());
                    assert!(before.is_none(), "added twice: {event}");
                }
                "pusher_internal:member_removed" => {
                    assert!(self.0.remove(&id()).is_some(), "removed and was not there: {event}");
                }
                _ => {}
            }
        }
    }

    fn users(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn ws_154_whatever_is_merged_rosters_and_events_add_up_to_the_truth(steps in prop::collection::vec(step(), 1..80)) {
        let hub = hub();
        let watcher = pressed(&hub);
        let mut watching = Belief::default();
        watching.0.insert("watcher".to_owned(), Value::Null);
        let mut conns: Vec<_> = (0..CONNS as u64).map(|id| (connect(&hub, id), Belief::default())).collect();
        let settle = |conns: &mut Vec<(Subscriptions, Belief)>, watching: &mut Belief| {
            hub.tell_changes();
            storm(&hub);
            publish(&hub);
            let mut truth: Vec<String> = hub.user_ids(&channel(ROOM)).iter().map(ToString::to_string).collect();
            truth.sort_unstable();
            watching.hear(&received(&watcher));
            assert_eq!(watching.users(), truth);
            for (subscriptions, belief) in conns {
                belief.hear(&received(subscriptions));
                if subscriptions.contains(ROOM) {
                    assert_eq!(belief.users(), truth);
                }
            }
        };
        for step in &steps {
            match step {
                Step::Toggle { conn, user, info } => {
                    let (subscriptions, _) = &mut conns[*conn];
                    if !subscriptions.unsubscribe(ROOM) {
                        join(subscriptions, &format!("u{user}"), *info);
                    }
                }
                Step::Publish => publish(&hub),
                Step::Tell => settle(&mut conns, &mut watching),
            }
        }
        settle(&mut conns, &mut watching);
    }
}
