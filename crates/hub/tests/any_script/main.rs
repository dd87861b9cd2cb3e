//! Whatever connections do, in whichever order: one after the other it is what plain tables say, and all at
//! once every connection sees what a client can believe.

mod follower;
mod model;
mod script;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Barrier};
use std::thread;

use fanfare_hub::{AppHub, Hubs};
use proptest::prelude::*;
use serde_json::Value;

use follower::{Exclusions, Sums, Truth, follow, parsed};
use model::Model;
use script::{Actor, CHANNELS, Entry, SLOTS, Step, Trace, USERS, channel, is_presence};

/// Slots are dealt out among so many.
const THREADS: usize = 3;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ws_124_one_after_the_other_everybody_receives_what_plain_tables_say(steps in script::steps(120)) {
        let hubs = Arc::new(Hubs::default());
        let hub = hubs.open(&script::app());
        let mut actors: Vec<Actor> = (0..SLOTS).map(|slot| Actor::new(&hubs, slot)).collect();
        let mut model = Model::default();
        for (now, step) in (0..).zip(&steps) {
            let answer = actors[step.slot].act(&step.action, now);
            prop_assert_eq!(answer, model.apply(step, now), "step {}: {:?}", now, step);
            compare(&hub, &model, now);
        }
        let mut traces: Vec<Trace> = Vec::new();
        for actor in actors {
            traces.extend(actor.into_ended().0);
        }
        model.close_all();
        for trace in traces {
            let bits = trace.socket.bits();
            let client = ((bits >> 32) as usize, bits & u64::from(u32::MAX));
            let wanted = model.received.remove(&client).unwrap_or_default();
            prop_assert_eq!(by_channel(received(&trace)), by_channel(wanted), "{:?}", client);
        }
        check_that_nothing_is_left(hubs, hub);
    }

    #[test]
    fn ws_106_and_ws_125_and_ws_154_all_at_once_everybody_sees_what_a_client_can_believe(
        steps in script::steps(300),
    ) {
        let hubs = Arc::new(Hubs::default());
        let hub = hubs.open(&script::app());
        let actors = run_at_once(&hubs, &steps);
        let truth = truth(&actors);
        check_counts(&hub, &truth);
        let mut traces: Vec<Trace> = Vec::new();
        let mut published = Vec::new();
        for actor in actors {
            let (ended, by_it) = actor.into_ended();
            traces.extend(ended);
            published.extend(by_it);
        }
        let exclusions: Exclusions = published.iter().map(|(event, except, _)| (*event, *except)).collect();
        let mut sums = Sums::default();
        for trace in &traces {
            follow(trace, &exclusions, &truth, &mut sums);
        }
        let took: HashMap<_, _> =
            published.iter().filter(|(.., took)| *took > 0).map(|(event, _, took)| (*event, *took)).collect();
        prop_assert_eq!(took, sums.took, "as many as the publisher was told got each event");
        let uneven: Vec<_> = sums.steps.iter().filter(|(_, sum)| **sum != 0).collect();
        prop_assert!(uneven.is_empty(), "numbers of subscribers that were reached and not left: {:?}", uneven);
        check_that_nothing_is_left(hubs, hub);
    }
}

/// What can be asked of the hub is what the model says.
fn compare(hub: &AppHub, model: &Model, now: u64) {
    let mut occupied = (0, 0);
    for at in 0..CHANNELS.len() {
        let (name, count, members) = (channel(at), model.subscriptions(at), model.members(at));
        let counts = hub.counts(&name);
        assert_eq!((counts.subscriptions, counts.users), (count, members.len()), "{name}");
        let ids = hub.user_ids(&name);
        assert_eq!(ids.iter().map(|id| id.as_str()).collect::<BTreeSet<_>>(), members, "{name}");
        let kept = hub.cached(&name, 0).map(|cached| (parsed(&cached.frame), cached.until));
        assert_eq!(kept.as_ref().map(|(event, until)| (event, *until)), model.kept(at), "{name}");
        let is_fresh = model.kept(at).is_some_and(|(_, until)| until > now);
        assert_eq!(hub.cached(&name, now).is_some(), is_fresh, "{name}");
        occupied = (occupied.0 + usize::from(count > 0), occupied.1 + count);
    }
    assert_eq!(hub.totals(), occupied);
    assert_eq!((hub.connections(), hub.users_online()), (SLOTS, model.users_online()));
    let parks = (0..CHANNELS.len()).any(|at| model.subscriptions(at) == 0 && model.kept(at).is_some());
    assert_eq!(hub.parked_bytes() > 0, parks, "bytes are counted of what is kept for nobody");
}

