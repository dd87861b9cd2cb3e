//! Questions to the cluster, and what nodes tell each other beside events.

use std::time::Duration;

use fanfare_bus::{ChannelCounts, ClusterQuestion, ClusterReply, NodeSubject, UsageReport, UsageTotal};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, Joined, Telling};
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::user::OnlineUser;
use fanfare_testing::redis::Redis;

use crate::support::{Node, app, channel, settings};

fn counts(subscriptions: usize) -> ChannelCounts {
    ChannelCounts { subscriptions, users: 0 }
}

#[test]
fn cl_020_counts_are_of_all_nodes() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    one.count("a", 2);
    other.count("a", 3);
    other.count("b-1", 1);
    other.count("#connections", 9);
    let question = || ClusterQuestion::Counts(vec![channel("b-1"), channel("nobody"), channel("a")]);
    let expected = ClusterReply::Counts(vec![counts(1), counts(0), counts(5)]);
    one.until("the sums", || (one.ask(question())? == expected).then_some(()));
    let list = |prefix: &str| match one
        .ask(ClusterQuestion::Channels { prefix: prefix.to_owned(), with_users: true })
    {
        Some(ClusterReply::Channels(found)) => {
            found.into_iter().map(|(name, counts)| (name.as_str().to_owned(), counts.subscriptions)).collect()
        }
        other => panic!("{other:?}"),
    };
    let found: Vec<(String, usize)> = list("");
    assert_eq!(found, [("a".to_owned(), 5), ("b-1".to_owned(), 1)], "hidden channels are left out");
    assert_eq!(list("b-"), [("b-1".to_owned(), 1)]);
}

#[test]
fn cl_020_who_is_online_is_known_of_all_nodes_with_the_earliest_sign_in() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    let users: Vec<UserId> = (0..1000).map(|number| UserId::from(&*format!("user-{number}"))).collect();
    let question = || ClusterQuestion::Online(users.clone());
    let asked = |node: &Node| match node.ask(question())? {
        ClusterReply::Online(found) => Some(found),
        reply => panic!("{reply:?}"),
    };
    assert_eq!(asked(&one).unwrap(), vec![OnlineUser::default(); 1000]);
    let sign_in = |node: &Node, since: u64, connections: usize, ticket: u64| {
        for user in users.iter().step_by(10) {
            let channel = ChannelName::online(user);
            node.change(Change::Joined(Joined::online(user, since, ticket, false)));
            let told = Telling::Off;
            node.change(Change::Counted { channel, count: connections, told, hooked: false });
        }
    };
    let is = |connections, since| {
        let online = OnlineUser { connections, since };
        move |found: Vec<OnlineUser>| {
            let is_right = |(at, found): (usize, &OnlineUser)| {
                *found == if at % 10 == 0 { online } else { OnlineUser::default() }
            };
            found.iter().enumerate().all(is_right).then_some(())
        }
    };
    sign_in(&one, 1_700_000_100, 2, 1);
    other.until("the sign-ins of another node", || asked(&other).and_then(is(2, Some(1_700_000_100))));
    sign_in(&other, 1_700_000_050, 3, 1);
    one.until("the sum, and the earliest", || asked(&one).and_then(is(5, Some(1_700_000_050))));
    sign_in(&one, 1_700_000_200, 1, 2);
    assert!(asked(&one).and_then(is(4, Some(1_700_000_050))).is_some(), "a later sign-in changes nothing");
    for (ticket, node) in [(3, &one), (2, &other)] {
        for user in users.iter().step_by(10) {
            let channel = ChannelName::online(user);
            node.change(Change::Left { channel: channel.clone(), user: user.clone(), ticket });
            let told = Telling::Off;
            node.change(Change::Counted { channel, count: 0, told, hooked: false });
        }
    }
    one.until("nobody", || asked(&one).filter(|found| *found == vec![OnlineUser::default(); 1000]).map(drop));
}

#[test]
fn cl_020_what_a_node_has_itself_is_never_missing_in_its_questions() {
    let redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    for count in 1..100 {
        node.count("a", count);
        let reply = node.ask(ClusterQuestion::Counts(vec![channel("a")]));
        assert_eq!(reply, Some(ClusterReply::Counts(vec![counts(count)])));
    }
}

