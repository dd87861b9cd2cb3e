//! Webhooks of several nodes: what shares a request.

use std::time::{Duration, Instant};

use fanfare_testing::redis::Redis;

use crate::cluster::node;
use crate::support::receiver::{Receiver, events_of};
use crate::support::server::TestServer;
use crate::support::{APP, eventually, eventually_within};

const ROOM: &str = "presence-room";

fn events(receiver: &Receiver) -> usize {
    receiver.so_far().iter().map(|request| events_of(request).len()).sum()
}

#[test]
fn hook_024_what_happens_in_one_window_on_any_node_shares_a_request() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let app = format!("{}batch = true\n", receiver.setting(&["presence"]));
    let nodes: [TestServer; 2] = ["one", "two"]
        .map(|name| node(&redis, &format!("node_name = {name:?}\n[webhooks]\nbatch = 1000"), &app));
    // The epoch is not young any more when the first is told.
    let mut first = nodes[0].connect();
    first.join(APP, ROOM, r#"{"user_id":"first"}"#);
    let wait = Duration::from_secs(30);
    eventually_within(wait, "the first event", || (events(&receiver) == 1).then_some(()));
    let before = receiver.so_far().len();
    let began = Instant::now();
    let mut sockets = Vec::new();
    for number in 0..40 {
        let mut socket = nodes[number % 2].connect();
        socket.join(APP, ROOM, &format!(r#"{{"user_id":"u{number}"}}"#));
        sockets.push(socket);
    }
    let windows = usize::try_from(began.elapsed().as_secs()).expect("a short while") + 2;
    eventually("all events", || (events(&receiver) == 41).then_some(()));
    let requests = receiver.so_far().len() - before;
    assert!(requests <= windows, "{requests} requests in {windows} windows");
}
