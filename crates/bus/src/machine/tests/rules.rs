//! One rule at a time, where random schedules do not come by.

use fanfare_protocol::cluster::{Change, ClusterOutcome, Telling};
use fanfare_protocol::ids::UserId;

use super::bare::{Rig, channel};
use super::store::{LEASE, SETTLING, Store as _};
use crate::command::{BusCommand, Operation};

fn counts(outcomes: &[ClusterOutcome]) -> Vec<usize> {
    let count = |outcome: &ClusterOutcome| match outcome {
        ClusterOutcome::Count { count, .. } => Some(*count),
        _ => None,
    };
    outcomes.iter().filter_map(count).collect()
}

fn told(outcomes: &[ClusterOutcome]) -> Vec<usize> {
    let count = |outcome: &ClusterOutcome| match outcome {
        ClusterOutcome::CountTold { count, .. } => Some(*count),
        _ => None,
    };
    outcomes.iter().filter_map(count).collect()
}

fn serves(outcomes: &[ClusterOutcome]) -> usize {
    outcomes.iter().filter(|outcome| matches!(outcome, ClusterOutcome::Serve { .. })).count()
}

#[test]
fn a_large_roster_is_read_in_parts_with_the_changes_meanwhile() {
    let mut rig = Rig::settled(2);
    for number in 0..1_200 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
    }
    rig.count(0, "presence-a", 1_200, Telling::Off);
    rig.pass(200);
    rig.open(1, "presence-a", 7);
    let out = rig.nodes[1].machine.take();
    rig.nodes[1].note(rig.now, out);
    // The first question is answered: the roster is large. Then somebody leaves and somebody comes, while parts are read.
    while !matches!(rig.nodes[1].flying.front(), Some((_, BusCommand::RosterPart { .. }))) {
        assert!(rig.execute(1));
    }
    rig.leave(0, "presence-a", "u3", 2_000);
    rig.join(0, "presence-a", "new", 2_001);
    let out = rig.nodes[0].machine.take();
    rig.nodes[0].note(rig.now, out);
    while rig.execute(0) {}
    rig.run();
    let said = rig.said(1);
    let at = said.iter().position(|outcome| matches!(outcome, ClusterOutcome::Roster { .. })).unwrap();
    let ClusterOutcome::Roster { users, only_adds, .. } = &said[at] else { unreachable!() };
    assert!(!only_adds && (1_199..=1_201).contains(&users.len()), "{}", users.len());
    let is_left = |outcome: &ClusterOutcome| matches!(outcome, ClusterOutcome::Removed { user, .. } if user.as_str() == "u3");
    let is_new = |outcome: &ClusterOutcome| matches!(outcome, ClusterOutcome::Added { user, .. } if user.as_str() == "new");
    assert!(said[at..].iter().any(is_left) && said[at..].iter().any(is_new));
}

#[test]
fn more_changes_than_are_kept_let_the_roster_be_asked_for_again() {
    let mut rig = Rig::settled(2);
    rig.open(1, "presence-a", 7);
    // The answer stays away.
    let out = rig.nodes[1].machine.take();
    rig.nodes[1].note(rig.now, out);
    assert!(rig.nodes[1].flying.iter().any(|(_, command)| asks_roster(command)));
    rig.nodes[1].flying.clear();
    for number in 0..1_001 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
    }
    rig.count(0, "presence-a", 1_001, Telling::Off);
    rig.now += 100;
    rig.nodes[0].machine.tick(rig.now);
    let out = rig.nodes[0].machine.take();
    rig.nodes[0].note(rig.now, out);
    while rig.execute(0) {}
    assert_eq!(rig.nodes[1].flying.iter().filter(|(_, command)| asks_roster(command)).count(), 1);
    rig.run();
    let users = rig.said(1).into_iter().find_map(|outcome| match outcome {
        ClusterOutcome::Roster { users, .. } => Some(users.len()),
        _ => None,
    });
    assert_eq!(users, Some(1_001));
}

fn asks_roster(command: &BusCommand) -> bool {
    let is_roster = |operation: &Operation| matches!(operation, Operation::Roster { .. });
    matches!(command, BusCommand::Apply { operations, .. } if operations.iter().any(is_roster))
}

