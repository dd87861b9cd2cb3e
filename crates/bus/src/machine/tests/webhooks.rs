//! Webhooks: what the sender hands over, what a new sender finds, and who counts as told.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, Joined, OpenChannel, Snapshot, Telling};
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::{Kind, Kinds, Transition};

use super::bare::{Rig, channel, joined};
use super::store::{LEASE, SETTLING, Store as _};
use super::world::ids;
use crate::command::{BusCommand, EntryId, Operation};
use crate::local::HookBatch;

fn transitions(batches: &[HookBatch]) -> Vec<Transition> {
    batches.iter().flat_map(|batch| batch.events.iter().map(|event| event.transition.clone())).collect()
}

#[test]
fn cl_036_whoever_is_there_when_webhooks_are_switched_on_counts_as_told() {
    let mut rig = Rig::settled(1);
    rig.open(0, "presence-a", 1);
    rig.change(0, Change::Joined(Joined { hooked: false, ..joined("presence-a", "u1", 1) }));
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
    rig.nodes[0].machine.reset(now, &app, Snapshot { channels: vec![open], hooked, has_gap: false });
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
fn hook_027_and_cl_036_users_who_are_online_when_their_webhooks_are_switched_on_count_as_told() {
    let mut rig = Rig::settled(1);
    let user = |name: &str| UserId::from(name);
    let hidden = |name: &str| ChannelName::online(&user(name));
    let online = |name: &str, ticket| Joined::online(&user(name), 7, ticket, ticket > 1);
    let counted = |name: &str, count| {
        let (channel, told) = (hidden(name), Telling::Off);
        Change::Counted { channel, count, told, hooked: false }
    };
    rig.change(0, Change::Joined(online("u1", 1)));
    rig.change(0, counted("u1", 1));
    rig.pass(2_000);
    let (now, app) = (rig.now, rig.app.clone());
    let users = vec![online("u1", 1)];
    let open = OpenChannel { channel: hidden("u1"), copy: None, count: 1, told: Telling::Off, users };
    let hooked = Kinds::from_iter([Kind::Users]);
    rig.nodes[0].machine.reset(now, &app, Snapshot { channels: vec![open], hooked, has_gap: false });
    rig.pass(1_000);
    assert!(rig.nodes[0].hooks.is_empty());
    rig.change(0, Change::Joined(online("u2", 2)));
    rig.change(0, counted("u2", 1));
    // Whoever is on a presence channel is no business of these webhooks.
    rig.change(0, Change::Joined(Joined { hooked: false, ..joined("presence-a", "u3", 3) }));
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.pass(1_000);
    rig.change(0, Change::Left { channel: hidden("u1"), user: user("u1"), ticket: 4 });
    rig.change(0, counted("u1", 0));
    rig.pass(5_000);
    let found: Vec<Transition> = transitions(&rig.nodes[0].hooks)
        .into_iter()
        .filter(|one| one.kind() != Kind::ChannelExistence)
        .collect();
    let wanted = [Transition::Joined(hidden("u2"), user("u2")), Transition::Left(hidden("u1"), user("u1"))];
    assert_eq!(found, wanted);
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
        rig.change(1, Change::Joined(Joined { hooked: false, ..joined("presence-a", "u1", 1) }));
        rig.change(1, counted(1));
        rig.pass(2_000);
        for at in [0, 1] {
            let sent: Vec<HookBatch> = std::mem::take(&mut rig.nodes[at].hooks);
            for batch in sent {
                let now = rig.now;
                rig.nodes[at].machine.hooks_sent(now, 0, &ids(&batch));
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
                rig.nodes[1].machine.reset(
                    now,
                    &app,
                    Snapshot { channels: vec![open], hooked, has_gap: false },
                );
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
    rig.change(0, Change::Joined(Joined { hooked: false, ..user.clone() }));
    let counted =
        Change::Counted { channel: channel("presence-a"), count: 1, told: Telling::Off, hooked: false };
    rig.change(0, counted);
    rig.pass(2_000);
    let hooked = Kinds::from_iter([Kind::ChannelExistence, Kind::Presence]);
    let name = channel("presence-a");
    let open = OpenChannel { channel: name, copy: Some(1), count: 1, told: Telling::Off, users: vec![user] };
    let (now, app) = (rig.now, rig.app.clone());
    rig.nodes[0].machine.reset(now, &app, Snapshot { channels: vec![open], hooked, has_gap: false });
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
        rig.pass(60);
    }
    rig.pass(500);
    // Four of ten were sent; then the sender dies.
    let handed = std::mem::take(&mut rig.nodes[old].hooks);
    assert_eq!(transitions(&handed).len(), 10);
    let (now, sent) = (rig.now, ids(&handed[0]));
    let sent: Vec<EntryId> = sent.into_iter().chain(handed[1..4].iter().flat_map(ids)).collect();
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
fn webhooks_of_one_window_and_app_are_one_group_soon_after() {
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
        rig.nodes[0].machine.hooks_sent(now, 0, &ids(&batch));
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
    let again = &rig.nodes[0].hooks[0];
    assert_eq!((rig.nodes[0].hooks.len(), again.time_ms, &again.events), (1, first.time_ms, &first.events));
    assert!(again.age > first.age);
}

#[test]
fn cl_032_the_end_of_the_lease_is_an_alarm_of_its_own() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 1, Telling::Off);
    rig.pass(200);
    // The connection is lost just behind a beat, and nothing else is to be done.
    let beats = |rig: &Rig| {
        rig.nodes[0].sent.iter().filter(|command| matches!(command, BusCommand::Beat { .. })).count()
    };
    let before = beats(&rig);
    while beats(&rig) == before {
        rig.pass(50);
    }
    let (beaten, now) = (rig.now, rig.now);
    rig.nodes[0].machine.lost(now, &[0]);
    let machine = &mut rig.nodes[0].machine;
    let mut stopped = machine.take().stop_hooks;
    while machine.next() <= beaten + LEASE {
        machine.tick(machine.next());
        stopped.extend(machine.take().stop_hooks);
    }
    assert_eq!(stopped, [0]);
}

#[test]
fn cl_032_what_was_not_brought_to_the_node_before_the_end_of_the_lease_is_not_brought_any_more() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 1, Telling::Off);
    let node = |rig: &Rig| rig.nodes[0].name.clone();
    loop {
        rig.now += 50;
        let now = rig.now;
        rig.nodes[0].machine.tick(now);
        let out = rig.nodes[0].machine.take();
        assert!(out.hooks.is_empty());
        rig.nodes[0].note(now, out);
        for (token, command) in std::mem::take(&mut rig.nodes[0].flying) {
            let name = node(&rig);
            let answer = rig.store.execute(now, &name, &command);
            rig.nodes[0].machine.answered(now, token, answer);
        }
        if !rig.nodes[0].machine.clone().take().hooks.is_empty() {
            break;
        }
    }
    // The link's task had no turn in between.
    let end = rig.now + LEASE;
    rig.nodes[0].machine.tick(end);
    let out = rig.nodes[0].machine.take();
    assert_eq!((out.hooks.len(), &out.stop_hooks[..]), (0, &[0][..]));
}

