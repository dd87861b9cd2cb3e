//! All at once: the slots are dealt out among threads, and every connection must see what a client can believe.
//!
//! In a plain build the threads are real ones; with `--cfg shuttle` a scheduler tries many orders of each script.

use std::collections::HashMap;
use std::sync::Arc;
#[cfg(not(shuttle))]
use std::{sync::Barrier, thread};

use fanfare_hub::{AppHub, Dialect, Hubs};
use proptest::prelude::*;
#[cfg(shuttle)]
use shuttle::{sync::Barrier, thread};

use crate::check_that_nothing_is_left;
use crate::follower::{Exclusions, Sums, Truth, follow};
use crate::script::{
    self, Action, Actor, CHANNELS, SLOTS, Step, Trace, USERS, channel, dialect, has_counts, is_cached,
    is_presence,
};
use crate::told::Told;

/// Threads that the slots are dealt out among.
const THREADS: usize = 3;

/// Steps of a concurrent script; few where each script is tried in many orders.
const LONGEST: usize = if cfg!(shuttle) { 60 } else { 400 };

#[cfg(shuttle)]
const ORDERS: usize = 10;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hook_012_and_ws_106_and_ws_125_and_ws_154_all_at_once_everybody_sees_what_a_client_can_believe(
        steps in script::steps(LONGEST),
        seed in any::<u64>(),
    ) {
        in_many_orders(seed, move || check_at_once(&steps));
    }
}

/// Runs once, in the order that the threads of this machine happen to take.
#[cfg(not(shuttle))]
fn in_many_orders(_: u64, check: impl Fn()) {
    check();
}

/// Runs in orders drawn at every lock; the same orders for the same seed.
#[cfg(shuttle)]
fn in_many_orders(seed: u64, check: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(seed, ORDERS);
    shuttle::Runner::new(scheduler, config).run(check);
}

fn check_at_once(steps: &[Step]) {
    let steps = &steps.iter().map(as_its_dialect_allows).collect::<Vec<_>>();
    let hubs = Arc::new(Hubs::default());
    let hub = hubs.open(&script::app());
    let actors = run_at_once(&hubs, steps);
    let truth = truth(&actors);
    check_counts(&hub, &truth);
    let mut told = Told::default();
    told.take(&hub);
    told.compare(&hub);
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
    let reached = published.iter().filter(|(.., took)| *took > 0).map(|(event, _, took)| (*event, *took));
    assert_eq!(
        reached.collect::<HashMap<_, _>>(),
        sums.took,
        "as many as its publisher was told got each event"
    );
    // Where counts are merged, not every number is sent.
    let uneven: Vec<_> = sums.steps.iter().filter(|(_, sum)| **sum != 0).collect();
    assert!(
        cfg!(shuttle) || uneven.is_empty(),
        "numbers of subscribers that were reached and not left: {uneven:?}"
    );
    check_that_nothing_is_left(hubs, hub, told);
}

/// The same step, but that clients of Socket.IO join neither cache channels, where no frame says whether the first event is
/// a kept one, nor channels with counts, which they are not told.
fn as_its_dialect_allows(step: &Step) -> Step {
    let mut step = step.clone();
    if let Action::Join { channel, .. } = &mut step.action
        && dialect(step.slot) == Dialect::SocketIo
        && (is_cached(*channel) || has_counts(*channel))
    {
        let is_like = |other: &usize| is_presence(*other) == is_presence(*channel);
        let is_plain = |other: &usize| !is_cached(*other) && !has_counts(*other);
        *channel = (0..CHANNELS.len()).filter(is_plain).find(is_like).expect("one of each kind");
    }
    step
}

/// Runs the script with the slots dealt out among threads, until all threads have ended.
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
    // Sends what was merged under load.
    hubs.open(&script::app()).tell_changes();
    for actor in &mut actors {
        actor.rest();
    }
    actors
}

/// The state by what each connection knows of itself.
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
