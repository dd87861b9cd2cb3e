//! Many webhooks of two nodes: what shares a request, and what waits when the sender dies.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fanfare_testing::redis::Redis;

use crate::cluster::node;
use crate::cluster_faults::{ROOM, member};
use crate::support::application::Reply;
use crate::support::receiver::{Receiver, events_of};
use crate::support::server::TestServer;
use crate::support::{APP, eventually_within};

/// For what waits for a lease, and for an epoch to settle.
const WAIT: Duration = Duration::from_secs(60);

fn told(receiver: &Receiver) -> Vec<String> {
    receiver.so_far().iter().flat_map(events_of).collect()
}

#[test]
fn hook_024_what_happens_in_one_window_on_any_node_shares_a_request() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let app = format!("{}batch = true\n", receiver.setting(&["presence"]));
    let nodes = ["one", "two"]
        .map(|name| node(&redis, &format!("node_name = {name:?}\n[webhooks]\nbatch = 1000"), &app));
    // The epoch is not young any more when the first is told.
    let mut first = nodes[0].connect();
    first.join(APP, ROOM, &member("first"));
    eventually_within(WAIT, "the first event", || (told(&receiver).len() == 1).then_some(()));
    let before = receiver.so_far().len();
    let began = Instant::now();
    let mut sockets = Vec::new();
    for number in 0..40 {
        let mut socket = nodes[number % 2].connect();
        socket.join(APP, ROOM, &member(&format!("u{number}")));
        sockets.push(socket);
    }
    let windows = usize::try_from(began.elapsed().as_secs()).expect("a short while") + 2;
    eventually_within(WAIT, "all events", || (told(&receiver).len() == 41).then_some(()));
    let requests = receiver.so_far().len() - before;
    assert!(requests <= windows, "{requests} requests in {windows} windows");
}

#[test]
fn cl_113_thousands_that_wait_are_sent_by_another_node_when_their_sender_dies() {
    let redis = Redis::start();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let receiver =
        Receiver::saying(move |_| Reply::Body(if well.load(Ordering::Relaxed) { 200 } else { 500 }, ""));
    let app = format!("{}batch = true\n", receiver.setting(&["channel_existence"]));
    let sender = node(&redis, "", &app);
    let taken = |server: &TestServer| server.metric("fanfare_bus_hooks_taken_over_total");
    eventually_within(WAIT, "it sends for all partitions", || (taken(&sender) > 15.5).then_some(()));
    let other = node(&redis, "", &app);
    let mut sockets = [other.connect(), other.connect(), other.connect()];
    for (socket, number) in sockets.iter_mut().zip(0..) {
        for channel in 0..1000 {
            socket.subscribe(&format!("c{}", number * 1000 + channel));
        }
    }
    // The sender has tried, and has been refused.
    eventually_within(WAIT, "a request", || (!receiver.so_far().is_empty()).then_some(()));
    drop(sender);
    let before = receiver.so_far().len();
    is_well.store(true, Ordering::Relaxed);
    let told = || -> Vec<String> { receiver.so_far()[before..].iter().flat_map(events_of).collect() };
    eventually_within(WAIT, "all channels", || (told().len() >= 3000).then_some(()));
    assert!(taken(&other) > 15.5);
    let expected: BTreeSet<String> = (0..3000).map(|number| format!("channel_occupied c{number}")).collect();
    assert_eq!((told().len(), told().into_iter().collect::<BTreeSet<_>>()), (3000, expected));
}
