//! Schedules that were thought out, not found.

use super::bare::{Rig, channel, joined};
use super::store::{SETTLING, Store as _};
use super::world::{Fault, Mistakes, ROOMY, World};
use crate::command::{BusCommand, Operation};
use fanfare_protocol::cluster::{Change, ClusterOutcome, Joined, Telling};
use fanfare_protocol::ids::AppId;
use serde_json::value::RawValue;

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

/// A channel closes and opens again while questions wait: its roster is asked for once. An answer more would be older than a
/// change that was heard meanwhile.
pub fn closed_and_opened_again(_: u64, mistakes: &Mistakes) -> Result<(), String> {
    let mut rig = Rig::settled(2);
    rig.nodes[0].machine.core.mistakes.clone_from(&mistakes.rules);
    let name = "presence-a";
    let with = |info: &str, ticket| {
        let info = RawValue::from_string(info.to_owned()).ok();
        Change::Joined(Joined { info, ..joined(name, "u1", ticket) })
    };
    rig.open(0, "presence-b", 1);
    rig.count(1, name, 1, Telling::Off);
    rig.change(1, with("\"i0\"", 1));
    rig.pass(500);
    rig.open(0, name, 1);
    rig.change(0, Change::Closed { channel: channel(name), copy: 1 });
    for number in 0..70 {
        rig.open(0, &format!("presence-{number}"), 1);
    }
    rig.open(0, name, 2);
    let (now, out) = (rig.now, rig.nodes[0].machine.take());
    rig.nodes[0].note(now, out);
    let asks = |command: &BusCommand| {
        let BusCommand::Apply { operations, .. } = command else { return false };
        operations.iter().any(|one| matches!(one, Operation::Roster { channel } if channel.as_str() == name))
    };
    let asking = rig.nodes[0].flying.iter().enumerate().filter(|(_, (_, command))| asks(command));
    let second = asking.map(|(at, _)| at).nth(1);
    for _ in 0..second.unwrap_or(0) {
        rig.execute(0);
    }
    let question = second.and_then(|_| rig.nodes[0].flying.pop_front());
    let answer = question.map(|(token, command)| {
        let node = rig.nodes[0].name.clone();
        (token, rig.store.execute(now, &node, &command))
    });
    rig.change(1, with("\"i1\"", 2));
    rig.pass(100);
    if let Some((token, answer)) = answer {
        rig.answer(0, token, answer);
    }
    rig.pass(100);
    let last = rig.said(0).into_iter().rev().find_map(|outcome| match outcome {
        ClusterOutcome::Added { channel, info, .. } if channel.as_str() == name => info,
        ClusterOutcome::Roster { channel, users, .. } if channel.as_str() == name => {
            users.into_iter().next()?.1
        }
        _ => None,
    });
    let last = last.map(|info| info.get().to_owned());
    if last.as_deref() == Some("\"i1\"") { Ok(()) } else { Err(format!("u1 has {last:?}, in Redis i1")) }
}
