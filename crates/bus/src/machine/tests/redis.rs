//! The same schedules with the scripts on a real Redis; every answer is compared with the store in memory.

mod kept;
mod once;
mod online;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::KeptEvent;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_testing::redis::Redis;

use super::schedules::{begin, go_on, seeds};
use super::store::{DELAY, LEASE, Memory, Published, Rosters, SETTLING, Store, WINDOW};
use super::world::{Fault, Mistakes, World, hook_bytes};
use crate::command::{Actor, BusAnswer, BusCommand, CountRule, NodeName, Operation, Roster};
use crate::partition::{Layout, Partition, Topic};
use crate::scripts::{self, Delta, RedisValue, Script, Speaker};

/// A connection that waits for each answer.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(port: u16) -> Self {
        Self(BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap()))
    }

    fn send(&mut self, words: &[Bytes]) {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&out).unwrap();
    }

    fn read(&mut self) -> RedisValue {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "+" => RedisValue::Text(Bytes::copy_from_slice(rest.as_bytes())),
            "-" => RedisValue::Error(rest.to_owned()),
            ":" => RedisValue::Number(rest.parse().unwrap()),
            "$" if rest == "-1" => RedisValue::Nothing,
            "$" => {
                let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut text).unwrap();
                text.truncate(text.len() - 2);
                RedisValue::Text(Bytes::from(text))
            }
            "*" if rest == "-1" => RedisValue::Nothing,
            "*" => RedisValue::List((0..rest.parse().unwrap()).map(|_| self.read()).collect()),
            _ => panic!("{line:?}"),
        }
    }

    fn ask(&mut self, words: &[Bytes]) -> RedisValue {
        self.send(words);
        self.read()
    }

    fn say(&mut self, words: &[&str]) -> RedisValue {
        self.ask(&words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect::<Vec<_>>())
    }
}

/// A Redis, and what is subscribed to it.
pub struct Server {
    redis: Redis,
    commands: Connection,
    subscriber: Connection,
    scripts: Vec<(Script, Bytes)>,
}

impl Server {
    pub fn start() -> Self {
        let redis = Redis::start();
        let mut commands = Connection::open(redis.port);
        let mut subscriber = Connection::open(redis.port);
        subscriber.say(&["PSUBSCRIBE", "t:1:*"]);
        let load = |script: Script| match commands.say(&["SCRIPT", "LOAD", script.text()]) {
            RedisValue::Text(digest) => (script, digest),
            other => panic!("{script:?}: {other:?}"),
        };
        let scripts = Script::ALL.map(load).to_vec();
        Self { redis, commands, subscriber, scripts }
    }

    /// Sends a command as the link does.
    pub fn execute(&mut self, speaker: &Speaker<'_>, command: &BusCommand) -> BusAnswer {
        let value = match Script::of(command) {
            Some(script) => {
                let (keys, arguments) = match command {
                    BusCommand::Keep { topic, event } => {
                        scripts::keep(topic, event, event.frame.bytes(), speaker)
                    }
                    command => (scripts::keys_of(command, speaker), scripts::arguments_of(command, speaker)),
                };
                let digest = self.scripts.iter().find(|(known, _)| *known == script).unwrap().1.clone();
                let mut words = vec![Bytes::from("EVALSHA"), digest, Bytes::from(keys.len().to_string())];
                words.extend(keys.into_iter().chain(arguments));
                self.commands.ask(&words)
            }
            None => {
                let mut values: Vec<_> =
                    scripts::plain(command, speaker).iter().map(|words| self.commands.ask(words)).collect();
                if values.len() == 1 { values.remove(0) } else { RedisValue::List(values) }
            }
        };
        if let RedisValue::Error(wrong) = &value
            && !wrong.starts_with("OOM")
        {
            panic!("{command:?}: {wrong}");
        }
        scripts::answer(command, value)
    }