#[test]
fn at_most_four_batches_of_64_are_in_flight_and_a_beat_goes_before_what_waits() {
    let mut rig = Rig::settled(1);
    for number in 0..1_000 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
    }
    rig.count(0, "presence-a", 1_000, Telling::Off);
    rig.now += 2_000;
    rig.nodes[0].machine.tick(rig.now);
    let out = rig.nodes[0].machine.take();
    assert!(matches!(out.commands[0].1, BusCommand::Beat { .. }), "{:?}", out.commands[0].1);
    let sizes: Vec<usize> = out.commands.iter().filter_map(|(_, command)| size(command)).collect();
    assert_eq!(sizes.len(), 4);
    assert!(sizes.iter().all(|size| (60..=64).contains(size)), "{sizes:?}");
    assert!(!out.commands[1..].iter().any(|(_, command)| matches!(command, BusCommand::Beat { .. })));
    rig.nodes[0].note(rig.now, out);
    rig.run();
    assert_eq!(rig.store.rosters().values().map(std::collections::BTreeMap::len).sum::<usize>(), 1_000);
}

fn size(command: &BusCommand) -> Option<usize> {
    match command {
        BusCommand::Apply { operations, .. } => Some(operations.len()),
        _ => None,
    }
}

#[test]
fn too_many_leaves_that_wait_let_everything_be_announced_anew() {
    let mut rig = Rig::settled(1);
    rig.join(0, "presence-a", "stays", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    for number in 0..=100_000 {
        let user = format!("u{number}");
        rig.join(0, "presence-a", &user, 2 * number + 2);
        rig.leave(0, "presence-a", &user, 2 * number + 3);
    }
    assert_eq!(rig.nodes[0].machine.numbers().overflows, 1);
    rig.run();
    let rosters = rig.store.rosters();
    let users: Vec<_> = rosters.values().flat_map(|roster| roster.keys()).collect();
    assert_eq!(users, [&UserId::from("stays")]);
}

#[test]
fn cl_022_crowds_are_told_every_five_seconds_and_the_last_change_always() {
    let mut rig = Rig::settled(2);
    for at in 0..2 {
        rig.open(at, "news", 1);
    }
    rig.run();
    rig.count(0, "news", 60, Telling::Crowds);
    rig.pass(100);
    rig.count(1, "news", 41, Telling::Crowds);
    rig.pass(100);
    assert_eq!(counts(&rig.said(0)), [60]);
    assert_eq!(counts(&rig.said(1)), [60]);
    rig.count(1, "news", 42, Telling::Crowds);
    rig.pass(3_000);
    assert_eq!((counts(&rig.said(0)), told(&rig.said(0))), (vec![], vec![]));
    // The node whose change it was dies: the others tell what is left, of the dead node's and of the change.
    rig.nodes.truncate(1);
    rig.pass(3_000);
    assert_eq!(counts(&rig.said(0)), [102]);
    rig.pass(LEASE + 6_000);
    let said = rig.said(0);
    assert_eq!((counts(&said), told(&said)), (vec![60], vec![60]));
}

#[test]
fn cl_022_up_to_a_hundred_are_told_at_each_flush() {
    let mut rig = Rig::settled(2);
    rig.open(0, "news", 1);
    rig.open(1, "news", 1);
    rig.run();
    for count in 1..=3 {
        rig.count(0, "news", count, Telling::Crowds);
        rig.pass(100);
    }
    rig.count(0, "news", 0, Telling::Crowds);
    rig.pass(100);
    assert_eq!(counts(&rig.said(1)), [1, 2, 3, 0]);
    assert_eq!(told(&rig.said(0)), [1, 2, 3, 0]);
}

#[test]
fn cl_062_connections_are_told_to_every_node_with_the_nodes_own_part() {
    let mut rig = Rig::settled(2);
    rig.count(0, "#connections", 7, Telling::Always);
    rig.count(1, "#connections", 3, Telling::Always);
    rig.pass(200);
    rig.count(0, "#connections", 8, Telling::Always);
    rig.pass(200);
    let last = |outcomes: Vec<ClusterOutcome>| match outcomes.last() {
        Some(ClusterOutcome::Total { total, own }) => (*total, *own),
        other => panic!("{other:?}"),
    };
    assert_eq!((last(rig.said(0)), last(rig.said(1))), ((11, 8), (11, 3)));
}

#[test]
fn cl_106_a_full_redis_refuses_joins_and_takes_leaves() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-a", 1);
    rig.join(0, "presence-a", "old", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.pass(100);
    rig.said(0);
    rig.store.fill(true);
    rig.join(0, "presence-a", "new", 2);
    rig.leave(0, "presence-a", "old", 3);
    rig.run();
    assert!(serves(&rig.said(0)) > 0);
    assert!(rig.store.rosters().is_empty(), "the leave was taken");
    rig.store.fill(false);
    rig.pass(1_100);
    assert_eq!(rig.store.rosters().len(), 1);
    let is_confirmed =
        |outcome: &ClusterOutcome| matches!(outcome, ClusterOutcome::Confirmed { ticket: 2, .. });
    assert!(rig.said(0).iter().any(is_confirmed));
    assert!(rig.nodes[0].machine.numbers().refused_oom >= 1);
}

#[test]
fn cl_008_a_topic_is_left_a_minute_after_its_last_channel() {
    let mut rig = Rig::settled(1);
    rig.open(0, "news", 1);
    rig.run();
    assert_eq!((rig.nodes[0].subscribed.len(), &rig.nodes[0].live[..]), (1, &[true][..]));
    rig.change(0, Change::Closed { channel: channel("news"), copy: 1 });
    rig.pass(59_000);
    assert_eq!(rig.nodes[0].live, [true]);
    rig.pass(2_000);
    // The hub hears of it first, so that nobody is acknowledged for a topic that is not heard.
    assert_eq!((rig.nodes[0].subscribed.len(), &rig.nodes[0].live[..]), (1, &[true, false][..]));
    rig.open(0, "news", 2);
    rig.run();
    assert_eq!(rig.nodes[0].live, [true, false, true]);
    rig.change(0, Change::Closed { channel: channel("news"), copy: 2 });
    rig.pass(66_000);
    assert_eq!((rig.nodes[0].subscribed.len(), rig.nodes[0].machine.wanted().count()), (0, 0));
    rig.open(0, "news", 3);
    rig.run();
    assert_eq!((rig.nodes[0].subscribed.len(), serves(&rig.said(0)) > 0), (1, true));
}

#[test]
fn nobody_waits_longer_than_two_seconds_for_a_subscription() {
    let mut rig = Rig::settled(1);
    rig.nodes[0].subscribes = false;
    rig.open(0, "news", 1);
    rig.open(0, "presence-a", 2);
    rig.pass(1_900);
    assert_eq!(serves(&rig.said(0)), 0);
    rig.pass(200);
    assert_eq!(serves(&rig.said(0)), 2);
    rig.count(0, "news", 2, Telling::Off);
    assert_eq!(
        {
            rig.run();
            serves(&rig.said(0))
        },
        1
    );
}

#[test]
fn nobody_waits_longer_than_two_seconds_for_an_answer() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-known", 1);
    rig.run();
    rig.join(0, "presence-known", "ann", 2);
    rig.count(0, "presence-known", 1, Telling::Off);
    rig.open(0, "presence-a", 3);
    rig.open(0, "cache-a", 4);
    rig.said(0);
    // The link is up, and Redis has not come to the node's questions yet.
    let said = |rig: &mut Rig, wait| {
        rig.now += wait;
        let now = rig.now;
        rig.nodes[0].machine.tick(now);
        let out = rig.nodes[0].machine.take();
        rig.nodes[0].note(now, out);
        serves(&rig.said(0))
    };
    said(&mut rig, 0);
    assert_eq!(said(&mut rig, 1_900), 0);
    assert_eq!(said(&mut rig, 200), 3);
    // Later newcomers wait as long at most: for a roster and a kept event that still do not come, and for their joins.
    rig.join(0, "presence-known", "bob", 5);
    assert_eq!(said(&mut rig, 1_900), 0);
    assert_eq!(said(&mut rig, 200), 3);
    rig.run();
    rig.said(0);
    assert_eq!(said(&mut rig, 4_000), 0);
}

