//! Topics by their whole names, on one connection: confirmed, heard, ended, and kept waiting without room.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fanfare_outgoing::Trust;
use fanfare_redis::{
    Connector, Happening, Host, RedisAddress, RedisError, TopicKind, TopicListener, TopicSubscriber,
    WantedTopics,
};
use fanfare_testing::redis::{Cluster, Redis};
use fanfare_testing::until;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(30);

/// What a subscription has told, in words.
struct Listening {
    told: Receiver<String>,
    wanted: watch::Sender<WantedTopics>,
    has_room: watch::Sender<bool>,
    _runtime: Runtime,
}

struct Ear {
    told: Sender<String>,
    has_room: watch::Receiver<bool>,
}

impl TopicListener for Ear {
    fn hear(&mut self, happening: Happening<'_>) {
        let text = match happening {
            Happening::Message { channel, payload } => {
                format!("{channel}: {}", String::from_utf8_lossy(&payload))
            }
            Happening::Subscribed { .. } => "ready".to_owned(),
            other => format!("{other:?}"),
        };
        let _ = self.told.send(text);
    }

    fn confirmed(&mut self, topic: &str) {
        let _ = self.told.send(format!("confirmed {topic}"));
    }

    fn ended(&mut self, topic: &str) {
        let _ = self.told.send(format!("ended {topic}"));
    }

    async fn room(&mut self) {
        let _ = self.has_room.wait_for(|has_room| *has_room).await;
    }
}

impl Listening {
    fn at(port: u16, kind: TopicKind, topics: &[&str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let (sender, told) = channel();
        let (wanted, mut wants) = watch::channel(set(topics));
        let (has_room, room) = watch::channel(true);
        let address = RedisAddress::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
        let subscriber = TopicSubscriber::new(Connector::new(&address, &Trust::public(), 10_000), kind);
        runtime.spawn(async move {
            let host = Host { name: "127.0.0.1".into(), port };
            let mut ear = Ear { told: sender, has_room: room };
            let error = subscriber.follow(&host, &mut wants, &mut ear).await;
            let kind = match error {
                RedisError::Elsewhere(_) => "elsewhere".to_owned(),
                RedisError::Silent => "silent".to_owned(),
                other => other.to_string(),
            };
            let _ = ear.told.send(format!("lost: {kind}"));
        });
        Self { told, wanted, has_room, _runtime: runtime }
    }

    #[track_caller]
    fn expect(&self, expected: &str) {
        assert_eq!(self.told.recv_timeout(DEADLINE).as_deref(), Ok(expected));
    }
}

fn set(topics: &[&str]) -> WantedTopics {
    topics.iter().map(|&topic| Arc::from(topic)).collect()
}

#[test]
fn topics_are_confirmed_and_heard_until_nobody_wants_them() {
    let redis = Redis::start();
    let ear = Listening::at(redis.port, TopicKind::Everywhere, &["a*", "b"]);
    for text in ["confirmed a*", "confirmed b", "ready"] {
        ear.expect(text);
    }
    assert_eq!(redis.publish("ab", "of a topic that only looks like a pattern"), 0);
    redis.publish("a*", "1");
    ear.expect("a*: 1");
    ear.wanted.send_replace(set(&["b", "c"]));
    ear.expect("confirmed c");
    ear.expect("ended a*");
    assert_eq!(redis.publish("a*", "2"), 0);
    ear.wanted.send_replace(set(&["a*"]));
    for text in ["confirmed a*", "ended b", "ended c"] {
        ear.expect(text);
    }
    redis.says(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    ear.expect("lost: Redis has closed the connection");
}

#[test]
fn without_room_nothing_is_read_and_no_silence_is_told() {
    let redis = Redis::start();
    let ear = Listening::at(redis.port, TopicKind::Everywhere, &["a"]);
    ear.expect("confirmed a");
    ear.expect("ready");
    ear.has_room.send_replace(false);
    redis.publish("a", "1");
    redis.publish("a", "2");
    // Longer than a silence that would be told. One message may have been on its way.
    std::thread::sleep(Duration::from_secs(4));
    let heard: Vec<String> = ear.told.try_iter().collect();
    assert!(heard.is_empty() || heard == ["a: 1"], "{heard:?}");
    ear.has_room.send_replace(true);
    if heard.is_empty() {
        ear.expect("a: 1");
    }
    ear.expect("a: 2");
    redis.publish("a", "3");
    ear.expect("a: 3");
    redis.signal("STOP");
    ear.expect("lost: silent");
    redis.signal("CONT");
}

#[test]
fn a_shards_topics_are_left_when_their_slot_moves() {
    let cluster = Cluster::start(0);
    let at = cluster.master_of("{x}a", 0);
    let to = (at + 1) % 3;
    let wrong = Listening::at(cluster.nodes[to].port, TopicKind::Sharded, &["{x}a"]);
    wrong.expect("lost: elsewhere");
    let ear = Listening::at(cluster.nodes[at].port, TopicKind::Sharded, &["{x}a", "{x}b"]);
    for text in ["confirmed {x}a", "confirmed {x}b", "ready"] {
        ear.expect(text);
    }
    let publish = |at: usize| cluster.nodes[at].says(&["SPUBLISH", "{x}b", "1"]);
    assert_eq!(publish(at), "1");
    ear.expect("{x}b: 1");
    cluster.move_slot("{x}a", to);
    ear.expect("lost: elsewhere");
    until("the slot is served where it is now", || (publish(to) == "0").then_some(()));
}
