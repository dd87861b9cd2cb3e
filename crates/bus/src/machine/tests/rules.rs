//! One rule at a time, where random schedules do not come by.

use fanfare_protocol::cluster::{Change, ClusterOutcome, OpenChannel, Snapshot, Telling};
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::{Kind, Kinds, Transition};

use super::bare::{Rig, channel, joined};
use super::store::{LEASE, SETTLING, Store as _};
use crate::command::{BusCommand, EntryId, Operation};
use crate::local::HookBatch;

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

fn transitions(batches: &[HookBatch]) -> Vec<Transition> {
    batches.iter().flat_map(|batch| batch.events.iter().map(|event| event.transition.clone())).collect()
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
fn cl_036_whoever_is_there_when_webhooks_are_switched_on_counts_as_told() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-a", 1);
    rig.change(
        0,
        Change::Joined(fanfare_protocol::cluster::Joined { hooked: false, ..joined("presence-a", "u1", 1) }),
    );
    let counted =
        |count| Change::Counted { channel: channel("presence-a"), count, told: Telling::Off, hooked: false };
    rig.change(0, counted(1));
    rig.pass(2_000);
    assert!(rig.nodes[0].hooks.is_empty());
    let (now, app) = (rig.now, rig.app.clone());
    let hooked = Kinds::from_iter([Kind::ChannelExistence, Kind::Presence]);
    let users = vec![joined("presence-a", "u1", 1)];
    let open =
        OpenChannel { channel: channel("presence-a"), copy: Some(1), count: 1, told: Telling::Off, users };
    rig.nodes[0].machine.reset(now, &app, Snapshot { channels: vec![open], hooked });
    rig.pass(1_000);
    rig.join(0, "presence-a", "u2", 2);
    rig.pass(1_000);
    let found = transitions(&rig.nodes[0].hooks);
    assert_eq!(found, [Transition::Joined(channel("presence-a"), UserId::from("u2"))]);
    rig.leave(0, "presence-a", "u1", 3);
    rig.pass(5_000);
    assert_eq!(
        transitions(&rig.nodes[0].hooks)[1..],
        [Transition::Left(channel("presence-a"), UserId::from("u1"))]
    );
}

#[test]
fn cl_036_webhooks_that_are_switched_on_in_a_young_epoch_tell_of_nobody_who_is_there() {
    for says_first in [false, true] {
        let mut rig = Rig::settled(2);
        let counted = |count| Change::Counted {
            channel: channel("presence-a"),
            count,
            told: Telling::Off,
            hooked: false,
        };
        // The first node sends webhooks, and has told of something; nobody hears of the other node's user.
        rig.count(0, "presence-b", 1, Telling::Off);
        rig.change(
            1,
            Change::Joined(fanfare_protocol::cluster::Joined {
                hooked: false,
                ..joined("presence-a", "u1", 1)
            }),
        );
        rig.change(1, counted(1));
        rig.pass(2_000);
        for at in [0, 1] {
            let sent: Vec<HookBatch> = std::mem::take(&mut rig.nodes[at].hooks);
            for batch in sent {
                let now = rig.now;
                rig.nodes[at].machine.hooks_sent(now, 0, &super::world::ids(&batch));
            }
        }
        rig.pass(1_000);
        rig.store.clear("r1".to_owned());
        let now = rig.now;
        for node in &mut rig.nodes {
            node.machine.lost(now, &[0]);
            node.flying.clear();
        }
        let order = if says_first { [0, 1] } else { [1, 0] };
        for at in order {
            let now = rig.now;
            rig.nodes[at].machine.connected(now, &[0]);
            rig.pass(500);
            if at == 1 {
                let hooked = Kinds::from_iter([Kind::ChannelExistence, Kind::Presence]);
                let users = vec![joined("presence-a", "u1", 1)];
                let name = channel("presence-a");
                let open = OpenChannel { channel: name, copy: Some(1), count: 1, told: Telling::Off, users };
                let (now, app) = (rig.now, rig.app.clone());
                rig.nodes[1].machine.reset(now, &app, Snapshot { channels: vec![open], hooked });
                rig.pass(500);
            }
        }
        rig.pass(SETTLING + 3_000);
        let told: Vec<Transition> = rig.nodes.iter().flat_map(|node| transitions(&node.hooks)).collect();
        assert_eq!(told, [], "the sender speaks first: {says_first}");
        rig.leave(1, "presence-a", "u1", 3);
        rig.pass(5_000);
        let told: Vec<Transition> = rig.nodes.iter().flat_map(|node| transitions(&node.hooks)).collect();
        assert_eq!(told, [Transition::Left(channel("presence-a"), UserId::from("u1"))]);
    }
}