#[test]
fn cl_017_without_a_link_everybody_is_served_and_leaves_are_told_at_once() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-a", 1);
    rig.join(0, "presence-a", "u1", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.pass(100);
    let now = rig.now;
    rig.nodes[0].machine.lost(now, &[0]);
    rig.run();
    rig.said(0);
    rig.join(0, "presence-a", "u2", 2);
    rig.leave(0, "presence-a", "u1", 3);
    rig.run();
    let said = rig.said(0);
    assert!(matches!(&said[..], [ClusterOutcome::Serve { .. }, ClusterOutcome::Removed { .. }]), "{said:?}");
    assert!(!rig.nodes[0].machine.is_up(0));
}

#[test]
fn cl_070_a_node_that_says_goodbye_is_taken_away_by_others_at_once() {
    let mut rig = Rig::settled(2);
    rig.open(1, "presence-a", 1);
    rig.join(0, "presence-a", "u1", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.pass(200);
    let now = rig.now;
    rig.nodes[0].machine.end(now);
    rig.run();
    rig.nodes.remove(0);
    rig.said(0);
    rig.pass(1_300);
    assert!(rig.said(0).iter().any(|outcome| matches!(outcome, ClusterOutcome::Removed { .. })));
    assert_eq!(rig.nodes[0].machine.numbers().nodes_reaped, 1);
    assert!(rig.store.rosters().is_empty() && rig.store.totals().is_empty());
    assert_eq!(rig.nodes[0].machine.sends_hooks().count(), 1);
}

#[test]
fn n1_a_change_that_is_missed_before_the_first_answer_is_noticed() {
    let mut rig = Rig::settled(2);
    rig.open(1, "presence-a", 1);
    rig.run();
    rig.nodes[1].machine.lost(rig.now, &[0]);
    rig.nodes[1].machine.connected(rig.now, &[0]);
    // The roster is read, and its answer is on its way, when one change is lost and the next is heard.
    let mut late = Vec::new();
    let mut out = rig.nodes[1].machine.take();
    while !out.commands.iter().any(|(_, command)| asks_roster(command)) {
        rig.nodes[1].note(rig.now, out);
        assert!(rig.execute(1));
        while let Some(at) = rig.nodes[1].flying.iter().position(|(_, command)| asks_roster(command)) {
            late.extend(rig.nodes[1].flying.remove(at));
        }
        if !late.is_empty() {
            break;
        }
        out = rig.nodes[1].machine.take();
    }
    let name = rig.nodes[1].name.clone();
    let answers: Vec<_> =
        late.iter().map(|(token, command)| (*token, rig.store.execute(rig.now, &name, command))).collect();
    let subscribed = std::mem::take(&mut rig.nodes[1].subscribed);
    rig.join(0, "presence-a", "lost", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.pass_one(0, 100);
    rig.nodes[1].subscribed = subscribed;
    rig.join(0, "presence-a", "heard", 2);
    rig.pass_one(0, 100);
    for (token, answer) in answers {
        rig.answer(1, token, answer);
    }
    rig.run();
    let last = rig.said(1).into_iter().rev().find_map(|outcome| match outcome {
        ClusterOutcome::Roster { users, .. } => Some(users.len()),
        _ => None,
    });
    assert_eq!(last, Some(2));
}

#[test]
fn a_young_epoch_reads_rosters_twice() {
    let mut rig = Rig::young(1);
    rig.open(0, "presence-a", 1);
    rig.run();
    let adds = |said: Vec<ClusterOutcome>| -> Vec<bool> {
        let only_adds = |outcome: ClusterOutcome| match outcome {
            ClusterOutcome::Roster { only_adds, .. } => Some(only_adds),
            _ => None,
        };
        said.into_iter().filter_map(only_adds).collect()
    };
    assert_eq!(adds(rig.said(0)), [true]);
    rig.pass(SETTLING + 100);
    assert_eq!(adds(rig.said(0)), [false]);
}

#[test]
fn cl_020_a_question_about_numbers_is_asked_behind_the_nodes_own_part() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 5, Telling::Off);
    let (now, app) = (rig.now, rig.app.clone());
    assert!(rig.nodes[0].machine.flush(now, &app));
    let out = rig.nodes[0].machine.take();
    assert!(out.commands.iter().any(|(_, command)| size(command) == Some(1)), "{:?}", out.commands);
}