#[test]
fn cl_021_a_redis_that_does_not_answer_leaves_questions_without_a_reply() {
    let mut redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    redis.signal("STOP");
    assert_eq!(node.ask(ClusterQuestion::Nodes), None, "it is hung, and the link does not know yet");
    redis.signal("CONT");
    node.wait_until_up();
    redis.kill();
    node.away();
    assert_eq!(node.ask(ClusterQuestion::Counts(vec![channel("a")])), None);
    assert!(node.run(node.bus.close_user(&app(), &UserId::from("ann"))).is_err());
    let report = UsageReport { app: app(), day: 20_000, messages_of_day: 1, messages_of_second: 1 };
    assert_eq!(node.run(node.bus.usage(&[report])), [None]);
}

#[test]
fn a_thousand_questions_wait_and_the_next_gets_no_reply() {
    let redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    redis.signal("STOP");
    node.run(async {
        let (bus, app) = (node.bus.clone(), app());
        let mut waiting: Vec<_> =
            (0..1000).map(|_| Box::pin(bus.ask(&app, ClusterQuestion::Nodes))).collect();
        for question in &mut waiting {
            let moment = Duration::from_nanos(1);
            assert!(tokio::time::timeout(moment, question).await.is_err(), "it waits");
        }
        let start = tokio::time::Instant::now();
        assert!(bus.ask(&app, ClusterQuestion::Nodes).await.is_err());
        assert!(start.elapsed() < Duration::from_millis(900), "it has not waited");
        drop(waiting);
    });
    redis.signal("CONT");
    node.wait_until_up();
    assert!(node.ask(ClusterQuestion::Nodes).is_some(), "there is room again");
}

#[test]
fn cl_067_and_cl_068_nodes_know_each_other_and_which_of_them_is_the_first() {
    let redis = Redis::start();
    let one = Node::up(&redis.url(), 7);
    one.until("alone it is the first", || one.bus.is_first().then_some(()));
    let other = Node::up(&redis.url(), 3);
    other.bus.set_connections(42);
    other.until("the lower number is the first", || {
        (other.bus.is_first() && !one.bus.is_first()).then_some(())
    });
    let nodes = one.until("both are listed", || match one.ask(ClusterQuestion::Nodes)? {
        ClusterReply::Nodes(nodes) => {
            let says = |at: usize| nodes.get(at)?.says.clone();
            let (first, second) = (says(0)?, says(1)?);
            (first.connections == 42 && first.links[0].up).then_some((first, second))
        }
        reply => panic!("{reply:?}"),
    });
    assert_eq!((&*nodes.0.name, &*nodes.0.version, nodes.0.started), ("node 3", "1.2.3", 77));
    assert_eq!(&*nodes.1.name, "node 7");
    assert_eq!((one.bus.living(), one.bus.is_up(&app(), &channel("a"))), (2, true));
    drop(other);
    one.until("who has gone is the first no more", || one.bus.is_first().then_some(()));
    let key = one.bus.layout().key(0, "nodes");
    one.until("and is listed no more", || (redis.says(&["HLEN", &key]) == "1").then_some(()));
}

#[test]
fn cl_052_and_cl_060_what_concerns_every_node_comes_to_every_other_node() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    one.run(one.bus.close_user(&app(), &UserId::from("ann"))).unwrap();
    other.hears("close ann of 1");
    one.bus.app_changed(&AppId::from("9"));
    other.hears("changed 9");
    assert_eq!(one.told(), [] as [&str; 0]);
}

#[test]
fn cl_063_a_node_that_knows_after_a_restart_what_it_had_counted_is_counted_once() {
    let redis = Redis::start();
    let of_day = |id, name: Option<&str>, messages_of_day| {
        let mut settings = settings(&[&redis.url()], id);
        settings.node.counted_as = name.map(str::to_owned);
        let node = Node::with(settings);
        node.wait_until_up();
        let report = UsageReport { app: app(), day: 20_000, messages_of_day, messages_of_second: 1 };
        node.run(node.bus.usage(&[report]))[0].unwrap().day
    };
    assert_eq!(of_day(1, Some("host:80"), 10), 10);
    assert_eq!(of_day(2, Some("host:80"), 11), 11, "the same node");
    assert_eq!(of_day(3, None, 5), 16);
    assert_eq!(of_day(4, None, 1), 17, "begins with nothing");
}

