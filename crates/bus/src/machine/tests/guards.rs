//! What comes late, twice, or too early, one case at a time: a rule's guard is what is tested.

use fanfare_protocol::cluster::{Change, ClusterOutcome, Joined, Telling};

use super::bare::{Rig, joined};
use super::store::{LEASE, SETTLING, Store as _};
use crate::command::{BusAnswer, BusCommand, Failure, Operation, Token};

/// The operations that a node has sent, in a letter each.
fn letters(rig: &Rig, at: usize) -> String {
    let operations = rig.nodes[at].sent.iter().flat_map(|command| match command {
        BusCommand::Apply { operations, .. } => &operations[..],
        _ => &[],
    });
    let letter = |operation: &Operation| match operation {
        Operation::Join { most: None, .. } => 'j',
        Operation::Join { .. } => 'J',
        Operation::Leave { .. } => 'L',
        Operation::Count { .. } => 'C',
        Operation::LeaveOld { .. } => 'X',
        Operation::Roster { .. } => 'S',
        _ => '?',
    };
    operations.map(letter).collect()
}

/// Lets a node say what it has to say, without an answer.
fn speak(rig: &mut Rig, at: usize) {
    let out = rig.nodes[at].machine.take();
    rig.nodes[at].note(rig.now, out);
}

/// Executes what a node has said; the answers stay away.
fn execute_all(rig: &mut Rig, at: usize) -> Vec<(Token, BusAnswer)> {
    speak(rig, at);
    let name = rig.nodes[at].name.clone();
    let flying = std::mem::take(&mut rig.nodes[at].flying);
    flying.into_iter().map(|(token, command)| (token, rig.store.execute(rig.now, &name, &command))).collect()
}

fn rosters(said: &[ClusterOutcome]) -> Vec<usize> {
    let users = |outcome: &ClusterOutcome| match outcome {
        ClusterOutcome::Roster { users, .. } => Some(users.len()),
        _ => None,
    };
    said.iter().filter_map(users).collect()
}

#[test]
fn a_join_that_is_known_is_not_said_again_and_an_older_leave_is_none() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-a", 1);
    rig.join(0, "presence-a", "ann", 5);
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.run();
    rig.nodes[0].sent.clear();
    // As a snapshot tells once more, with what was taken before it behind it.
    rig.join(0, "presence-a", "ann", 5);
    rig.leave(0, "presence-a", "ann", 4);
    rig.leave(0, "presence-a", "ann", 5);
    rig.run();
    assert_eq!(letters(&rig, 0), "");
    rig.leave(0, "presence-a", "ann", 6);
    rig.run();
    assert_eq!(letters(&rig, 0), "L");
}

#[test]
fn cl_016_who_was_let_in_while_the_cluster_refused_is_said_again_without_a_limit() {
    let mut rig = Rig::settled(2);
    rig.join(1, "presence-a", "bob", 1);
    rig.count(1, "presence-a", 1, Telling::Off);
    rig.run();
    rig.nodes[0].subscribes = false;
    rig.open(0, "presence-a", 1);
    rig.change(0, Change::Joined(Joined { most: Some(1), ..joined("presence-a", "ann", 2) }));
    rig.count(0, "presence-a", 1, Telling::Off);
    let answers = execute_all(&mut rig, 0);
    assert_eq!(letters(&rig, 0), "CJ");
    // Nobody waits longer than two seconds for a subscription.
    rig.now += 2_000;
    let now = rig.now;
    rig.nodes[0].machine.tick(now);
    speak(&mut rig, 0);
    assert!(rig.said(0).iter().any(|outcome| matches!(outcome, ClusterOutcome::Serve { .. })));
    for (token, answer) in answers {
        rig.answer(0, token, answer);
    }
    rig.run();
    assert_eq!(letters(&rig, 0), "CJj");
    let said = rig.said(0);
    assert!(!said.iter().any(|outcome| matches!(outcome, ClusterOutcome::Refused { .. })), "{said:?}");
    assert!(said.iter().any(|outcome| matches!(outcome, ClusterOutcome::Confirmed { .. })), "{said:?}");
}