#[test]
fn cl_036_an_adoption_without_an_answer_is_said_again() {
    let mut rig = Rig::settled(1);
    let user = joined("presence-a", "u1", 1);
    rig.change(0, Change::Joined(fanfare_protocol::cluster::Joined { hooked: false, ..user.clone() }));
    let counted =
        Change::Counted { channel: channel("presence-a"), count: 1, told: Telling::Off, hooked: false };
    rig.change(0, counted);
    rig.pass(2_000);
    let hooked = Kinds::from_iter([Kind::ChannelExistence, Kind::Presence]);
    let name = channel("presence-a");
    let open = OpenChannel { channel: name, copy: Some(1), count: 1, told: Telling::Off, users: vec![user] };
    let (now, app) = (rig.now, rig.app.clone());
    rig.nodes[0].machine.reset(now, &app, Snapshot { channels: vec![open], hooked });
    let out = rig.nodes[0].machine.take();
    let adopts = |command: &BusCommand| matches!(command, BusCommand::Apply { operations, .. } if operations.iter().any(|one| matches!(one, Operation::Adopt { .. })));
    assert!(out.commands.iter().any(|(_, command)| adopts(command)));
    // The connection is lost, and what was on its way.
    rig.nodes[0].machine.lost(now, &[0]);
    rig.nodes[0].sent.clear();
    rig.nodes[0].machine.connected(now, &[0]);
    rig.pass(500);
    assert_eq!(rig.nodes[0].sent.iter().filter(|command| adopts(command)).count(), 1);
}

#[test]
fn n10_a_new_sender_reads_what_was_told_and_what_was_not_in_parts() {
    let mut rig = Rig::settled(2);
    let sends = |rig: &Rig, at: usize| rig.nodes[at].machine.sends_hooks().count() == 1;
    let (old, new) = if sends(&rig, 0) { (0, 1) } else { (1, 0) };
    for number in 0..10 {
        rig.count(new, &format!("news-{number}"), 1, Telling::Off);
        rig.pass(20);
    }
    rig.pass(500);
    // Four of ten were sent; then the sender dies.
    let handed = std::mem::take(&mut rig.nodes[old].hooks);
    assert_eq!(transitions(&handed).len(), 10);
    let (now, sent) = (rig.now, super::world::ids(&handed[0]));
    let sent: Vec<EntryId> =
        sent.into_iter().chain(handed[1..4].iter().flat_map(super::world::ids)).collect();
    rig.nodes[old].machine.hooks_sent(now, 0, &sent);
    rig.run();
    rig.nodes.remove(old);
    rig.nodes[0].sent.clear();
    rig.pass(LEASE + 3_000);
    let count = |is_it: fn(&BusCommand) -> bool| rig.nodes[0].sent.iter().filter(|one| is_it(one)).count();
    assert_eq!(count(|one| matches!(one, BusCommand::Take { last: None, .. })), 1);
    assert_eq!(count(|one| matches!(one, BusCommand::LastEntries { .. })), 3, "six entries, three at once");
    let again: Vec<String> = transitions(&rig.nodes[0].hooks).iter().map(|one| format!("{one:?}")).collect();
    let rest: Vec<String> = transitions(&handed[4..]).iter().map(|one| format!("{one:?}")).collect();
    assert_eq!(again, rest);
    assert_eq!(rig.nodes[0].machine.numbers().hooks_taken_over, 1);
}

