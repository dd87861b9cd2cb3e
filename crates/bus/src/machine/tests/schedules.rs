//! Random schedules, with each fault and with all.

use super::scenarios::{calm_restart, closed_and_opened_again, cut_while_reconciling, old_deltas};
use super::store::SETTLING;
use super::world::{Fault, Mistakes, World};

const ALL: [Fault; 11] = [
    Fault::Cut,
    Fault::SubscriberLost,
    Fault::Drop,
    Fault::Pause,
    Fault::Crash,
    Fault::Restart,
    Fault::Failover,
    Fault::Zombie,
    Fault::Overflow,
    Fault::Bye,
    Fault::Full,
];

/// One schedule.
pub fn run(seed: u64, faults: &[Fault], mistakes: &Mistakes) -> Result<(), String> {
    let mut world = World::new(seed, &[], mistakes);
    begin(&mut world, faults);
    go_on(&mut world)
}

/// Half of all clusters are old when the schedule begins.
pub fn begin(world: &mut World, faults: &[Fault]) {
    if world.dice.one_in(2) {
        for _ in 0..30 {
            world.step();
        }
        settle(world);
    }
    world.faults = faults.to_vec();
    world.had_faults |= !faults.is_empty();
}

/// The epoch is no longer young.
fn settle(world: &mut World) {
    for _ in 0..=SETTLING / 500 + 4 {
        world.drain();
        world.now += 500;
        for at in 0..world.nodes.len() {
            world.nodes[at].tick(world.now);
        }
    }
    world.drain();
}

/// Several nodes in service: everybody is told in one order. In a young epoch rosters are read anew, which is another way
/// to be told.
pub fn in_service(seed: u64, mistakes: &Mistakes) -> Result<(), String> {
    let mut world = World::new(seed, &[], mistakes);
    while world.nodes.len() < 2 {
        world.new_node();
    }
    settle(&mut world);
    // Nobody waits so long that they are served without the cluster's word.
    world.jumps = &[10, 50];
    go_on(&mut world)?;
    if world.had_faults { Ok(()) } else { world.check_order() }
}

pub fn go_on(world: &mut World) -> Result<(), String> {
    let steps = *world.dice.pick(&[80, 160, 320]);
    for step in 0..steps {
        if step % 25 == 0 && world.faults.contains(&Fault::Failover) {
            world.saved = world.store.save();
        }
        world.step();
        if world.crowd.wrong.is_some() {
            break;
        }
    }
    world.rest();
    world.check()
}

/// So many schedules: a fixed part that never changes, and a part that is new each time.
pub fn seeds(fixed: u64) -> impl Iterator<Item = u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let more = number("FANFARE_SCHEDULES").unwrap_or(fixed / 2);
    let first = number("FANFARE_SEED").unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos() as u64) & 0xffff_ffff
    });
    let fixed = number("FANFARE_SEED").map_or(fixed, |_| 0);
    (1..=fixed).chain(first..first + more)
}

fn all_pass(faults: &[Fault], fixed: u64) {
    for seed in seeds(fixed) {
        if let Err(wrong) = run(seed, faults, &Mistakes::default()) {
            panic!("FANFARE_SEED={seed} FANFARE_SCHEDULES=1: {faults:?}: {wrong}");
        }
    }
}

#[test]
fn schedules_without_faults_end_in_the_truth() {
    all_pass(&[], 300);
}

#[test]
fn cl_011_who_comes_and_who_goes_is_told_in_one_order_on_all_nodes() {
    for seed in seeds(600) {
        in_service(seed, &Mistakes::default())
            .unwrap_or_else(|wrong| panic!("FANFARE_SEED={seed} FANFARE_SCHEDULES=1: {wrong}"));
    }
}

#[test]
fn a_calm_restart_of_redis_tells_nobody_that_somebody_left() {
    for seed in seeds(60) {
        calm_restart(seed, &Mistakes::default()).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn n2_a_channel_that_closes_and_opens_again_asks_for_its_roster_once() {
    assert_eq!(closed_and_opened_again(1, &Mistakes::default()), Ok(()));
}

#[test]
fn a_cut_while_an_epoch_settles_loses_no_webhook() {
    for seed in seeds(60) {
        cut_while_reconciling(seed, &Mistakes::default())
            .unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn deltas_of_a_lost_epoch_change_nothing_in_the_next() {
    for seed in seeds(30) {
        old_deltas(seed, &Mistakes::default()).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn schedules_with_each_fault_alone_end_in_the_truth() {
    for fault in ALL {
        all_pass(&[fault], 60);
    }
}

#[test]
fn schedules_with_all_faults_end_in_the_truth() {
    all_pass(&ALL, 300);
}