#[test]
fn n1_one_change_that_is_missed_is_noticed_at_the_next() {
    let mut rig = Rig::settled(2);
    rig.open(1, "presence-a", 1);
    rig.count(0, "presence-a", 3, Telling::Off);
    rig.join(0, "presence-a", "ann", 1);
    rig.run();
    rig.said(1);
    let subscribed = std::mem::take(&mut rig.nodes[1].subscribed);
    rig.join(0, "presence-a", "lost", 2);
    rig.run();
    rig.nodes[1].subscribed = subscribed;
    rig.join(0, "presence-a", "heard", 3);
    rig.run();
    assert_eq!(rig.nodes[1].machine.numbers().gaps, 1);
    assert_eq!(rosters(&rig.said(1)), [3]);
}

#[test]
fn n2_a_large_roster_that_is_asked_for_again_while_it_is_read_is_read_anew() {
    let mut rig = Rig::settled(2);
    rig.count(0, "presence-a", 1_200, Telling::Off);
    for number in 0..1_200 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
    }
    rig.pass(200);
    rig.open(1, "presence-a", 7);
    speak(&mut rig, 1);
    while !matches!(rig.nodes[1].flying.front(), Some((_, BusCommand::RosterPart { .. }))) {
        assert!(rig.execute(1));
    }
    assert!(rig.execute(1), "the first part");
    // Something may have been missed.
    let topics: Vec<_> = rig.nodes[1].subscribed.iter().cloned().collect();
    let now = rig.now;
    rig.nodes[1].machine.subscription_lost(now, &[0]);
    rig.nodes[1].machine.subscribed(now, &topics);
    rig.said(1);
    rig.run();
    assert_eq!(rosters(&rig.said(1)), [1_200]);
}

#[test]
fn n10_who_sends_again_after_another_has_sent_takes_everything_anew() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 1, Telling::Off);
    rig.pass(200);
    assert_eq!(rig.nodes[0].hooks.len(), 1);
    // Another was the sender meanwhile, and is gone before this node's next beat.
    let takes_all = |rig: &Rig| {
        let is_first = |command: &&BusCommand| matches!(command, BusCommand::Take { last: None, .. });
        rig.nodes[0].sent.iter().filter(is_first).count()
    };
    rig.nodes[0].sent.clear();
    let name = rig.nodes[0].name.clone();
    let take = BusCommand::Take { partition: 0, generation: 1, last: None };
    rig.store.execute(rig.now, &name, &take);
    rig.pass(2_000);
    assert_eq!((takes_all(&rig), rig.nodes[0].stopped.clone()), (1, vec![0]));
}

#[test]
fn n11_what_was_handed_over_and_never_sent_is_not_stated_as_told() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 1, Telling::Off);
    rig.pass(200);
    let sent = rig.nodes[0].hooks[0].clone();
    let entry = crate::command::EntryId { milliseconds: sent.time_ms, number: sent.events[0].number };
    rig.nodes[0].machine.hooks_sent(rig.now, 0, &[entry]);
    rig.count(0, "other", 1, Telling::Off);
    rig.pass(200);
    assert_eq!(rig.nodes[0].hooks.len(), 2, "the second is under way");
    // The lease runs out, and Redis comes back with nothing.
    rig.nodes[0].machine.lost(rig.now, &[0]);
    rig.now += LEASE;
    let now = rig.now;
    rig.nodes[0].machine.tick(now);
    rig.store.clear("r1".to_owned());
    rig.nodes[0].flying.clear();
    rig.nodes[0].sent.clear();
    rig.nodes[0].machine.connected(now, &[0]);
    rig.run();
    let told: Vec<String> = rig.nodes[0]
        .sent
        .iter()
        .filter_map(|command| match command {
            BusCommand::Told { subjects, .. } => Some(subjects),
            _ => None,
        })
        .flatten()
        .map(|subject| subject.channel.as_str().to_owned())
        .collect();
    assert_eq!(told, ["news"]);
}

#[test]
fn cl_032_a_millisecond_with_more_entries_than_are_taken_at_once_is_one_group() {
    let mut rig = Rig::settled(1);
    for number in 0..150 {
        rig.count(0, &format!("news-{number}"), 1, Telling::Off);
    }
    rig.pass(500);
    let sizes: Vec<usize> = rig.nodes[0].hooks.iter().map(|batch| batch.events.len()).collect();
    assert_eq!(sizes, [150]);
}

