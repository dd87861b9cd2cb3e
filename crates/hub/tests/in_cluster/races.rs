//! Small races, each tried in thousands of orders; only with `--cfg shuttle` (`cargo xtask interleavings`).

use std::future::poll_fn;
use std::sync::Arc;

use fanfare_hub::{AppHub, Hubs, OrderedEvent, Subscriptions};
use fanfare_protocol::app::Limits;
use fanfare_protocol::cluster::{Change, ClusterOutcome, CopyId, FoundEvent, Ticket};
use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;
use shuttle::sync::Mutex;
use shuttle::{future, thread};

use crate::seen::{Seen, read};
use crate::view::View;
use crate::{Live, app, channel, connect, hubs};

/// Orders tried of each test, by each scheduler.
const ORDERS: usize = 1000;

const ROOM: &str = "presence-room";
const RATES: &str = "cache-rates";

/// Uniform chance finds likely orders; few changes of the running thread (PCT) find rare ones.
fn in_many_orders(check: fn()) {
    shuttle::check_random(check, ORDERS);
    shuttle::check_pct(check, ORDERS, 3);
}

fn node() -> (Arc<Live>, Arc<Hubs>, Arc<AppHub>) {
    let live = Live::new(true);
    let hubs = Arc::new(hubs(&live));
    let hub = hubs.open(&app());
    (live, hubs, hub)
}

fn join(client: &mut Subscriptions, user: &str) {
    let data = format!(r#"{{"user_id":"{user}"}}"#);
    let identity = Identity::parse(&data, ROOM, &Limits::default()).expect("an identity");
    client.subscribe(channel(ROOM), Some(identity), 0).expect("a first subscription");
}

fn taken(hub: &AppHub) -> Vec<Change> {
    let mut changes = Vec::new();
    while hub.take_changes(&mut changes, 3).more {}
    changes
}

fn joins(changes: &[Change]) -> Vec<(UserId, Ticket)> {
    let joined = changes.iter().filter_map(|change| match change {
        Change::Joined(joined) => Some((joined.user.clone(), joined.ticket)),
        _ => None,
    });
    joined.collect()
}

fn opened(changes: &[Change]) -> Option<CopyId> {
    changes.iter().rev().find_map(|change| match change {
        Change::Opened { copy, .. } => Some(*copy),
        _ => None,
    })
}

fn confirm(hub: &AppHub, changes: &[Change]) {
    for (user, ticket) in joins(changes) {
        hub.apply(ClusterOutcome::Confirmed { channel: channel(ROOM), user, ticket }, 0);
    }
}

fn roster(hub: &AppHub, copy: CopyId, users: &[&str]) {
    let users = users.iter().map(|user| (UserId::from(*user), None)).collect();
    hub.apply(ClusterOutcome::Roster { channel: channel(ROOM), copy, users, only_adds: false }, 0);
}

fn view(client: &Subscriptions, user: &str) -> View {
    let mut view = View::Waiting(user.to_owned());
    for seen in read(client) {
        view.see(ROOM, &seen);
    }
    view
}

fn members(view: View) -> Vec<String> {
    match view {
        View::In { members, .. } => members.into_iter().collect(),
        View::Waiting(user) => panic!("{user} waits"),
    }
}

/// A room with a watcher, whom the cluster has answered.
fn watched(hubs: &Arc<Hubs>, hub: &AppHub) -> (Subscriptions, CopyId) {
    let mut watcher = connect(hubs, 100);
    join(&mut watcher, "watcher");
    let changes = taken(hub);
    let copy = opened(&changes).expect("it is open");
    confirm(hub, &changes);
    roster(hub, copy, &["watcher"]);
    (watcher, copy)
}

#[test]
fn ws_125_the_acknowledgement_of_who_waits_comes_before_every_event() {
    in_many_orders(|| {
        let (_live, hubs, hub) = node();
        let mut client = connect(&hubs, 1);
        join(&mut client, "ann");
        let changes = taken(&hub);
        let copy = opened(&changes).expect("it is open");
        let publisher = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                for number in 0..3 {
                    let frame = QuotedEvent::new("e", number.to_string()).on(&channel(ROOM));
                    hub.deliver(&channel(ROOM), &frame, None);
                }
            })
        };
        let changing = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                let (channel, user) = (channel(ROOM), UserId::from("bob"));
                hub.apply(
                    ClusterOutcome::Added { channel: channel.clone(), copy, user: user.clone(), info: None },
                    0,
                );
                hub.apply(ClusterOutcome::Removed { channel, copy, user }, 0);
            })
        };
        confirm(&hub, &changes);
        roster(&hub, copy, &[]);
        publisher.join().expect("no panic");
        changing.join().expect("no panic");
        hub.tell_changes();
        let seen = read(&client);
        let numbers: Vec<u64> =
            seen.iter().filter(|seen| seen.event == "e").filter_map(|seen| seen.data.as_u64()).collect();
        assert!([0, 1, 2].ends_with(&numbers), "a gap: {numbers:?}");
        let mut view = View::Waiting("ann".to_owned());
        seen.iter().for_each(|seen: &Seen| view.see(ROOM, seen));
        assert_eq!(members(view), ["ann"]);
    });
}

