//! A page whose connection is cut again and again, and that comes back to another node each time, while these and a third publish
//! at a high rate: where the answer is complete, nothing is lost, nothing comes twice, and the order is kept (RES-005, RES-014).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use fanfare_testing::redis::Redis;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::cluster::node;
use crate::resume::{back, expect_resumed};
use crate::resume_elsewhere::nodes;
use crate::support::APP;
use crate::support::api::Api;
use crate::support::server::TestServer;
use crate::support::socket::Socket;

const CHANNELS: [&str; 3] = ["news", "private-orders", "presence-room"];

/// What was published: by channel and publisher the numbers that exclude nobody, in order.
type Published = BTreeMap<(String, char), Vec<u64>>;

/// The add-on, and what a page shows with it.
#[derive(Default)]
struct Page {
    positions: BTreeMap<&'static str, (String, u64)>,
    got: BTreeMap<&'static str, Vec<(char, u64)>>,
    complete: usize,
    incomplete: usize,
}

/// Numbers that only look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

impl Page {
    /// Connects, and asks for every channel.
    fn connect(&self, server: &TestServer, at: &Mutex<String>) -> (Socket, String) {
        let (mut socket, token) = back(server, &json!(self.positions));
        at.lock().clone_from(&socket.id);
        for channel in CHANNELS {
            let data = channel.starts_with("presence-").then_some(r#"{"user_id":"ann"}"#);
            match channel {
                "news" => socket.ask_for(channel),
                _ => socket.ask_signed(APP, channel, data),
            }
        }
        (socket, token)
    }

    fn hear(&mut self, frame: &Value, token: &str, acknowledged: &mut BTreeSet<&str>) {
        let Some(channel) = CHANNELS.into_iter().find(|channel| frame["channel"] == *channel) else { return };
        let data = frame["data"].as_str().expect("a text");
        match frame["event"].as_str().expect("a text") {
            "pusher_internal:subscription_succeeded" => {
                acknowledged.insert(channel);
                self.positions.insert(channel, (token.to_owned(), 0));
                return;
            }
            "fanfare:resumed" => {
                let is_complete = data.contains(r#""complete":true"#);
                self.complete += usize::from(is_complete);
                self.incomplete += usize::from(!is_complete);
                if !is_complete {
                    // The page has fetched its state, and begins anew.
                    self.got.remove(channel);
                }
                return;
            }
            "e" => {
                let (publisher, number) = data.split_at(1);
                let publisher = publisher.chars().next().expect("a letter");
                let number = number.parse().expect("a number");
                self.got.entry(channel).or_default().push((publisher, number));
            }
            _ => {}
        }
        assert!(acknowledged.contains(channel), "WS-125: {frame}");
        self.positions.get_mut(channel).expect("it is acknowledged").1 += 1;
    }

    /// Since the page has begun, or begun anew, nothing is missing, nothing came twice, and the order is kept.
    fn expect_all(&self, published: &[Published]) {
        for ((channel, publisher), numbers) in published.iter().flatten() {
            let got: Vec<u64> = self.got[channel.as_str()]
                .iter()
                .filter(|(by, _)| by == publisher)
                .map(|(_, number)| *number)
                .collect();
            assert!(got.is_sorted_by(|one, next| one < next), "twice or out of order: {channel} {publisher}");
            let wanted: BTreeSet<u64> = numbers.iter().copied().collect();
            let Some(first) = got.first().copied() else { continue };
            let missing: Vec<&u64> = wanted
                .iter()
                .filter(|number| **number > first && got.binary_search(number).is_err())
                .collect();
            assert!(missing.is_empty(), "{channel} {publisher}: {missing:?} are missing");
        }
    }
}

/// Publishes on all channels as much as the page allows; every seventh event excludes the page's socket of the moment.
fn publish(
    mut api: Api,
    publisher: char,
    page: Arc<Mutex<String>>,
    allowed: Receiver<()>,
) -> thread::JoinHandle<Published> {
    thread::spawn(move || {
        let mut published = Published::new();
        for (number, ()) in allowed.into_iter().enumerate() {
            let channel = CHANNELS[number % CHANNELS.len()];
            let data = format!("{publisher}{number}");
            let mut body = json!({ "name": "e", "channel": channel, "data": data });
            if number % 7 == 0 {
                body["socket_id"] = page.lock().clone().into();
            } else {
                published.entry((channel.to_owned(), publisher)).or_default().push(number as u64);
            }
            api.post("/events", body.to_string()).expect("{}");
        }
        published
    })
}

/// Cuts the page's connection so often; during each connection three publishers have so many events each, and the page gets twice
/// so many at most. `lose` says how many of the last messages of each connection get lost.
fn cut(times: usize, seed: u64, most: u64, lose: impl Fn(&mut Dice) -> u64) {
    let redis = Redis::start();
    let nodes = nodes(&redis, "resume_seconds = 60");
    // The page is never on the third, which publishes.
    let third = node(&redis, "node_name = \"three\"", "resume_seconds = 60");
    let at = Arc::new(Mutex::new("1.1".to_owned()));
    let (allowing, publishers): (Vec<Sender<()>>, Vec<_>) =
        [('A', &nodes[0]), ('B', &nodes[1]), ('C', &third)]
            .map(|(publisher, node)| {
                let (allow, allowed) = channel();
                (allow, publish(node.api(), publisher, Arc::clone(&at), allowed))
            })
            .into_iter()
            .unzip();
    let (mut page, mut dice) = (Page::default(), Dice(seed));
    let mut half_open = Vec::new();
    for time in 0..times {
        let (mut socket, token) = page.connect(&nodes[time % 2], &at);
        for allow in &allowing {
            (0..most).for_each(|_| allow.send(()).expect("a publisher publishes until the end"));
        }
        let mut acknowledged = BTreeSet::new();
        let (heard, lost) = (if time == 0 { most } else { dice.below(2 * most) }, lose(&mut dice));
        for _ in 0..heard {
            page.hear(&socket.json(), &token, &mut acknowledged);
        }
        for _ in 0..lost {
            socket.json();
        }
        if dice.below(3) == 0 {
            half_open.push(socket);
        }
    }
    drop(allowing);
    let published: Vec<Published> =
        publishers.into_iter().map(|publisher| publisher.join().expect("it publishes")).collect();
    let (mut socket, token) = page.connect(&nodes[times % 2], &at);
    let mut acknowledged = BTreeSet::new();
    while acknowledged.len() < CHANNELS.len() {
        page.hear(&socket.json(), &token, &mut acknowledged);
    }
    for (publisher, node) in ["X", "Y", "Z"].into_iter().zip(nodes.iter().chain([&third])) {
        CHANNELS.into_iter().for_each(|channel| node.api().publish(channel, "e", &format!("{publisher}0")));
    }
    let has_all = |got: &Vec<(char, u64)>| ['X', 'Y', 'Z'].iter().all(|last| got.contains(&(*last, 0)));
    while !CHANNELS.iter().all(|channel| page.got.get(channel).is_some_and(has_all)) {
        page.hear(&socket.json(), &token, &mut acknowledged);
    }
    let (complete, incomplete) = (page.complete, page.incomplete);
    assert!(complete > times / 4 && incomplete <= complete / 10, "{complete} {incomplete}");
    page.expect_all(&published);
}

#[test]
fn res_014_soft_cuts_to_the_other_node_lose_and_double_nothing() {
    cut(30, 1, 60, |dice| dice.below(20));
}

#[test]
fn res_014_harsh_cuts_to_the_other_node_lose_and_double_nothing() {
    cut(80, 2, 20, |_| 0);
}

#[test]
fn res_014_a_page_of_one_node_and_then_of_the_other_gets_what_it_missed() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis, "resume_seconds = 60");
    let (mut socket, token) = back(&one, &json!({}));
    socket.subscribe("news");
    drop(socket);
    one.api().publish("news", "e", "1");
    two.api().publish("news", "e", "2");
    let (mut socket, _) = back(&two, &json!({ "news": [token, 0] }));
    socket.subscribe("news");
    let mut got: Vec<String> =
        (0..2).map(|_| socket.json()["data"].as_str().expect("a text").to_owned()).collect();
    got.sort_unstable();
    assert_eq!(got, ["1", "2"]);
    expect_resumed(&mut socket, "news", 2, true);
}