#[test]
fn cl_022_an_answer_that_is_older_than_a_number_that_was_heard_tells_nothing() {
    let mut rig = Rig::settled(2);
    for at in 0..2 {
        rig.open(at, "news", 1);
        rig.count(at, "news", 1, Telling::Crowds);
    }
    rig.pass(200);
    // One has come on the first node and another has gone: newcomers are told. The answer is late.
    rig.count(0, "news", 1, Telling::Crowds);
    rig.now += 100;
    let now = rig.now;
    rig.nodes[0].machine.tick(now);
    let answers = execute_all(&mut rig, 0);
    rig.count(1, "news", 2, Telling::Crowds);
    rig.run();
    rig.said(0);
    let counts = |rig: &mut Rig| {
        let said = rig.said(0);
        said.iter().filter(|outcome| matches!(outcome, ClusterOutcome::Count { .. })).count()
    };
    for (token, answer) in answers {
        rig.answer(0, token, answer);
    }
    assert_eq!(counts(&mut rig), 0);
}

#[test]
fn n6_rosters_are_asked_for_behind_everything_that_is_announced_and_behind_the_sweep() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-a", 1);
    rig.count(0, "presence-a", 150, Telling::Off);
    for number in 0..150 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 2);
    }
    rig.run();
    let now = rig.now;
    rig.nodes[0].machine.lost(now, &[0]);
    for number in 0..10 {
        rig.leave(0, "presence-a", &format!("u{number}"), number + 1_000);
    }
    rig.nodes[0].sent.clear();
    rig.nodes[0].machine.connected(now, &[0]);
    rig.run();
    let said = letters(&rig, 0);
    let (announced, swept) = (said.rfind('j'), said.rfind('X'));
    assert!(announced.is_some() && swept.is_some(), "{said}");
    assert!(said.find('S') > announced && said.find('S') > swept, "{said}");
    assert_eq!(rig.store.rosters().values().map(|users| users.len()).sum::<usize>(), 140);
}

#[test]
fn n8_a_roster_that_was_asked_for_a_moment_too_early_is_asked_for_again() {
    let mut rig = Rig::young(1);
    rig.open(0, "presence-a", 1);
    rig.run();
    rig.said(0);
    // The node's clock is a moment ahead of the one of Redis.
    let end = rig.now + SETTLING;
    while rosters(&rig.said(0)).is_empty() && rig.now < end + 100 {
        rig.now += 1;
        let now = rig.now;
        rig.nodes[0].machine.tick(now);
        speak(&mut rig, 0);
        while let Some((token, command)) = rig.nodes[0].flying.pop_front() {
            let name = rig.nodes[0].name.clone();
            let answer = rig.store.execute(now.min(end - 1), &name, &command);
            rig.nodes[0].machine.answered(now, token, answer);
            speak(&mut rig, 0);
        }
    }
    rig.pass(100);
    let said = rig.said(0);
    let is_whole =
        |outcome: &ClusterOutcome| matches!(outcome, ClusterOutcome::Roster { only_adds: false, .. });
    assert!(said.iter().any(is_whole), "{said:?}");
}

/// The reads of kept events that a node has sent.
fn reads(rig: &Rig, at: usize) -> usize {
    rig.nodes[at].sent.iter().filter(|command| matches!(command, BusCommand::Read { .. })).count()
}

#[test]
fn n12_what_is_kept_is_read_under_the_subscription_and_again_after_anything_was_missed() {
    let mut rig = Rig::settled(2);
    rig.nodes[0].subscribes = false;
    rig.open(0, "cache-a", 1);
    rig.run();
    assert_eq!(reads(&rig, 0), 0, "an event between the read and the subscription would be missed");
    let topics: Vec<_> = rig.nodes[0].machine.wanted().collect();
    rig.nodes[0].subscribed.extend(topics.clone());
    let now = rig.now;
    rig.nodes[0].machine.subscribed(now, &topics);
    rig.run();
    assert_eq!(reads(&rig, 0), 1);
    // A delta of the topic is missed, and the next one is heard.
    rig.join(1, "presence-b", "ann", 1);
    rig.count(1, "presence-b", 1, Telling::Off);
    rig.run();
    rig.said(0);
    let subscribed = std::mem::take(&mut rig.nodes[0].subscribed);
    rig.join(1, "presence-b", "lost", 2);
    rig.run();
    rig.nodes[0].subscribed = subscribed;
    rig.join(1, "presence-b", "heard", 3);
    rig.run();
    assert_eq!(reads(&rig, 0), 2);
    let lost = |outcome: &ClusterOutcome| matches!(outcome, ClusterOutcome::CacheLost { .. });
    assert!(rig.said(0).iter().any(lost), "own events that were under way may not come back");
}