#[test]
fn n5_a_confirmation_that_races_a_leave_and_a_return_confirms_the_right_join() {
    in_many_orders(|| {
        let (_live, hubs, hub) = node();
        let (watcher, copy) = watched(&hubs, &hub);
        let mut client = connect(&hubs, 1);
        join(&mut client, "ann");
        let first = taken(&hub);
        let cluster = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                confirm(&hub, &first);
                let (channel, user) = (channel(ROOM), UserId::from("ann"));
                hub.apply(
                    ClusterOutcome::Added { channel: channel.clone(), copy, user: user.clone(), info: None },
                    0,
                );
                let changes = taken(&hub);
                if changes.iter().any(|change| matches!(change, Change::Left { .. })) {
                    hub.apply(ClusterOutcome::Removed { channel, copy, user }, 0);
                }
                confirm(&hub, &changes);
            })
        };
        client.unsubscribe(ROOM);
        let before = read(&client);
        assert!(before.len() <= 1, "acknowledged, or not");
        join(&mut client, "ann");
        cluster.join().expect("no panic");
        let rest = taken(&hub);
        if rest.iter().any(|change| matches!(change, Change::Left { .. })) {
            let (channel, user) = (channel(ROOM), UserId::from("ann"));
            hub.apply(ClusterOutcome::Removed { channel, copy, user }, 0);
        }
        confirm(&hub, &rest);
        hub.tell_changes();
        assert_eq!(members(view(&client, "ann")), ["ann", "watcher"]);
        assert_eq!(members(view(&watcher, "watcher")), ["ann", "watcher"]);
    });
}

#[test]
fn cl_014_a_roster_that_races_joins_leaves_everybody_with_the_same() {
    in_many_orders(|| {
        let (_live, hubs, hub) = node();
        let (watcher, copy) = watched(&hubs, &hub);
        let joining: Vec<_> = ["ann", "bob"]
            .into_iter()
            .zip(1..)
            .map(|(user, id)| {
                let hubs = Arc::clone(&hubs);
                thread::spawn(move || {
                    let mut client = connect(&hubs, id);
                    join(&mut client, user);
                    client
                })
            })
            .collect();
        hub.apply(ClusterOutcome::Doubtful { channel: channel(ROOM), copy }, 0);
        let changes = taken(&hub);
        confirm(&hub, &changes);
        let known: Vec<UserId> = joins(&changes).into_iter().map(|(user, _)| user).collect();
        let mut users: Vec<&str> = known.iter().map(UserId::as_str).collect();
        users.extend(["watcher", "zoe"]);
        roster(&hub, copy, &users);
        let clients: Vec<Subscriptions> =
            joining.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        confirm(&hub, &taken(&hub));
        // Sends what was merged: here a few changes are many.
        hub.tell_changes();
        for (client, user) in clients.iter().zip(["ann", "bob"]) {
            assert_eq!(members(view(client, user)), ["ann", "bob", "watcher", "zoe"]);
        }
        assert_eq!(members(view(&watcher, "watcher")), ["ann", "bob", "watcher", "zoe"]);
    });
}

#[test]
fn cl_006_a_topic_that_closes_has_every_subscription_that_it_has_acknowledged() {
    in_many_orders(|| {
        let (live, hubs, hub) = node();
        let subscriber = thread::spawn(move || {
            let mut client = connect(&hubs, 1);
            client.subscribe(channel("news"), None, 0).expect("a first subscription");
            client
        });
        live.set(false);
        hub.settle_acknowledgements();
        let is_known = taken(&hub).iter().any(|change| matches!(change, Change::Counted { count: 1, .. }));
        let client = subscriber.join().expect("no panic");
        let is_acknowledged = !read(&client).is_empty();
        assert!(is_known || !is_acknowledged, "acknowledged, and unknown when the topic is given up");
    });
}

