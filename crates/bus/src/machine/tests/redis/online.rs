//! Users' hidden channels, on a real Redis and in memory.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::{Kind, Kinds};

use super::{Server, speaker};
use crate::command::{Actor, BusAnswer, BusCommand, CountRule, NodeName, Operation, Roster};
use crate::machine::tests::store::{Memory, Store as _};
use crate::partition::{Layout, Topic};
use crate::scripts::Speaker;

#[test]
fn api_043_and_hook_027_on_a_real_redis_and_in_memory_the_earliest_sign_in_stays_and_users_have_a_mark_of_their_own()
 {
    let (mut server, mut memory, layout) = (Server::start(), Memory::new(&[]), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let speaker = Speaker { now: 1_000_000, ..speaker(&layout, &node) };
    let topic = Topic { partition: 0, app: AppId::from("a") };
    let (user, hidden) = (UserId::from("u1"), ChannelName::online(&UserId::from("u1")));
    let mut both = |command: BusCommand| {
        let here = memory.execute(speaker.now, &node, &command);
        let there = server.execute(&speaker, &command);
        (here, there)
    };
    both(BusCommand::Hello { partition: 0, generation: 1 });
    let join = |since: &str| {
        let (channel, user, info) = (hidden.clone(), user.clone(), since.to_owned());
        Operation::Join { channel, user, info, most: None, hooked: true }
    };
    let (channel, told) = (hidden.clone(), CountRule::Off);
    let count = Operation::Count { channel, count: 2, told, hooked: false, members_hooked: true };
    for (since, kept) in [("500", "500"), ("900", "500"), ("400", "400"), ("", "400")] {
        let roster = Operation::Roster { channel: hidden.clone() };
        let operations = vec![count.clone(), join(since), roster];
        let command = BusCommand::Apply { topic: topic.clone(), by: Actor::Own(1), operations };
        for answer in <[BusAnswer; 2]>::from(both(command)) {
            let BusAnswer::Applied { results, .. } = answer else { panic!("{answer:?}") };
            let wanted = Roster::Whole(vec![(user.clone(), kept.to_owned())]);
            assert_eq!((results[0].total, &results[2].roster), (Some(2), &Some(wanted)), "{since}");
        }
    }
    for answer in <[BusAnswer; 2]>::from(both(BusCommand::Hooked { partition: 0 })) {
        let BusAnswer::Hooked(apps) = answer else { panic!("{answer:?}") };
        assert_eq!(apps, [(AppId::from("a"), Kinds::from_iter([Kind::Users]))]);
    }
}
