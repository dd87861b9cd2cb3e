//! Single commands of a few nodes, in any order and at any time, on a real Redis: each answer is that of the store in memory.
//!
//! Schedules of whole nodes come by few of the cases that the scripts tell apart.

use std::cell::RefCell;
use std::rc::Rc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};

use super::redis::{Both, Server, speaker};
use super::store::Store as _;
use crate::command::{Actor, BusAnswer, BusCommand, CountRule, EntryId, HookSubject, NodeName, Operation};
use crate::partition::{Layout, Topic};
use crate::scripts::Speaker;

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn operation(random: &mut Numbers) -> Operation {
    let channel = ChannelName::trusted(["presence-a", "presence-b"][random.below(2) as usize]);
    let user = UserId::from(["ann", "bob", "cid"][random.below(3) as usize]);
    let info = ["", "{}"][random.below(2) as usize].to_owned();
    let (existence, presence) = (random.below(4) > 0, random.below(4) > 0);
    match random.below(16) {
        0..=3 => {
            let most = [None, Some(2)][random.below(2) as usize];
            Operation::Join { channel, user, info, most, hooked: presence }
        }
        4..=6 => Operation::Leave { channel, user },
        7 => Operation::LeaveOld { channel, user },
        8 | 9 => {
            let told = [CountRule::Off, CountRule::Crowds, CountRule::Always][random.below(3) as usize];
            let count = [0, 1, 2, 150, 151][random.below(5) as usize];
            Operation::Count { channel, count, told, hooked: existence, members_hooked: presence }
        }
        10 => Operation::CountOld { channel },
        11 => Operation::TellCount { channel },
        12 => Operation::Roster { channel },
        13 => Operation::Reconcile { channel, existence, presence },
        14 => Operation::ReconcileGone { channel, user: (random.below(2) == 0).then_some(user) },
        _ => Operation::Adopt { channel, existence, presence },
    }
}

#[test]
fn on_a_real_redis_every_single_answer_is_that_of_the_store_in_memory() {
    let server = Rc::new(RefCell::new(Server::start()));
    let layout = Layout::new("t:", 1);
    let app = AppId::from("a");
    for seed in 1..=12 {
        let mut random = Numbers(seed * 7_919);
        let mut both = Both::new(&server, [8 << 20, 1_200][seed as usize % 2]);
        both.know(&layout, std::slice::from_ref(&app));
        both.clear(format!("r{seed}"));
        let (mut now, mut generations, nodes) = (1_000_000, [0; 3], ["n1", "n2", "n3"].map(NodeName::from));
        let (mut epochs, mut taken) = (0, Vec::<EntryId>::new());
        for _ in 0..400 {
            now += [0, 1, 50, 700, 3_000][random.below(5) as usize];
            let at = random.below(3) as usize;
            let (node, generation) = (&nodes[at], generations[at]);
            let command = match random.below(25) {
                0 | 1 => {
                    generations[at] += 1;
                    BusCommand::Hello { partition: 0, generation: generations[at] }
                }
                2..=5 => BusCommand::Beat { partition: 0, generation, samples: Vec::new() },
                6 => BusCommand::Take { partition: 0, generation, last: None },
                7 => {
                    let gone = (random.below(2) == 0).then_some(generation);
                    let node = if gone.is_some() { node } else { &nodes[random.below(3) as usize] };
                    BusCommand::Bye { partition: 0, node: node.clone(), generation: gone }
                }
                8 => BusCommand::Rows { partition: 0, node: node.clone(), cursor: 0 },
                20 | 21 => BusCommand::Take { partition: 0, generation, last: Some(EntryId::default()) },
                23 => BusCommand::Told {
                    partition: 0,
                    term: random.below(4),
                    is_first: random.below(2) == 0,
                    subjects: vec![HookSubject {
                        app: app.clone(),
                        channel: ChannelName::trusted("presence-a"),
                        user: (random.below(2) == 0).then(|| UserId::from("ann")),
                    }],
                },
                24 => {
                    // Another master with the same data, as after a failover.
                    epochs += 1;
                    both.rename(format!("r{seed}-{epochs}"));
                    continue;
                }
                22 => {
                    let sent = taken.len() - random.below(taken.len() as u64 + 1) as usize;
                    BusCommand::Taken { partition: 0, entries: taken.drain(..sent).collect() }
                }
                kind => {
                    let operations = (0..=random.below(4)).map(|_| operation(&mut random)).collect();
                    let reaped = nodes[random.below(3) as usize].clone();
                    let by = if kind == 9 { Actor::Reaper(reaped) } else { Actor::Own(generation) };
                    BusCommand::Apply { topic: Topic { partition: 0, app: app.clone() }, by, operations }
                }
            };
            if let BusAnswer::Taken(page) = both.execute(now, node, &command) {
                taken = page.entries.into_iter().map(|entry| entry.id).collect();
            }
            both.published();
        }
    }
}

#[test]
fn cl_073_on_a_real_redis_a_number_that_waits_is_told_by_the_clock_of_the_new_master() {
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let old = Speaker { now: 10_000_000, ..speaker(&layout, &node) };
    // An hour behind, and another master's data.
    let new = Speaker { now: 6_400_000, data: "r1", fresh: "e2", ..old.clone() };
    let topic = Topic { partition: 0, app: AppId::from("a") };
    let crowd = |count| {
        let channel = ChannelName::trusted("news");
        let (told, hooked, members_hooked) = (CountRule::Crowds, false, false);
        let operations = vec![Operation::Count { channel, count, told, hooked, members_hooked }];
        BusCommand::Apply { topic: topic.clone(), by: Actor::Own(1), operations }
    };
    server.execute(&old, &BusCommand::Hello { partition: 0, generation: 1 });
    for count in [150, 151] {
        server.execute(&old, &crowd(count));
    }
    server.execute(&new, &BusCommand::Hello { partition: 0, generation: 1 });
    let beat = BusCommand::Beat { partition: 0, generation: 1, samples: Vec::new() };
    let BusAnswer::Beat(beat) = server.execute(&new, &beat) else { panic!() };
    assert_eq!(beat.late, [(AppId::from("a"), ChannelName::trusted("news"))]);
}