#[test]
fn n9_a_dead_node_with_more_rows_than_are_read_at_once_is_taken_away_whole() {
    let mut rig = Rig::settled(2);
    rig.count(1, "presence-a", 1_200, Telling::Off);
    for number in 0..1_200 {
        rig.join(1, "presence-a", &format!("u{number}"), number + 1);
    }
    rig.pass(200);
    assert_eq!(rig.store.rosters().values().map(|users| users.len()).sum::<usize>(), 1_200);
    let is_there = |rig: &mut Rig| rig.store.rosters().values().any(|users| !users.is_empty());
    for _ in 0..40 {
        rig.pass_one(0, 250);
    }
    assert!(!is_there(&mut rig));
    assert_eq!(rig.nodes[0].machine.numbers().nodes_reaped, 1);
}

#[test]
fn cl_104_nobody_is_taken_away_because_redis_was_silent_for_longer_than_a_lease() {
    let mut rig = Rig::settled(2);
    for at in 0..2 {
        rig.open(at, "presence-a", 1);
        rig.join(at, "presence-a", ["ann", "bob"][at], 2);
        rig.count(at, "presence-a", 1, Telling::Off);
    }
    rig.pass(200);
    rig.said(0);
    // One node beats as soon as Redis answers again, the other has to connect first.
    rig.now += LEASE + 1_000;
    rig.pass_one(0, 0);
    rig.pass_one(0, 1_500);
    rig.pass(3_000);
    let is_gone = |outcome: &ClusterOutcome| matches!(outcome, ClusterOutcome::Removed { .. });
    assert!(!rig.said(0).iter().any(is_gone));
    // A node that is truly gone is found out once somebody is known to have been heard.
    for _ in 0..30 {
        rig.pass_one(0, 250);
    }
    assert!(rig.said(0).iter().any(is_gone));
}

#[test]
fn n9_a_question_about_a_dead_node_that_fails_is_asked_again() {
    let mut rig = Rig::settled(2);
    rig.join(1, "presence-a", "ann", 1);
    rig.count(1, "presence-a", 1, Telling::Off);
    rig.run();
    let mut failures = 0;
    for _ in 0..60 {
        rig.now += 250;
        let now = rig.now;
        rig.nodes[0].machine.tick(now);
        speak(&mut rig, 0);
        while let Some((token, command)) = rig.nodes[0].flying.front().cloned() {
            if matches!(command, BusCommand::Rows { .. }) && failures < 2 {
                failures += 1;
                rig.nodes[0].flying.pop_front();
                rig.answer(0, token, BusAnswer::Failed(Failure::Other));
            } else {
                rig.execute(0);
            }
        }
    }
    assert_eq!((failures, rig.nodes[0].machine.numbers().nodes_reaped), (2, 1));
    assert!(rig.store.rosters().values().all(|users| users.is_empty()));
}

#[test]
fn cl_022_a_number_that_is_heard_while_it_is_asked_for_is_told_once() {
    let mut rig = Rig::settled(1);
    rig.nodes[0].subscribes = false;
    rig.open(0, "news", 1);
    rig.count(0, "news", 1, Telling::Crowds);
    // The number is told to all nodes just when the topic is subscribed to.
    let topics: Vec<_> = rig.nodes[0].machine.wanted().collect();
    rig.nodes[0].subscribed.extend(topics.clone());
    speak(&mut rig, 0);
    let now = rig.now;
    rig.nodes[0].machine.subscribed(now, &topics);
    rig.run();
    let said = rig.said(0);
    let is_count = |outcome: &&ClusterOutcome| matches!(outcome, ClusterOutcome::Count { count: 1, .. });
    assert_eq!(said.iter().filter(is_count).count(), 1, "{said:?}");
}
