//! The same schedules with the scripts on a real Redis; every answer is compared with the store in memory.

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
use super::store::{DELAY, LEASE, Memory, Published, Rosters, SETTLING, Store};
use super::world::{Fault, Mistakes, World};
use crate::command::{BusAnswer, BusCommand, NodeName, Roster};
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
struct Both {
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
}

impl Both {
    fn new(server: &Rc<RefCell<Server>>) -> Self {
        let layout = Layout::new("t:", 1);
        Self {
            server: Rc::clone(server),
            memory: Memory::new(&[]),
            layout,
            topics: BTreeMap::new(),
            hooks: BTreeMap::new(),
            data: String::new(),
            epochs: 0,
            published: Vec::new(),
            is_compared: true,
        }
    }

    fn know(&mut self, layout: &Layout, apps: &[AppId]) {
        self.layout = layout.clone();
        for partition in 0..layout.partitions() {
            self.hooks.insert(layout.hooks_topic(partition), partition);
            for app in apps {
                let topic = Topic { partition, app: app.clone() };
                self.topics.insert(layout.topic_name(&topic), topic);
            }
        }
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
        BusAnswer::Taken { first: Some((told, _)), .. } => told.sort(),
        BusAnswer::Totals { channels, .. } => channels.sort(),
        BusAnswer::RosterPart { users, .. } => users.sort(),
        _ => {}
    }
    answer
}

fn all_pass(faults: &[Fault], fixed: u64) {
    let server = Rc::new(RefCell::new(Server::start()));
    for seed in seeds(fixed) {
        server.borrow_mut().say(&["CONFIG", "SET", "maxmemory", "0"]);
        let mut world = World::on(seed, faults, &Mistakes::default(), |layout, apps| {
            let mut both = Both::new(&server);
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
        let event =
            KeptEvent { channel: name.clone(), frame: frame.clone(), except: None, lives, quiet: false };
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
    assert!(is_first(&mut server));
}