/// Redis: a log of events with their versions, and what is on its way to each of two nodes.
#[derive(Default)]
struct Redis {
    last: Option<(u64, &'static str)>,
    heard: [Vec<(usize, u64, &'static str)>; 2],
}

fn event(name: &str) -> fanfare_protocol::frame::Frame {
    QuotedEvent::new("e", name).on(&channel(RATES))
}

/// Passes what a node has published, and what it hears, in order; false if there was nothing.
fn pass(hub: &AppHub, at: usize, redis: &Mutex<Redis>) -> bool {
    let mut answers = Vec::new();
    let changes = taken(hub);
    let mut heard = Vec::new();
    for change in &changes {
        let mut redis = redis.lock().expect("no panic");
        match change {
            Change::Kept(kept) => {
                let named =
                    ["a1", "a2", "b1"].into_iter().find(|name| event(name).bytes() == kept.frame.bytes());
                let (name, version) =
                    (named.expect("an event"), redis.last.map_or(1, |(version, _)| version + 1));
                redis.last = Some((version, name));
                redis.heard.iter_mut().for_each(|heard| heard.push((at, version, name)));
            }
            Change::Opened { copy, .. } => answers.push((*copy, redis.last)),
            _ => {}
        }
    }
    heard.append(&mut redis.lock().expect("no panic").heard[at]);
    let had_any = !(changes.is_empty() && heard.is_empty());
    for (source, version, name) in heard {
        let (frame, is_own) = (&event(name), source == at);
        let event = OrderedEvent { version, is_own, is_quiet: false, frame, except: None, until: u64::MAX };
        hub.hear_kept(&channel(RATES), event);
    }
    for (copy, last) in answers {
        let lives = std::time::Duration::from_secs(1);
        let found = last.map(|(version, name)| FoundEvent { version, frame: event(name), lives });
        hub.apply(ClusterOutcome::Cached { channel: channel(RATES), copy, found }, 0);
    }
    had_any
}

#[test]
fn cl_042_two_publishers_of_a_cache_channel_and_newcomers_on_both_nodes() {
    in_many_orders(|| {
        let nodes = [node(), node()];
        let redis = Arc::new(Mutex::new(Redis::default()));
        let clients: Vec<Subscriptions> = thread::scope(|scope| {
            let mut subscribers = Vec::new();
            for (at, (_, hubs, hub)) in nodes.iter().enumerate() {
                let publishes: &[&str] = if at == 0 { &["a1", "a2"] } else { &["b1"] };
                scope.spawn(move || {
                    for name in publishes {
                        hub.deliver_and_keep(&channel(RATES), &event(name), None, u64::MAX);
                    }
                });
                let redis = &redis;
                scope.spawn(move || (0..3).filter(|_| pass(hub, at, redis)).count());
                subscribers.push(scope.spawn(move || {
                    let subscribe = |id: u64| {
                        let mut client = connect(hubs, id);
                        client.subscribe(channel(RATES), None, 0).expect("a first subscription");
                        client
                    };
                    [subscribe(1), subscribe(2)]
                }));
            }
            subscribers.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        while nodes.iter().enumerate().fold(false, |any, (at, (.., hub))| pass(hub, at, &redis) || any) {}
        let (_, last) = redis.lock().expect("no panic").last.expect("events were published");
        for (.., hub) in &nodes {
            let kept = hub.cached(&channel(RATES), 0).expect("something is kept");
            assert_eq!(kept.frame.bytes(), event(last).bytes());
        }
        for client in &clients {
            let seen = read(client);
            let mut got: Vec<&str> = seen.iter().filter_map(|seen| seen.data.as_str()).collect();
            assert!(got.contains(&last), "the last is {last}, and one got {got:?}");
            let count = got.len();
            got.sort_unstable();
            got.dedup();
            assert_eq!(got.len(), count, "twice");
        }
    });
}

#[test]
fn cl_062_the_last_number_of_connections_told_is_true() {
    in_many_orders(|| {
        let (_live, _hubs, hub) = node();
        let threads: Vec<_> = (0..2)
            .map(|keeps| {
                let hub = Arc::clone(&hub);
                thread::spawn(move || {
                    let place = hub.take_slot();
                    if keeps == 0 { place } else { None }
                })
            })
            .collect();
        let places: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let last = taken(&hub).into_iter().next_back();
        assert!(matches!(last, Some(Change::Counted { count: 1, .. })), "{last:?}");
        drop(places);
    });
}

#[test]
fn whoever_waits_for_changes_is_woken_for_each() {
    in_many_orders(|| {
        let (_live, hubs, hub) = node();
        let subscriber = {
            let hubs = Arc::clone(&hubs);
            thread::spawn(move || {
                for id in 0..2 {
                    let mut client = connect(&hubs, id);
                    client.subscribe(channel("news"), None, 0).expect("a first subscription");
                }
            })
        };
        let relay = future::spawn(async move {
            let mut changes = Vec::new();
            // Twice one opens, is counted, is counted out and closes.
            while changes.len() < 8 {
                poll_fn(|cx| hubs.poll_cluster_changes(cx)).await;
                while hub.take_changes(&mut changes, 1).more {}
            }
        });
        subscriber.join().expect("no panic");
        future::block_on(relay).expect("no panic");
    });
}