fn received(trace: &Trace) -> Vec<Value> {
    let frames = trace.entries.iter().filter_map(|entry| match entry {
        Entry::Frame(frame) => Some(parsed(frame)),
        _ => None,
    });
    frames.collect()
}

/// No order is promised across channels; a connection that closes leaves its own in any (WS-106).
fn by_channel(frames: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut channels: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for frame in frames {
        channels.entry(frame["channel"].to_string()).or_default().push(frame);
    }
    channels
}

/// Runs the script with the slots dealt out among threads, to the moment when all have come to their ends.
fn run_at_once(hubs: &Arc<Hubs>, steps: &[Step]) -> Vec<Actor> {
    let start = Barrier::new(THREADS);
    let mut actors: Vec<Actor> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || {
                    let mine = |slot: usize| slot % THREADS == thread;
                    let mut actors: Vec<Actor> =
                        (0..SLOTS).filter(|slot| mine(*slot)).map(|slot| Actor::new(hubs, slot)).collect();
                    start.wait();
                    for (now, step) in (0..).zip(steps).filter(|(_, step)| mine(step.slot)) {
                        actors[step.slot / THREADS].act(&step.action, now);
                    }
                    actors
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    for actor in &mut actors {
        actor.rest();
    }
    actors
}

/// How things are by what each connection knows of itself.
fn truth(actors: &[Actor]) -> Truth {
    let mut truth = Truth::default();
    for actor in actors {
        for (at, name) in CHANNELS.iter().enumerate().filter(|(_, name)| actor.subscriptions.contains(name)) {
            truth.counts[at] += 1;
            if is_presence(at) {
                let user = actor.users[at].unwrap_or_else(|| panic!("{name} was joined as somebody"));
                truth.members[at].insert(USERS[user].to_owned());
            }
        }
        truth.online.extend(actor.subscriptions.signed_in().map(|user| user.id.to_string()));
    }
    truth
}

fn check_counts(hub: &AppHub, truth: &Truth) {
    for at in 0..CHANNELS.len() {
        let counts = hub.counts(&channel(at));
        assert_eq!(counts.subscriptions as u64, truth.counts[at]);
        assert_eq!(counts.users, truth.members[at].len());
    }
    assert_eq!((hub.connections(), hub.users_online()), (SLOTS, truth.online.len()));
}

/// When everybody has closed, only the events of cache channels stay, and those until they expire.
fn check_that_nothing_is_left(hubs: Arc<Hubs>, hub: Arc<AppHub>) {
    assert_eq!((hub.totals(), hub.connections(), hub.users_online()), ((0, 0), 0, 0));
    let kept = (0..CHANNELS.len()).any(|at| hub.cached(&channel(at), 0).is_some());
    assert_eq!(hub.parked_bytes() > 0, kept, "bytes are counted of what is kept");
    hubs.sweep(u64::MAX);
    assert_eq!(hub.parked_bytes(), 0);
    let all = format!("{hub:?}");
    for thing in ["Channel {", "Conn {", "User {", "Parked {"] {
        assert!(!all.contains(thing), "`{thing}` is left: {all}");
    }
    drop(hub);
    hubs.sweep(u64::MAX);
    assert!(hubs.all().is_empty());
}
