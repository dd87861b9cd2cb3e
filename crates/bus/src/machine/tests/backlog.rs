//! Webhooks that wait: how many of them, of whom, and what comes of the rest.

use std::collections::BTreeSet;
use std::mem::take;

use fanfare_protocol::cluster::{Change, Telling};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::Transition;

use super::bare::{Rig, channel};
use super::store::WINDOW;
use super::world::ids;
use crate::local::HookBatch;
use crate::machine::sender::Clocks;

fn transitions(batches: &[HookBatch]) -> Vec<Transition> {
    batches.iter().flat_map(|batch| batch.events.iter().map(|event| event.transition.clone())).collect()
}

fn sizes(batches: &[HookBatch]) -> Vec<usize> {
    batches.iter().map(|batch| batch.events.len()).collect()
}

/// Users come, behind their channel: a channel is said before its users.
fn crowd(rig: &mut Rig, users: std::ops::Range<u64>) {
    rig.count(0, "presence-a", users.end as usize, Telling::Off);
    rig.pass(50);
    for number in users {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
    }
    rig.run();
}

/// The receivers have answered all that was handed over; returns what that was.
fn answer_all(rig: &mut Rig) -> Vec<Transition> {
    let handed = take(&mut rig.nodes[0].hooks);
    let now = rig.now;
    for batch in &handed {
        rig.nodes[0].machine.hooks_sent(now, 0, &ids(batch));
    }
    rig.run();
    transitions(&handed)
}

#[test]
fn goings_that_are_due_together_are_told_together_though_one_beat_takes_few_of_them() {
    let mut rig = Rig::settled(1);
    crowd(&mut rig, 0..20);
    rig.pass(1_000);
    assert_eq!(answer_all(&mut rig).len(), 21);
    for number in 0..20 {
        rig.leave(0, "presence-a", &format!("u{number}"), number + 100);
    }
    // The delay, a beat, and the end of a window.
    rig.pass(3_000 + 1_000 + 100);
    assert_eq!(answer_all(&mut rig).len(), 20);
}

#[test]
fn cl_032_webhooks_of_one_window_are_one_batch_whatever_is_taken_meanwhile() {
    let mut rig = Rig::settled(1);
    rig.count(0, "presence-a", 5, Telling::Off);
    rig.pass(500);
    answer_all(&mut rig);
    assert_eq!(rig.now % WINDOW, 0);
    let window = rig.now + WINDOW;
    for number in 0..4 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
        rig.run();
        rig.now += 12;
        let now = rig.now;
        rig.nodes[0].machine.tick(now);
        rig.run();
    }
    assert!(rig.nodes[0].hooks.is_empty(), "the window is not over");
    rig.now = window;
    rig.join(0, "presence-a", "u4", 5);
    rig.run();
    rig.pass(200);
    let handed: Vec<(u64, usize)> =
        rig.nodes[0].hooks.iter().map(|batch| (batch.time_ms, batch.events.len())).collect();
    assert_eq!(handed, [(window, 4), (window + WINDOW, 1)]);
}

#[test]
fn a_crowd_in_one_window_is_sent_in_parts() {
    let mut rig = Rig::settled(1);
    crowd(&mut rig, 0..1_699);
    rig.pass(500);
    assert_eq!(sizes(&rig.nodes[0].hooks), [500, 500]);
    answer_all(&mut rig);
    assert_eq!(sizes(&rig.nodes[0].hooks), [500, 200]);
    answer_all(&mut rig);
    assert_eq!(rig.store.queued(&rig.app), 0);
}

#[test]
fn an_app_whose_receivers_do_not_answer_holds_up_no_other() {
    let mut rig = Rig::settled(1);
    crowd(&mut rig, 0..5_000);
    rig.pass(500);
    let handed = rig.nodes[0].hooks.iter().map(|batch| batch.events.len()).sum::<usize>();
    assert!((1_000..1_500).contains(&handed), "{handed}");
    let (now, other) = (rig.now, AppId::from("b"));
    let counted = Change::Counted { channel: channel("news"), count: 1, told: Telling::Off, hooked: true };
    rig.nodes[0].machine.change(now, &other, counted);
    rig.pass(200);
    let last = rig.nodes[0].hooks.last().unwrap();
    assert_eq!((last.app.clone(), last.events.len()), (other, 1));
}

#[test]
fn without_room_comings_are_refused_and_whoever_is_there_later_is_told_of() {
    let mut rig = Rig::settled(1);
    rig.store = take(&mut rig.store).bounded(8_000);
    let name = |number: usize| format!("news-{number}");
    for number in 0..100 {
        rig.count(0, &name(number), 1, Telling::Off);
    }
    rig.pass(1_000);
    let most = 8_000 / 4 / 128;
    let first = take(&mut rig.nodes[0].hooks);
    let told = transitions(&first);
    assert!((10..=most + 1).contains(&told.len()), "{}", told.len());
    // The bound is the app's alone.
    let (now, other) = (rig.now, AppId::from("b"));
    let counted = Change::Counted { channel: channel("news"), count: 1, told: Telling::Off, hooked: true };
    rig.nodes[0].machine.change(now, &other, counted);
    rig.pass(1_000);
    assert_eq!(sizes(&take(&mut rig.nodes[0].hooks)), [1]);
    let refused = 100 - told.len() as u64;
    assert_eq!(rig.nodes[0].machine.numbers().hooks_refused, refused);
    // Flapping needs no room, and whoever was not told of goes without a word.
    for _ in 0..3 {
        for number in 50..100 {
            rig.count(0, &name(number), 0, Telling::Off);
            rig.pass(50);
            rig.count(0, &name(number), usize::from(number < 75), Telling::Off);
        }
    }
    rig.pass(5_000);
    assert!(rig.nodes[0].hooks.is_empty() && rig.store.queued(&rig.app) == told.len());
    // There is room again.
    rig.nodes[0].hooks = first;
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend(answer_all(&mut rig));
        rig.pass(1_100);
    }
    let there: BTreeSet<String> =
        (0..75).map(|number| format!("{:?}", Transition::Occupied(channel(&name(number))))).collect();
    let said: BTreeSet<String> = all.iter().map(|one| format!("{one:?}")).collect();
    assert_eq!((said, all.len()), (there, 75));
}

#[test]
fn hook_022_the_age_of_a_webhook_is_by_the_clock_of_redis_and_begins_with_the_epoch() {
    let clocks = Clocks { here: 1_000, redis: 90_000, born: 50_000 };
    assert_eq!(clocks.age(1_500, 80_000), 10_500);
    assert_eq!(clocks.age(1_000, 20_000), 40_000, "what is older is of another clock");
    assert_eq!(clocks.age(1_000, 99_000), 0);
}
