//! What beats look for in Redis beside the lease.

use fanfare_protocol::cluster::Telling;

use super::bare::Rig;
use crate::command::{BusCommand, Sample};

/// What the beats of a node have looked for.
fn samples(rig: &Rig, at: usize) -> Vec<Vec<String>> {
    let of = |command: &BusCommand| match command {
        BusCommand::Beat { samples, .. } => {
            let name = |sample: &Sample| match &sample.user {
                Some(user) => format!("{} {user}", sample.channel),
                None => sample.channel.to_string(),
            };
            Some(samples.iter().map(name).collect())
        }
        _ => None,
    };
    rig.nodes[at].sent.iter().filter_map(of).collect()
}

#[test]
fn cl_116_a_beat_looks_for_a_few_things_and_beats_come_round() {
    let mut rig = Rig::settled(1);
    for number in 0..50 {
        rig.count(0, &format!("news-{number:02}"), 1, Telling::Off);
    }
    rig.open(0, "presence-a", 1);
    rig.count(0, "presence-a", 2, Telling::Off);
    for (ticket, user) in [(2, "ann"), (3, "bob")] {
        rig.join(0, "presence-a", user, ticket);
    }
    rig.run();
    rig.nodes[0].sent.clear();
    rig.pass(4_000);
    let beats = samples(&rig, 0);
    assert!(beats.iter().all(|samples| samples.len() <= 20), "{beats:?}");
    let mut all: Vec<String> = beats.into_iter().flatten().collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 52);
    assert_eq!(all[50..], ["presence-a", "presence-a ann"]);
}

#[test]
fn cl_116_a_beat_looks_for_nothing_that_was_not_answered() {
    let mut rig = Rig::settled(1);
    rig.count(0, "news", 1, Telling::Off);
    rig.join(0, "presence-a", "ann", 1);
    rig.count(0, "presence-a", 1, Telling::Off);
    rig.pass(100);
    rig.nodes[0].sent.clear();
    // What goes is not certain from the moment on when it is said.
    rig.count(0, "news", 0, Telling::Off);
    rig.leave(0, "presence-a", "ann", 2);
    let now = rig.now + 1_000;
    rig.nodes[0].machine.tick(now);
    let out = rig.nodes[0].machine.take();
    rig.nodes[0].note(now, out);
    assert_eq!(samples(&rig, 0), [["presence-a"]]);
}