#[test]
fn webhooks_of_one_millisecond_and_app_are_one_group_soon_after() {
    let mut rig = Rig::settled(1);
    rig.join(0, "presence-a", "u1", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    let (now, other) = (rig.now, AppId::from("b"));
    let counted = Change::Counted { channel: channel("news"), count: 1, told: Telling::Off, hooked: true };
    rig.nodes[0].machine.change(now, &other, counted);
    rig.pass(150);
    let groups: Vec<(&str, usize)> =
        rig.nodes[0].hooks.iter().map(|batch| (batch.app.as_str(), batch.events.len())).collect();
    assert_eq!(groups, [("a", 2), ("b", 1)]);
    let time = rig.nodes[0].hooks[0].time_ms;
    assert_eq!(rig.nodes[0].hooks[1].time_ms, time);
    // Not before they were sent are they removed.
    assert!(
        rig.store.has_told(0) && !rig.nodes[0].sent.iter().any(|c| matches!(c, BusCommand::Taken { .. }))
    );
    let now = rig.now;
    rig.nodes[0].machine.hooks_sent(now, 0, &[EntryId { milliseconds: time, number: 0 }]);
    rig.run();
    let removed = rig.nodes[0].sent.iter().find_map(|command| match command {
        BusCommand::Taken { entries, .. } => Some(entries.len()),
        _ => None,
    });
    assert_eq!(removed, Some(1));
}

#[test]
fn no_more_than_a_thousand_webhooks_are_handed_over_at_once() {
    let mut rig = Rig::settled(1);
    for number in 0..1_500 {
        rig.join(0, "presence-a", &format!("u{number}"), number + 1);
        if number % 100 == 0 {
            rig.count(0, "presence-a", 1 + number as usize, Telling::Off);
            rig.pass(50);
        }
    }
    rig.pass(3_000);
    let handed = transitions(&rig.nodes[0].hooks).len();
    assert!((1_000..1_300).contains(&handed), "{handed}");
    let now = rig.now;
    for batch in std::mem::take(&mut rig.nodes[0].hooks) {
        rig.nodes[0].machine.hooks_sent(now, 0, &super::world::ids(&batch));
    }
    rig.pass(3_000);
    assert_eq!(handed + transitions(&rig.nodes[0].hooks).len(), 1_501);
}

#[test]
fn cl_032_sending_stops_with_the_lease_by_the_nodes_own_clock() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 1, Telling::Off);
    rig.pass(200);
    assert_eq!(rig.nodes[0].hooks.len(), 1);
    // Beats stay without an answer.
    rig.now += LEASE;
    let now = rig.now;
    rig.nodes[0].machine.tick(now);
    let out = rig.nodes[0].machine.take();
    assert_eq!(out.stop_hooks, [0]);
    rig.nodes[0].note(rig.now, out);
    // Cut off and back: what was not sent comes again, the same.
    let first = rig.nodes[0].hooks.pop().unwrap();
    rig.nodes[0].flying.clear();
    rig.nodes[0].machine.lost(now, &[0]);
    rig.nodes[0].machine.connected(now, &[0]);
    rig.pass(2_000);
    assert_eq!(format!("{:?}", rig.nodes[0].hooks), format!("{:?}", [first]));
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
fn n13_a_copy_is_read_again_and_a_difference_is_counted() {
    let mut rig = Rig::settled(2);
    rig.open(0, "presence-a", 1);
    rig.join(1, "presence-a", "u1", 1);
    rig.count(1, "presence-a", 1, Telling::Off);
    rig.pass(1_000);
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
