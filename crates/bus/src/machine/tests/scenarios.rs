//! Schedules that were thought out, not found.

use super::store::SETTLING;
use super::world::{Fault, Mistakes, ROOMY, World};
use fanfare_protocol::ids::AppId;

/// Everybody stays, Redis comes back empty, and the nodes one after the other: nobody may be told that somebody left.
pub fn calm_restart(seed: u64, mistakes: &Mistakes) -> Result<(), String> {
    let mut world = World::new(seed, &[], mistakes);
    while world.nodes.len() < 3 {
        world.new_node();
    }
    for _ in 0..60 {
        world.step();
    }
    world.rest();
    world.crowd.is_calm = true;
    for _ in 0..2 {
        world.replace(Fault::Restart);
        let mut order: Vec<usize> = (0..world.nodes.len()).collect();
        world.dice.shuffle(&mut order);
        for at in order {
            for _ in 0..60 {
                world.act(at);
            }
            world.now += *world.dice.pick(&[100, 1_000]);
            world.nodes[at].tick(world.now);
        }
        world.rest();
    }
    world.check()
}

/// A delta kept for a roster that comes only from the next, emptied Redis, where numbers begin anew.
pub fn old_deltas(seed: u64, mistakes: &Mistakes) -> Result<(), String> {
    let mut world = World::new(seed, &[], mistakes);
    while world.nodes.len() < 2 {
        world.new_node();
    }
    let app = AppId::from("a");
    world.drain();
    for _ in 0..4 {
        let guest = world.join(1, &app, ROOMY, "u2");
        world.drain();
        world.nodes[1].hub.leave(&mut world.crowd, guest);
        world.drain();
    }
    let guest = world.join(1, &app, ROOMY, "u2");
    // The first node has the topic already.
    world.join(0, &app, ROOMY, "u1");
    world.drain();
    // A second app's roster on the way: the question never gets there.
    let other = world.join(0, &app, "presence-c", "u3");
    world.drain();
    let _ = other;
    world.nodes[0].lose_subscription(world.now);
    while world.nodes[0].to_subscribe.front().is_some() {
        world.nodes[0].subscribe();
    }
    while !world.nodes[0].heard.is_empty() {
        world.nodes[0].hear(world.now);
    }
    world.nodes[1].hub.leave(&mut world.crowd, guest);
    for _ in 0..300 {
        world.act(1);
    }
    while !world.nodes[0].heard.is_empty() {
        world.nodes[0].hear(world.now);
    }
    world.replace(Fault::Restart);
    world.join(1, &app, ROOMY, "u2");
    for _ in 0..300 {
        world.act(1);
    }
    // In a young epoch the second reading (N8) would mend it.
    for _ in 0..=SETTLING / 1_000 {
        world.now += 1_000;
        world.nodes[1].tick(world.now);
        for _ in 0..300 {
            world.act(1);
        }
    }
    world.rest();
    world.check()
}

/// An epoch settles, the first sender reads what was told and looks for what was not, and a connection is cut meanwhile.
pub fn cut_while_reconciling(seed: u64, mistakes: &Mistakes) -> Result<(), String> {
    let mut world = World::new(seed, &[], mistakes);
    for _ in 0..30 {
        world.step();
    }
    world.drain();
    for _ in 0..=SETTLING / 500 {
        world.now += 500;
        for at in 0..world.nodes.len() {
            world.nodes[at].tick(world.now);
        }
        for _ in 0..world.dice.below(60) {
            let at = world.dice.below(world.nodes.len());
            world.act(at);
        }
    }
    world.had_faults = true;
    world.fault(Fault::Cut);
    world.rest();
    world.check()
}