    /// Everything that was published until now: a PING comes back behind it.
    pub fn published(&mut self) -> Vec<(String, Bytes)> {
        self.subscriber.send(&[Bytes::from("PING")]);
        let mut heard = Vec::new();
        loop {
            let RedisValue::List(parts) = self.subscriber.read() else { panic!("a message") };
            let text = |at: usize| match &parts[at] {
                RedisValue::Text(text) => text.clone(),
                other => panic!("{other:?}"),
            };
            if text(0) == "pong" {
                return heard;
            }
            heard.push((String::from_utf8(text(2).to_vec()).unwrap(), text(3)));
        }
    }

    pub fn say(&mut self, words: &[&str]) -> RedisValue {
        self.commands.say(words)
    }
}

/// A real Redis beside the store in memory.
pub struct Both {
    server: Rc<RefCell<Server>>,
    memory: Memory,
    layout: Layout,
    topics: BTreeMap<String, Topic>,
    hooks: BTreeMap<String, Partition>,
    data: String,
    epochs: u64,
    published: Vec<Published>,
    /// Redis was full: the store in memory only knows about what is then refused.
    is_compared: bool,
    hook_bytes: usize,
}

impl Both {
    /// With room for so many bytes of webhooks.
    pub fn new(server: &Rc<RefCell<Server>>, hook_bytes: usize) -> Self {
        let layout = Layout::new("t:", 1);
        Self {
            server: Rc::clone(server),
            memory: Memory::new(&[]).bounded(hook_bytes),
            hook_bytes,
            layout,
            topics: BTreeMap::new(),
            hooks: BTreeMap::new(),
            data: String::new(),
            epochs: 0,
            published: Vec::new(),
            is_compared: true,
        }
    }

    pub fn know(&mut self, layout: &Layout, apps: &[AppId]) {
        self.layout = layout.clone();
        for partition in 0..layout.partitions() {
            self.hooks.insert(layout.hooks_topic(partition), partition);
            for app in apps {
                let topic = Topic { partition, app: app.clone() };
                self.topics.insert(layout.topic_name(&topic), topic);
            }
        }
    }

    /// The same data at another master.
    pub fn rename(&mut self, data: String) {
        self.memory.rename(data.clone());
        self.data = data;
    }

    fn hear(&mut self) {
        for (name, message) in self.server.borrow_mut().published() {
            self.published.push(match self.topics.get(&name) {
                Some(topic) => Published::Delta(topic.clone(), Delta::read(&message).unwrap()),
                None => Published::Hooked(self.hooks[&name]),
            });
        }
    }
}

impl Store for Both {
    fn execute(&mut self, now: u64, node: &NodeName, command: &BusCommand) -> BusAnswer {
        let fresh = format!("e{}", self.epochs + 1);
        let speaker = Speaker {
            layout: &self.layout,
            node,
            is_sharded: false,
            data: &self.data,
            fresh: &fresh,
            lease: Duration::from_millis(LEASE),
            settling: Duration::from_millis(SETTLING),
            delay: Duration::from_millis(DELAY),
            window: Duration::from_millis(WINDOW),
            hook_bytes: self.hook_bytes,
            now,
        };
        let answer = sorted(self.server.borrow_mut().execute(&speaker, command));
        if matches!(&answer, BusAnswer::Hello { epoch, .. } if *epoch == fresh) {
            self.epochs += 1;
        }
        self.hear();
        if self.is_compared {
            let expected = sorted(self.memory.execute(now, node, command));
            assert_eq!(format!("{answer:?}"), format!("{expected:?}"), "{now} {node} {command:?}");
            assert_eq!(self.published, self.memory.published(), "{now} {node} {command:?}");
        }
        answer
    }

    fn published(&mut self) -> Vec<Published> {
        std::mem::take(&mut self.published)
    }

    fn clear(&mut self, data: String) {
        self.server.borrow_mut().say(&["FLUSHALL"]);
        self.memory.clear(data.clone());
        self.data = data;
    }

    fn fill(&mut self, is_full: bool) {
        self.is_compared = false;
        self.server.borrow_mut().say(&["CONFIG", "SET", "maxmemory", if is_full { "1" } else { "0" }]);
    }