#[test]
fn cl_032_entries_whose_removal_was_not_answered_are_removed_over_the_next_connection() {
    let mut rig = Rig::settled(2);
    for at in 0..2 {
        rig.count(at, "news", 1, Telling::Off);
    }
    rig.pass(200);
    let sender = usize::from(rig.nodes[0].hooks.is_empty());
    let sent = rig.nodes[sender].hooks.pop().unwrap();
    let now = rig.now;
    rig.nodes[sender].machine.hooks_sent(now, 0, &ids(&sent));
    let out = rig.nodes[sender].machine.take();
    rig.nodes[sender].note(now, out);
    let is_removal = |command: &BusCommand| matches!(command, BusCommand::Taken { .. });
    assert!(rig.nodes[sender].flying.iter().any(|(_, command)| is_removal(command)));
    // Whether the removal came to Redis is not known; it did not.
    rig.nodes[sender].flying.clear();
    rig.nodes[sender].machine.lost(now, &[0]);
    rig.nodes[sender].machine.connected(now, &[0]);
    rig.pass(1_000);
    // Another takes over.
    rig.nodes[sender].machine.end(rig.now);
    rig.pass(5_000);
    assert_eq!(rig.nodes[1 - sender].machine.sends_hooks().count(), 1);
    assert_eq!(transitions(&rig.nodes[1 - sender].hooks), []);
}
