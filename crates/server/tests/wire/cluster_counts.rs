//! Numbers of subscriptions over two nodes: right from the first, and right again after everything was said twice.

use fanfare_testing::cable::Mode;
use fanfare_testing::redis::Redis;
use serde_json::Value;

use crate::cluster::{expect_in_touch, pair};
use crate::cluster_faults::disturbed;
use crate::support::server::TestServer;
use crate::support::socket::Socket;
use crate::support::{APP, eventually};

#[test]
fn ws_177_and_cl_022_the_first_number_that_a_newcomer_hears_counts_the_newcomer_in() {
    let redis = Redis::start();
    let servers = pair(&redis, "subscription_counts = true");
    for channel in ["news", "cache-news"] {
        let mut sockets: Vec<Socket> = Vec::new();
        for number in 1..=6 {
            let mut newcomer = servers[number / 2 % 2].connect();
            newcomer.subscribe(channel);
            if channel.starts_with("cache-") {
                newcomer.expect_cache_miss(channel);
            }
            newcomer.expect_count(channel, number);
            for socket in &mut sockets {
                // A number may be told twice: with who is first on a node the cluster is asked once more.
                while counted(socket) != number {}
            }
            sockets.push(newcomer);
        }
    }
}

/// The next message, which must be a number of subscriptions.
fn counted(socket: &mut Socket) -> usize {
    let frame = socket.json();
    assert_eq!(frame["event"], "pusher_internal:subscription_count", "{frame}");
    let data: Value = serde_json::from_str(frame["data"].as_str().expect("WS-101")).expect("JSON");
    data["subscription_count"].as_u64().and_then(|count| count.try_into().ok()).expect("a number")
}

fn count(server: &TestServer) -> String {
    server.api().get("/channels/news", &[("info", "subscription_count")]).body
}

#[test]
fn cl_023_a_number_that_is_said_again_and_late_counts_once() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let _first = one.connect().subscribed_to("news");
    let _others = [two.connect().subscribed_to("news"), two.connect().subscribed_to("news")];
    let expect = |number: usize| {
        let wanted = format!(r#"{{"occupied":true,"subscription_count":{number}}}"#);
        for server in [&one, &two] {
            eventually(&wanted, || (count(server) == wanted).then_some(()));
        }
    };
    expect(3);
    // What is said now arrives after the next connection has said everything anew.
    cable.set(Mode::Hold);
    let _late = two.connect().subscribed_to("news");
    expect(4);
    cable.set(Mode::Pass);
    for _ in 0..2 {
        cable.set(Mode::Cut);
        expect_ready_degraded(&two);
        cable.set(Mode::Pass);
        expect_in_touch(&two);
        expect(4);
    }
    assert!(two.metric("fanfare_bus_lost_total") > 2.5);
}

/// Waits until a node says that it is out of touch.
fn expect_ready_degraded(server: &TestServer) {
    crate::cluster::expect_ready(server, 200, "degraded");
}

impl Socket {
    /// The same connection, subscribed to a public channel.
    fn subscribed_to(mut self, channel: &str) -> Self {
        self.subscribe(channel);
        self
    }
}

#[test]
fn cl_052_closing_a_user_is_answered_503_while_redis_takes_nothing_and_may_be_repeated() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let mut sockets = [one.connect(), two.connect()];
    for socket in &mut sockets {
        socket.sign_in(APP, r#"{"id":"7"}"#);
    }
    cable.set(Mode::Stall);
    two.api().post("/users/7/terminate_connections", "{}").refused(503, "try again");
    let [mut at_one, mut at_two] = sockets;
    at_two.expect_close_code(4009);
    // The other node may have heard of it, or not: only the answer is missing for certain.
    cable.set(Mode::Pass);
    expect_in_touch(&two);
    two.api().post("/users/7/terminate_connections", "{}").expect("{}");
    at_one.expect_close_code(4009);
    let mut again = two.connect();
    again.sign_in(APP, r#"{"id":"7"}"#);
    again.expect_nothing_more();
}