    fn rosters(&mut self) -> Rosters {
        let mut all = Rosters::new();
        for key in self.keys("m:") {
            let (app, channel) = key.0;
            let flat = texts(self.server.borrow_mut().say(&["HGETALL", &key.1]));
            let users = flat.chunks(2).map(|pair| {
                let (nodes, info) = pair[1].split_once(':').unwrap();
                (UserId::from(&*pair[0]), (nodes.parse().unwrap(), info.to_owned()))
            });
            all.insert((app, ChannelName::trusted(&channel)), users.collect());
        }
        all
    }

    fn totals(&mut self) -> BTreeMap<(AppId, ChannelName), usize> {
        let mut all = BTreeMap::new();
        for ((app, _), key) in self.keys("totals:") {
            let flat = texts(self.server.borrow_mut().say(&["HGETALL", &key]));
            all.extend(
                flat.chunks(2)
                    .map(|pair| ((app.clone(), ChannelName::trusted(&pair[0])), pair[1].parse().unwrap())),
            );
        }
        all
    }

    fn has_told(&mut self, partition: Partition) -> bool {
        let (told, hooks) = (self.layout.key(partition, "told"), self.layout.key(partition, "hooks"));
        let mut server = self.server.borrow_mut();
        server.say(&["HLEN", &told]) != RedisValue::Number(0)
            || server.say(&["XLEN", &hooks]) != RedisValue::Number(0)
    }
}

impl Both {
    /// Apps, channels and keys of a kind.
    fn keys(&self, kind: &str) -> Vec<((AppId, String), String)> {
        let keys = texts(self.server.borrow_mut().say(&["KEYS", &format!("t:1:*:{kind}*")]));
        let parts = |key: String| {
            let rest = key.split_once(&format!("}}:{kind}"))?.1;
            let (app, channel) = rest.split_once(':').unwrap_or((rest, ""));
            Some(((AppId::from(app), channel.to_owned()), key.clone()))
        };
        keys.into_iter().filter_map(parts).collect()
    }
}

