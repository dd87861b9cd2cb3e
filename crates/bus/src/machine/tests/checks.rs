//! Copies of rosters that are read again for safety (N13): what is counted as wrong, and what is not.

use fanfare_protocol::cluster::{ClusterOutcome, Telling};

use super::bare::{Rig, channel};
use crate::command::{BusCommand, Operation};

/// The first node has a copy of the roster of a user who is on the second.
fn with_a_copy() -> Rig {
    let mut rig = Rig::settled(2);
    rig.open(0, "presence-a", 1);
    rig.join(1, "presence-a", "u1", 1);
    rig.count(1, "presence-a", 1, Telling::Off);
    rig.pass(1_000);
    rig
}

#[test]
fn n13_a_copy_is_read_again_and_a_difference_is_counted() {
    let mut rig = with_a_copy();
    rig.said(0);
    rig.pass(301_000);
    let rosters =
        |said: &[ClusterOutcome]| said.iter().filter(|o| matches!(o, ClusterOutcome::Roster { .. })).count();
    assert_eq!(rosters(&rig.said(0)), 1);
    assert_eq!(rig.nodes[0].machine.numbers().rosters_mended, 0);
    // A user who was added by no script.
    rig.store.meddle(&rig.app, "presence-a", "ghost");
    rig.pass(301_000);
    assert_eq!((rosters(&rig.said(0)), rig.nodes[0].machine.numbers().rosters_mended), (1, 1));
}

/// Lets time pass until the first node asks for the roster, and leaves the question where it is.
fn until_asked(rig: &mut Rig) {
    let asks = |(_, command): &(_, BusCommand)| {
        let BusCommand::Apply { operations, .. } = command else { return false };
        operations.iter().any(|operation| matches!(operation, Operation::Roster { .. }))
    };
    loop {
        rig.now += 50;
        for at in [0, 1] {
            rig.nodes[at].machine.tick(rig.now);
        }
        let out = rig.nodes[0].machine.take();
        rig.nodes[0].note(rig.now, out);
        if rig.nodes[0].flying.iter().any(asks) {
            return;
        }
        rig.run();
    }
}

/// The second node says what has changed there, and Redis executes that before anything else.
fn at_once(rig: &mut Rig) {
    let out = rig.nodes[1].machine.take();
    rig.nodes[1].note(rig.now, out);
    while rig.execute(1) {}
}

#[test]
fn n13_a_change_that_comes_while_a_copy_is_read_again_is_counted_once() {
    let mut rig = with_a_copy();
    until_asked(&mut rig);
    rig.join(1, "presence-a", "u2", 2);
    at_once(&mut rig);
    rig.run();
    assert_eq!(rig.nodes[0].machine.numbers().rosters_mended, 0);
    rig.store.meddle(&rig.app, "presence-a", "ghost");
    until_asked(&mut rig);
    rig.leave(1, "presence-a", "u1", 3);
    at_once(&mut rig);
    rig.run();
    assert_eq!(rig.nodes[0].machine.numbers().rosters_mended, 1);
    let said = std::mem::take(&mut rig.nodes[0].mended);
    assert_eq!(said, [channel("presence-a")], "whoever looks into it is told where");
}

#[test]
fn n13_a_roster_that_was_read_in_parts_while_users_came_is_not_taken_for_a_wrong_one() {
    let mut rig = Rig::settled(2);
    rig.count(1, "presence-a", 1_100, Telling::Off);
    for number in 0..1_100 {
        rig.join(1, "presence-a", &format!("u{number:04}"), number + 1);
    }
    rig.pass(1_000);
    rig.open(0, "presence-a", 1);
    until_asked(&mut rig);
    while !rig.nodes[0].sent.iter().any(|command| matches!(command, BusCommand::RosterPart { .. })) {
        assert!(rig.execute(0));
    }
    rig.join(1, "presence-a", "v", 2_000);
    at_once(&mut rig);
    rig.run();
    // The next reading is of few enough to be one answer.
    for number in 0..200 {
        rig.leave(1, "presence-a", &format!("u{number:04}"), 3_000 + number);
    }
    rig.pass(301_000);
    assert_eq!(rig.nodes[0].machine.numbers().rosters_mended, 0);
}
