//! What nodes cost that share a Redis: its commands and memory, the memory of a copied roster, and the allocations of an
//! event that is sent to the other nodes or heard from one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use fanfare_bus::message::{EventKind, EventMessage};
use fanfare_bus::partition::Layout;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use fanfare_testing::redis::Redis;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stats_alloc::Region;

use crate::client::DEADLINE;
use crate::server::{ID, KEY, Running, SECRET, start_in};
use crate::users::sign_in;
use crate::{ALLOCATOR, client, during, my_turn, settled};

/// Members of the presence channel, and channels, whose memory is measured.
const CROWD: usize = 400;

/// The JSON of every member's `user_info`.
const INFO: &str = r#"{"name":"somebody"}"#;

/// Most bytes in Redis of a member of a presence channel on one node, beside `user_info`.
const REDIS_BYTES_PER_MEMBER: usize = 165;

/// Most bytes in Redis of a channel on one node, beside its name.
const REDIS_BYTES_PER_CHANNEL: usize = 160;

/// Most bytes in Redis of a user with an id of nine characters who is signed in on one node.
const REDIS_BYTES_PER_USER: usize = 520;

/// Most bytes of heap of a member in a node's copy of a roster, beside `user_info`.
const BYTES_PER_COPIED_MEMBER: i64 = 240;

/// Most allocations of a node for an event that it hears, in tenths.
const TENTHS_PER_EVENT_HEARD: usize = 24;

/// Most allocations of an event that is told to the other nodes, beside those of the same publish on a node alone.
const ALLOCATIONS_PER_EVENT_TOLD: usize = 19;

/// Requests of an event or a batch of events.
const ROUNDS: usize = 200;

/// Bytes of all keys.
const MEMORY: &str = "local sum = 0
for _, key in ipairs(redis.call('KEYS', '*')) do sum = sum + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) end
return sum";

/// A node of the cluster at this Redis, in touch with it.
fn node(redis: &Redis) -> Running {
    let settings = format!(
        "[limits]\nsubscriptions_per_second = 100000\nmembers = 500\noutbox_bytes = 4194304\n[bus]\nurls = [\"{}\"]",
        redis.url()
    );
    let node = start_in(tempfile::tempdir().expect("a temporary folder can be made"), &settings);
    // Out of touch the answer is 503.
    wait_for(&node, "channels/nobody", "\"occupied\":false");
    node
}

/// A number that Redis tells of itself: behind a name in a section of `INFO`.
fn told(redis: &Redis, section: &str, name: &str) -> usize {
    let lines = redis.says(&["INFO", section]);
    let number = lines.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    let number = number.split(',').next().unwrap_or_default();
    number.trim().parse().expect("a number")
}

/// How often Redis has executed a command.
fn calls(redis: &Redis, command: &str) -> usize {
    told(redis, "commandstats", &format!("cmdstat_{command}:calls="))
}

fn memory(redis: &Redis) -> usize {
    redis.says(&["EVAL", MEMORY, "0"]).parse().expect("a sum")
}

/// Waits until an answer of the API holds a text.
fn wait_for(node: &Running, path: &str, text: &str) {
    let mut answer = [0; 16 * 1024];
    let began = Instant::now();
    loop {
        let mut api = TcpStream::connect(node.address).expect("the server accepts");
        api.write_all(&client::signed("GET", path, "")).expect("the server reads");
        let length = api.read(&mut answer).expect("an answer");
        let said = String::from_utf8_lossy(&answer[..length]);
        if said.contains(text) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "never {text}: {said}");
        std::thread::yield_now();
    }
}

/// A connection that has asked to join as a user.
fn join(node: &Running, channel: &str, user: usize) -> TcpStream {
    let mut socket = TcpStream::connect(node.address).expect("the server accepts");
    socket.set_nodelay(true).expect("a socket need not wait for more to send");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes a time limit");
    client::handshake(&mut socket);
    let mut buffer = [0; 1024];
    let id = client::socket_id(client::frame_in(&mut socket, &mut buffer)).to_owned();
    let data = format!("{{\"user_id\":\"user-{user:04}\",\"user_info\":{INFO}}}");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(format!("{id}:{channel}:{data}").as_bytes());
    let auth = format!("{KEY}:{}", hex::encode(mac.finalize().into_bytes()));
    let data = data.replace('"', "\\\"");
    client::send(
        &mut socket,
        &format!(
            "{{\"event\":\"pusher:subscribe\",\"data\":{{\"channel\":\"{channel}\",\"auth\":\"{auth}\",\
             \"channel_data\":\"{data}\"}}}}"
        ),
    );
    socket
}