fn texts(value: RedisValue) -> Vec<String> {
    let RedisValue::List(list) = value else { panic!("{value:?}") };
    let text = |value: RedisValue| match value {
        RedisValue::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    list.into_iter().map(text).collect()
}

/// Redis lists the fields of a hash in any order.
fn sorted(mut answer: BusAnswer) -> BusAnswer {
    match &mut answer {
        BusAnswer::Applied { results, .. } => {
            for result in results {
                if let Some(Roster::Whole(users)) = &mut result.roster {
                    users.sort();
                }
            }
        }
        BusAnswer::Rows { rows, .. } => rows.sort_by_key(|row| format!("{row:?}")),
        BusAnswer::ToldPart { subjects, .. } => subjects.sort(),
        BusAnswer::Totals { channels, .. } => channels.sort(),
        BusAnswer::RosterPart { users, .. } => users.sort(),
        BusAnswer::Taken(page) => page.refused.sort_by(|one, other| one.app.cmp(&other.app)),
        _ => {}
    }
    answer
}

fn all_pass(faults: &[Fault], fixed: u64) {
    let server = Rc::new(RefCell::new(Server::start()));
    for seed in seeds(fixed) {
        server.borrow_mut().say(&["CONFIG", "SET", "maxmemory", "0"]);
        let mut world = World::on(seed, faults, &Mistakes::default(), |layout, apps| {
            let mut both = Both::new(&server, hook_bytes(seed));
            both.know(layout, apps);
            Box::new(both)
        });
        begin(&mut world, faults);
        if let Err(wrong) = go_on(&mut world) {
            panic!("FANFARE_SEED={seed} FANFARE_SCHEDULES=1: {faults:?}: {wrong}");
        }
    }
    assert!(server.borrow().redis.port > 0);
}

#[test]
fn on_a_real_redis_schedules_without_faults_end_in_the_truth() {
    all_pass(&[], 8);
}

#[test]
fn on_a_real_redis_schedules_with_faults_end_in_the_truth() {
    use Fault as F;
    all_pass(
        &[F::Cut, F::SubscriberLost, F::Drop, F::Pause, F::Crash, F::Restart, F::Zombie, F::Overflow, F::Bye],
        16,
    );
}

#[test]
fn on_a_real_redis_that_fills_up_schedules_end_in_the_truth() {
    all_pass(&[Fault::Full, Fault::Cut], 8);
}

#[test]
fn on_a_real_redis_events_are_kept_under_versions_and_a_miss_is_told_once() {
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let (app, name) = (AppId::from("a"), ChannelName::trusted("cache-c"));
    let (topic, node) = (layout.topic(&app, &name), NodeName::from("n1"));
    let speaker = Speaker {
        layout: &layout,
        node: &node,
        is_sharded: false,
        data: "r0",
        fresh: "e1",
        lease: Duration::from_millis(LEASE),
        settling: Duration::from_millis(SETTLING),
        delay: Duration::from_millis(DELAY),
        window: Duration::from_millis(WINDOW),
        hook_bytes: 8 << 20,
        now: 0,
    };
    let miss = BusCommand::Miss { topic: topic.clone(), channel: name.clone() };
    let read = BusCommand::Read { topic: topic.clone(), channel: name.clone() };
    let is_first =
        |server: &mut Server| matches!(server.execute(&speaker, &miss), BusAnswer::Missed { is_first: true });
    assert!(matches!(server.execute(&speaker, &read), BusAnswer::Read(None)));
    assert_eq!([is_first(&mut server), is_first(&mut server)], [true, false]);
    let mut before = 0;
    for round in 0..3 {
        if round == 2 {
            // Also when Redis has lost its data, a later event has a higher version.
            server.say(&["FLUSHALL"]);
        }
        let frame = fanfare_protocol::frame::Frame::text(0, |out| out.extend_from_slice(b"text"));
        let lives = Duration::from_secs(60);
        let event = KeptEvent {
            channel: name.clone(),
            frame: frame.clone(),
            except: None,
            lives,
            most_bytes: 1 << 24,
            quiet: false,
        };
        server.execute(&speaker, &BusCommand::Keep { topic: topic.clone(), event });
        let BusAnswer::Read(Some((found, message, lives))) = server.execute(&speaker, &read) else {
            panic!()
        };
        assert_eq!(&message, frame.bytes());
        assert!(found > before, "{found} comes behind {before}");
        before = found;
        assert!((1..=60_000).contains(&lives));
        let published = server.published();
        assert_eq!(published.len(), 1);
        assert_eq!(published[0].1, [format!("{found:014x}").as_bytes(), frame.bytes()].concat());
    }
    // An event ends the silence about misses (HOOK-018).
    assert_eq!([is_first(&mut server), is_first(&mut server)], [true, false]);
    let frame = fanfare_protocol::frame::Frame::text(0, |out| out.extend_from_slice(b"text"));
    let lives = Duration::from_secs(60);
    let event = KeptEvent { channel: name, frame, except: None, lives, most_bytes: 1 << 24, quiet: false };
    server.execute(&speaker, &BusCommand::Keep { topic, event });
    assert!(is_first(&mut server));
}

/// What a test of scripts alone says with each command.
pub fn speaker<'a>(layout: &'a Layout, node: &'a NodeName) -> Speaker<'a> {
    Speaker {
        layout,
        node,
        is_sharded: false,
        data: "r0",
        fresh: "e1",
        lease: Duration::from_millis(LEASE),
        settling: Duration::from_millis(SETTLING),
        delay: Duration::from_millis(DELAY),
        window: Duration::from_millis(WINDOW),
        hook_bytes: 8 << 20,
        now: 0,
    }
}

#[test]
fn cl_036_on_a_real_redis_who_was_adopted_in_a_young_epoch_counts_beside_what_a_former_sender_says() {
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let speaker = Speaker { now: 1_000_000, ..speaker(&layout, &node) };
    let topic = Topic { partition: 0, app: AppId::from("a") };
    let room = ChannelName::trusted("presence-a");
    let apply = |server: &mut Server, operations| {
        let command = BusCommand::Apply { topic: topic.clone(), by: Actor::Own(1), operations };
        assert!(matches!(server.execute(&speaker, &command), BusAnswer::Applied { .. }));
    };
    server.execute(&speaker, &BusCommand::Hello { partition: 0, generation: 1 });
    let (channel, user) = (room.clone(), UserId::from("u1"));
    let count = |count| {
        let channel = room.clone();
        Operation::Count { channel, count, told: CountRule::Off, hooked: true, members_hooked: true }
    };
    let join = Operation::Join { channel, user: user.clone(), info: String::new(), most: None, hooked: true };
    let adopt = Operation::Adopt { channel: room.clone(), existence: true, presence: true };
    apply(&mut server, vec![count(1), join, adopt]);
    let subject = |name: &str| crate::command::HookSubject {
        app: AppId::from("a"),
        channel: ChannelName::trusted(name),
        user: None,
    };
    let told = |server: &mut Server, name: &str| {
        let subjects = vec![subject(name)];
        server.execute(&speaker, &BusCommand::Told { partition: 0, term: 5, is_first: true, subjects });
        let mut told = texts(server.say(&["HKEYS", &layout.key(0, "told")]));
        told.sort();
        told
    };
    let (a, u1) = ("a\0presence-a\0", "a\0presence-a\0u1");
    assert_eq!(told(&mut server, "z"), [a, u1, "a\0z\0"]);
    // A sender that says more begins anew.
    assert_eq!(told(&mut server, "y"), [a, u1, "a\0y\0"]);
    assert_eq!(server.say(&["PTTL", &layout.key(0, "told")]), RedisValue::Number(-1));
    assert!(matches!(server.say(&["PTTL", &layout.key(0, "adopted")]), RedisValue::Number(1..)));
    // The marks of apps go with the last channel.
    let marks = |server: &mut Server| server.say(&["SCARD", &layout.key(0, "hooked")]);
    assert_eq!(marks(&mut server), RedisValue::Number(2));
    apply(&mut server, vec![Operation::Leave { channel: room.clone(), user }, count(0)]);
    assert_eq!(marks(&mut server), RedisValue::Number(0));
}

#[test]
fn n10_on_a_real_redis_what_was_told_is_read_in_parts_of_some_hundreds() {
    let (mut server, layout) = (Server::start(), Layout::new("t:", 1));
    let node = NodeName::from("n1");
    let speaker = speaker(&layout, &node);
    let (told, hooks) = (layout.key(0, "told"), layout.key(0, "hooks"));
    for number in 0..3_000 {
        server.say(&["HSET", &told, &format!("a\0presence-a\0u{number}"), "1"]);
    }
    let (mut found, mut cursor, mut parts) = (std::collections::BTreeSet::new(), 0, 0);
    loop {
        let command = BusCommand::ToldPart { partition: 0, cursor };
        let BusAnswer::ToldPart { subjects, cursor: next } = server.execute(&speaker, &command) else {
            panic!()
        };
        assert!(subjects.len() < 1_000, "{}", subjects.len());
        found.extend(subjects);
        (cursor, parts) = (next, parts + 1);
        if cursor == 0 {
            break;
        }
    }
    assert!(found.len() == 3_000 && parts > 3, "{parts}");
    for number in 0..7 {
        server.say(&["XADD", &hooks, "*", "e", "+", "a", "a", "c", &format!("news-{number}"), "u", ""]);
    }
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let command = BusCommand::LastEntries { partition: 0, before };
        let BusAnswer::LastEntries(entries) = server.execute(&speaker, &command) else { panic!() };
        before = entries.last().map(|entry| entry.id);
        if entries.is_empty() {
            break;
        }
        found.extend(entries.into_iter().map(|entry| entry.subject.channel.to_string()));
    }
    assert_eq!(found, (0..7).rev().map(|number| format!("news-{number}")).collect::<Vec<_>>());
}
