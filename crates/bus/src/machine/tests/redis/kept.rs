//! Events of cache channels on a real Redis: what is kept, and what keeping costs.

use super::*;

fn kept(channel: &str, bytes: usize, most_bytes: usize, lives: Duration) -> KeptEvent {
    let frame = fanfare_protocol::frame::Frame::text(0, |out| out.resize(bytes, b'x'));
    KeptEvent { channel: ChannelName::trusted(channel), frame, except: None, lives, most_bytes, quiet: false }
}

#[test]
fn cl_040_on_a_real_redis_kept_events_over_the_bound_go_the_oldest_first_and_expired_ones_do_not_count() {
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let speaker = speaker(&layout, &node);
    let topic = Topic { partition: 0, app: AppId::from("a") };
    let keep = |server: &mut Server, channel: &str, bytes, lives| {
        let event = kept(channel, bytes, 100_000, lives);
        server.execute(&speaker, &BusCommand::Keep { topic: topic.clone(), event })
    };
    let left = |server: &mut Server| {
        let keys = texts(server.say(&["KEYS", "t:1:*cache:*"]));
        let number = |key: &String| key.rsplit('-').next().unwrap().parse::<usize>().unwrap();
        let mut left: Vec<usize> = keys.iter().map(number).collect();
        left.sort_unstable();
        left
    };
    let minute = Duration::from_secs(60);
    for number in 0..300 {
        assert!(matches!(keep(&mut server, &format!("cache-{number}"), 1_000, minute), BusAnswer::Done));
    }
    let held = left(&mut server);
    assert!((60..100).contains(&held.len()), "{}", held.len());
    assert_eq!(held, (300 - held.len()..300).collect::<Vec<_>>());
    // The same channel again takes no more room, and another app has a bound of its own.
    for _ in 0..50 {
        keep(&mut server, "cache-299", 1_000, minute);
    }
    assert_eq!(left(&mut server), held);
    let other = Topic { partition: 0, app: AppId::from("b") };
    let event = kept("cache-1000", 50_000, 100_000, minute);
    server.execute(&speaker, &BusCommand::Keep { topic: other, event });
    assert_eq!(left(&mut server).len(), held.len() + 1);
    // One event over the bound has the room for itself.
    keep(&mut server, "cache-2000", 200_000, Duration::from_millis(1));
    assert_eq!(left(&mut server).iter().filter(|number| **number != 1_000 && **number != 2_000).count(), 0);
    std::thread::sleep(Duration::from_millis(5));
    keep(&mut server, "cache-1", 1_000, minute);
    keep(&mut server, "cache-2", 1_000, minute);
    assert_eq!(left(&mut server), [1, 2, 1_000]);
    for key in ["kept:a", "sizes:a", "ver:a"] {
        let key = layout.key(0, key);
        assert!(!matches!(server.say(&["PTTL", &key]), RedisValue::Number(..=0)), "{key}");
    }
}

#[test]
fn a_kept_event_is_nine_commands_inside_redis() {
    const EVENTS: usize = 160;
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let speaker = speaker(&layout, &node);
    let topic = Topic { partition: 0, app: AppId::from("a") };
    let keep = BusCommand::Keep { topic, event: kept("cache-c", 100, 1 << 20, Duration::from_secs(60)) };
    server.execute(&speaker, &keep);
    server.say(&["CONFIG", "RESETSTAT"]);
    (0..EVENTS).for_each(|_| assert!(matches!(server.execute(&speaker, &keep), BusAnswer::Done)));
    let RedisValue::Text(counts) = server.say(&["INFO", "commandstats"]) else { panic!("no counts") };
    let counts = String::from_utf8_lossy(&counts).into_owned();
    let calls = counts
        .lines()
        .filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<usize>().ok());
    let calls: usize = calls.sum();
    // The script itself is one, too; some of what it does is done by every eighth event alone.
    assert!(
        (EVENTS * 5..=EVENTS * 9 + EVENTS / 2).contains(&calls),
        "{calls} commands, look at keep.lua: {counts}"
    );
}

#[test]
fn cl_106_on_a_real_redis_that_is_full_an_event_is_published_and_nothing_is_kept_of_its_channel() {
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let speaker = speaker(&layout, &node);
    let topic = Topic { partition: 0, app: AppId::from("a") };
    let keep = BusCommand::Keep {
        topic: topic.clone(),
        event: kept("cache-c", 100, 1 << 20, Duration::from_secs(60)),
    };
    let read = BusCommand::Read { topic: topic.clone(), channel: ChannelName::trusted("cache-c") };
    assert!(matches!(server.execute(&speaker, &keep), BusAnswer::Done));
    assert_eq!(server.published().len(), 1);
    server.say(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(server.execute(&speaker, &keep), BusAnswer::NotKept));
    let published = server.published();
    assert_eq!(published.len(), 1);
    assert!(published[0].1.starts_with(b"00000000000000"));
    assert!(matches!(server.execute(&speaker, &read), BusAnswer::Read(None)), "not the event before");
    server.say(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(server.execute(&speaker, &keep), BusAnswer::Done));
    assert!(matches!(server.execute(&speaker, &read), BusAnswer::Read(Some(_))));
}