/// Reads the roster, and the news of everybody of the crowd who is not on it.
fn hear_all_join(socket: &mut TcpStream, buffer: &mut [u8]) {
    let roster = std::str::from_utf8(client::frame_in(socket, buffer)).expect("a text");
    let count = roster.split("count\\\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
    let known: usize = count.and_then(|count| count.parse().ok()).expect("how many are there");
    (known..=CROWD).for_each(|_| assert!(client::frame_in(socket, buffer).len() > INFO.len()));
}

#[test]
fn an_event_is_one_command_of_redis_and_events_at_once_are_one_write() {
    let _turn = my_turn();
    let redis = Redis::start();
    let (here, there) = (node(&redis), node(&redis));
    let mut socket = here.crowd(1, "news").pop().expect("a subscriber");
    let mut api = TcpStream::connect(there.address).expect("the server accepts");
    let mut answer = [0; 4096];
    let item = r#"{"channel":"news","name":"e","data":"x"}"#;
    let counts = || (calls(&redis, "publish"), told(&redis, "stats", "total_reads_processed:"));
    for many in [1, 10] {
        let items = vec![item; many].join(",");
        let request = client::signed("POST", "batch_events", &format!("{{\"batch\":[{items}]}}"));
        let before = counts();
        for _ in 0..ROUNDS {
            client::ask(&mut api, &request, &mut answer);
            (0..many).for_each(|_| assert!(client::frame(&mut socket) > 0));
        }
        let (commands, reads) = counts();
        let (commands, reads) = (commands - before.0, reads - before.1);
        println!("{commands} PUBLISH in {reads} reads of Redis for {ROUNDS} requests with {many} events");
        assert_eq!(commands, ROUNDS * many, "look at Batch::events");
        // Beats, and the questions of this test, are among them.
        assert!(reads <= ROUNDS + 150, "{reads} reads of Redis for {ROUNDS} requests; look at Link::send");
    }
}

#[test]
fn an_idle_node_asks_redis_for_a_beat_a_partition() {
    let _turn = my_turn();
    let redis = Redis::start();
    let _node = node(&redis);
    // A node reads the list of nodes once with each round of beats, and nothing else does that.
    let rounds = |from: usize| {
        let began = Instant::now();
        while calls(&redis, "hkeys") < from {
            assert!(began.elapsed() < DEADLINE, "nobody asks who is there");
            std::thread::sleep(Duration::from_millis(20));
        }
        (calls(&redis, "hkeys"), calls(&redis, "evalsha"))
    };
    let (first, before) = rounds(calls(&redis, "hkeys") + 2);
    let (last, after) = rounds(first + 5);
    let (scripts, rounds) = (after - before, last - first);
    println!("{scripts} scripts in {rounds} seconds of an idle node");
    // One round more or less lies between the two questions.
    assert!(
        scripts * 5 <= 16 * (rounds + 1) * 6,
        "{scripts} scripts in {rounds} rounds; look at Leased::tick"
    );
}

#[test]
fn a_member_and_a_channel_take_little_of_redis_and_a_copied_member_little_of_a_node() {
    let _turn = my_turn();
    // Of a large cluster, where no hash has the compact form of small ones.
    let redis = Redis::with("hash-max-listpack-entries 0\n");
    let (here, there) = (node(&redis), node(&redis));
    let _first = join(&here, "presence-room", 9999);
    let path = "channels/presence-room?info=user_count";
    wait_for(&here, path, "\"user_count\":1}");
    let (before, scripts, rounds) = (memory(&redis), calls(&redis, "evalsha"), calls(&redis, "hkeys"));
    let began = Instant::now();
    let mut crowd: Vec<TcpStream> = (0..CROWD).map(|user| join(&here, "presence-room", user)).collect();
    wait_for(&here, path, &format!("\"user_count\":{}}}", CROWD + 1));
    let beats = 16 * (calls(&redis, "hkeys") - rounds + 2);
    let scripts = (calls(&redis, "evalsha") - scripts).saturating_sub(beats);
    let each = (memory(&redis) - before) / CROWD;
    println!("{each} bytes of Redis a member, {scripts} scripts beside beats for {CROWD} members");
    let most = REDIS_BYTES_PER_MEMBER + INFO.len();
    assert!(
        each > INFO.len() && each <= most,
        "{each} bytes of Redis a member, at most {most}; look at apply.lua"
    );
    // A join is an operation of a batch; the count comes every 50 ms at most, however long the crowd takes.
    let counts = began.elapsed().as_millis() as usize / 50;
    assert!(
        scripts * 5 <= (CROWD + counts) * 6,
        "{scripts} scripts for {CROWD} joins; look at Machine::pump"
    );

    let mut buffer = vec![0; 64 * 1024];
    // What a client leaves unread waits in the server once the system has no more room for it.
    crowd.iter_mut().for_each(|socket| hear_all_join(socket, &mut buffer));
    let most = BYTES_PER_COPIED_MEMBER + INFO.len() as i64;
    let mut copy = |user| {
        let copies = node(&redis);
        let region = Region::new(ALLOCATOR);
        let mut other = join(&copies, "presence-room", user);
        assert!(client::frame_in(&mut other, &mut buffer).len() > CROWD * INFO.len(), "the whole roster");
        settled(&region, CROWD, most)
    };
    // The other nodes are in this process, and one of them may take memory of its own meanwhile.
    let each = (9000..9003).map(&mut copy).find(|&each| each <= most).unwrap_or_else(|| copy(9003));
    println!("{each} bytes of heap a copied member");
    assert!(each <= most, "{each} bytes of heap a copied member, at most {most}; look at hub::channel");

    let before = memory(&redis);
    let mut socket = client::connect(here.address);
    for number in 0..CROWD {
        client::subscribe(&mut socket, &format!("channel-{number:05}"));
    }
    let last = format!("channels/channel-{:05}", CROWD - 1);
    wait_for(&there, &last, "\"occupied\":true");
    let each = (memory(&redis) - before) / CROWD;
    let most = REDIS_BYTES_PER_CHANNEL + "channel-00000".len();
    println!("{each} bytes of Redis a channel");
    assert!(each > 20 && each <= most, "{each} bytes of Redis a channel, at most {most}; look at apply.lua");
}

#[test]
fn a_signed_in_user_takes_little_of_redis() {
    let _turn = my_turn();
    let redis = Redis::with("hash-max-listpack-entries 0\n");
    let here = node(&redis);
    let ask = |user: usize| {
        let question = format!("users?ids=user-{user:04}");
        wait_for(&here, &question, "\"connections\":1,");
    };
    let _first = sign_in(&here, 9999);
    ask(9999);
    let before = memory(&redis);
    let _crowd: Vec<TcpStream> = (0..CROWD).map(|user| sign_in(&here, user)).collect();
    (0..CROWD).for_each(ask);
    let each = (memory(&redis) - before) / CROWD;
    println!("{each} bytes of Redis a signed-in user");
    let most = REDIS_BYTES_PER_USER;
    assert!(
        each > 100 && each <= most,
        "{each} bytes of Redis a user, at most {most}; look at hub::users::online"
    );
}

/// `PUBLISH` of an event as another node sends it, so many times.
fn published(many: usize) -> Vec<u8> {
    let (layout, app) = (Layout::new("fanfare:", 16), AppId::from(ID));
    let name = layout.topic_name(&layout.topic(&app, &ChannelName::trusted("news")));
    let event = EventMessage {
        kind: EventKind::Event,
        flags: 0,
        node: 7,
        number: 0,
        except: None,
        channel: "news",
        text: br#"{"event":"e","channel":"news","data":"x"}"#,
    };
    let message = event.write();
    let mut command =
        format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{name}\r\n${}\r\n", name.len(), message.len()).into_bytes();
    command.extend(message);
    command.extend(b"\r\n");
    command.repeat(many)
}

#[test]
fn an_event_that_is_heard_allocates_little() {
    const EVENTS: usize = 200;
    let _turn = my_turn();
    let redis = Redis::start();
    let here = node(&redis);
    let mut socket = here.crowd(1, "news").pop().expect("a subscriber");
    let mut publisher = TcpStream::connect(("127.0.0.1", redis.port)).expect("Redis accepts");
    let commands = published(EVENTS);
    let mut once = || {
        publisher.write_all(&commands).expect("Redis reads");
        (0..EVENTS).for_each(|_| assert!(client::frame(&mut socket) > 0));
    };
    once();
    // A round without a beat in between is the cheapest.
    let least = (0..20).map(|_| during(&mut once).allocations).min().expect("some rounds");
    println!("{least} allocations for {EVENTS} events heard");
    assert!(
        least * 10 <= EVENTS * TENTHS_PER_EVENT_HEARD,
        "{least} allocations for {EVENTS} events; look at workers, the subscriber and relay::heard"
    );
}

/// Allocations of a publish to nobody here, at the least.
fn publish_to_nobody(server: &Running) -> usize {
    const PUBLISHES: usize = 100;
    let request = client::signed("POST", "events", r#"{"name":"e","data":"x","channels":["news"]}"#);
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut answer = [0; 4096];
    let mut round = || {
        for _ in 0..PUBLISHES {
            client::ask(&mut api, &request, &mut answer);
        }
    };
    round();
    (0..20).map(|_| during(&mut round).allocations / PUBLISHES).min().expect("some rounds")
}

#[test]
fn an_event_that_is_told_to_other_nodes_allocates_little_more() {
    let _turn = my_turn();
    let alone = start_in(tempfile::tempdir().expect("a temporary folder can be made"), "");
    let without = publish_to_nobody(&alone);
    drop(alone);
    let redis = Redis::start();
    let with = publish_to_nobody(&node(&redis));
    println!("{with} allocations a publish with other nodes, {without} alone");
    let more = with.saturating_sub(without);
    assert!(more <= ALLOCATIONS_PER_EVENT_TOLD, "{more} allocations more; look at Bus::publish and link");
}