#[test]
fn cl_063_and_cl_064_messages_of_all_nodes_are_added_up() {
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    let report = |app: &str, messages_of_day, messages_of_second| UsageReport {
        app: AppId::from(app),
        day: 20_000,
        messages_of_day,
        messages_of_second,
    };
    let add_up = |node: &Node, reports: &[UsageReport]| -> Vec<UsageTotal> {
        node.run(node.bus.usage(reports)).into_iter().map(Option::unwrap).collect()
    };
    add_up(&one, &[report("1", 10, 4), report("2", 5, 0)]);
    let totals = add_up(&other, &[report("2", 7, 1), report("1", 100, 2)]);
    assert_eq!(totals.iter().map(|total| total.day).collect::<Vec<_>>(), [12, 110]);
    assert_eq!(totals[1].second, 6);
    let again = add_up(&one, &[report("1", 11, 0)]);
    assert_eq!((again[0].day, again[0].second), (111, 2), "a number takes the place of the last");
}

#[test]
fn cl_063_a_redis_that_is_away_or_hung_leaves_only_its_own_apps_without_a_sum() {
    let (mut redis, mut other) = (Redis::start(), Redis::start());
    let node = Node::with(settings(&[&redis.url(), &other.url()], 1));
    node.wait_until_up();
    // More than one question has room for.
    let reports: Vec<UsageReport> = (0..2500)
        .map(|app| UsageReport {
            app: AppId::from(app.to_string().as_str()),
            day: 20_000,
            messages_of_day: app,
            messages_of_second: 0,
        })
        .collect();
    let heard = || node.run(node.bus.usage(&reports));
    let is_right = |(total, report): (&Option<UsageTotal>, &UsageReport)| {
        total.is_none_or(|total| total.day == report.messages_of_day)
    };
    let known = |totals: &[Option<UsageTotal>]| {
        assert!(totals.iter().zip(&reports).all(is_right));
        totals.iter().flatten().count()
    };
    assert_eq!(known(&heard()), 2500);
    redis.signal("STOP");
    let of_one = known(&heard());
    assert!(of_one > 0 && of_one < 2500, "the link to the other does not wait: {of_one}");
    redis.kill();
    node.away();
    assert_eq!(known(&heard()), of_one);
    other.kill();
    node.until("both are away", || node.bus.links().iter().all(|link| !link.is_up).then_some(()));
    assert_eq!(known(&heard()), 0);
}

#[test]
fn con_054_other_nodes_are_asked_eight_times_at_once_and_those_that_do_not_answer_are_named() {
    const SUBJECT: NodeSubject = NodeSubject::WebhookDeliveries;
    let redis = Redis::start();
    let (one, other) = (Node::up(&redis.url(), 1), Node::up(&redis.url(), 2));
    let told_about = |app: &str, about: &str| {
        let said = one.run(one.bus.ask_nodes(&AppId::from(app), (SUBJECT, about.as_bytes()))).ok()?;
        let ids = |nodes: Vec<String>| nodes.join(",");
        let answers =
            said.answers.into_iter().map(|(node, text)| format!("{}: {} bytes", node.id, text.len()));
        Some((ids(answers.collect()), ids(said.missing.into_iter().map(|node| node.id).collect())))
    };
    let told = |app: &str| told_about(app, "");
    let id = other.bus.own_id().to_owned();
    let known = (format!("{id}: 10 bytes"), String::new());
    one.until("the other's answer", || told("known").filter(|told| *told == known));
    assert_eq!(told_about("known", " too"), Some((format!("{id}: 14 bytes"), String::new())));
    assert_eq!(told_about("known", &"x".repeat(64 * 1024 + 1)), None, "too long a question");
    for app in ["nobody's", "long"] {
        assert_eq!(told(app), Some((String::new(), id.clone())), "{app}: none, or too long a one");
    }
    let app = AppId::from("nobody's");
    let ask = async || one.bus.ask_nodes(&app, (SUBJECT, b"")).await.is_err();
    let four = async || tokio::join!(ask(), ask(), ask(), ask());
    let is_refused = one.run(async { tokio::join!(four(), four(), ask()) });
    let none = (false, false, false, false);
    assert_eq!(is_refused, (none, none, true));
}
