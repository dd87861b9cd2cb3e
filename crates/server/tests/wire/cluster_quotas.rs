//! The quota of messages a second over two nodes: each has a share, which follows what back ends want of it.

use std::thread;
use std::time::{Duration, Instant};

use fanfare_testing::redis::Redis;
use serde_json::json;

use crate::cluster::pair;
use crate::support::eventually;
use crate::support::server::TestServer;

/// Messages a second, of both nodes together.
const QUOTA: usize = 100;

/// Messages of one request; refused or accepted whole.
const BATCH: usize = 5;

/// Between two requests: ten times the quota is wanted.
const PAUSE: Duration = Duration::from_millis(5);

/// A back end that wants more than the quota for so long; the messages that were accepted, and the seconds it took.
fn press(server: &TestServer, time: Duration) -> (usize, f64) {
    let item = json!({"channel": "news", "name": "e", "data": "d"});
    let body = json!({"batch": vec![item; BATCH]}).to_string();
    let mut api = server.api();
    let (start, mut accepted) = (Instant::now(), 0);
    while start.elapsed() < time {
        let status = api.post("/batch_events", &*body).head.status;
        assert!([200, 403].contains(&status), "{status}");
        accepted += if status == 200 { BATCH } else { 0 };
        thread::sleep(PAUSE);
    }
    (accepted, start.elapsed().as_secs_f64())
}

/// Waits until a node alone accepts nearly all of the quota for two seconds.
fn expect_whole(server: &TestServer) {
    eventually("the whole quota on one node", || {
        let (accepted, seconds) = press(server, Duration::from_secs(2));
        (accepted as f64 > 0.8 * QUOTA as f64 * seconds).then_some(())
    });
}

#[test]
fn cl_064_two_nodes_share_the_messages_of_a_second_and_one_alone_has_them_all() {
    let redis = Redis::start();
    let servers = pair(&redis, &format!("messages_per_second = {QUOTA}"));
    let [one, two] = &servers;
    expect_whole(one);

    let time = Duration::from_secs(8);
    let [first, second] = thread::scope(|scope| {
        [one, two]
            .map(|server| scope.spawn(move || press(server, time)))
            .map(|back_end| back_end.join().expect("a back end does not panic"))
    });
    let (accepted, seconds) = (first.0 + second.0, first.1.max(second.1));
    // What a node may use at once is a second's; and for two seconds each may have the whole, before shares are known.
    let most = QUOTA as f64 * (seconds + 2.0 + 2.0);
    assert!((accepted as f64) < most, "{accepted} in {seconds:.1} s: not each node has the quota for itself");
    // A share is a quarter of an equal part at least, and with the same demand about a half.
    let least = QUOTA as f64 * (seconds - 2.0) / 4.0;
    for (node, (accepted, _)) in [first, second].into_iter().enumerate() {
        assert!(accepted as f64 > least, "node {node} had {accepted}, at least {least:.0} were its own");
    }
    assert!(accepted as f64 > 0.7 * QUOTA as f64 * seconds, "{accepted} in {seconds:.1} s: shares are used");

    // The demand moves to one node.
    expect_whole(two);
}
