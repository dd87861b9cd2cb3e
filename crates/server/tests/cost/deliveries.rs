//! The cost of a delivery and a publish in allocations, and of a burst in system calls.

use std::net::TcpStream;

use crate::server::{Running, start};
use crate::{client, during, my_turn};

/// Publishes measured at once; unrelated allocations are spread over this many.
pub const PUBLISHES: usize = 200;

/// Most allocations of one publish over HTTP to one subscriber.
pub const ALLOCATIONS_PER_PUBLISH: usize = 28;

pub fn event() -> Vec<u8> {
    client::signed("POST", "events", r#"{"name":"e","data":"{\"a\":1}","channels":["news"]}"#)
}

/// Publishes this many times, each time waiting until every client has the event; returns the allocations.
pub fn publish(api: &mut TcpStream, crowd: &mut [TcpStream], request: &[u8]) -> usize {
    let mut answer = [0; 4096];
    let mut once = || {
        client::ask(api, request, &mut answer);
        for socket in &mut *crowd {
            client::frame(socket);
        }
    };
    // Memory that is allocated once, and kept, is not the cost of a publish.
    for _ in 0..20 {
        once();
    }
    during(|| (0..PUBLISHES).for_each(|_| once())).allocations
}

#[test]
fn a_delivery_allocates_nothing() {
    let _turn = my_turn();
    let server = start();
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let request = event();
    let mut crowd = server.crowd(10, "news");
    let few = publish(&mut api, &mut crowd, &request);
    crowd.extend(server.crowd(100, "news"));
    let many = publish(&mut api, &mut crowd, &request);
    let deliveries = 100 * PUBLISHES;
    let more = many.saturating_sub(few);
    println!("{more} allocations for {deliveries} more deliveries");
    assert!(
        more * 100 < deliveries,
        "{more} allocations more for {deliveries} deliveries more; look at Outbox::push and ws::write"
    );
}

#[test]
fn a_publish_allocates_little() {
    let _turn = my_turn();
    let server = start();
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut crowd = server.crowd(1, "news");
    let each = publish(&mut api, &mut crowd, &event()).div_ceil(PUBLISHES);
    println!("{each} allocations a publish");
    assert!(
        each <= ALLOCATIONS_PER_PUBLISH,
        "{each} allocations a publish, at most {ALLOCATIONS_PER_PUBLISH}; look at http::signed and publish"
    );
}

/// Writes that this process has asked the system for: `write` and `writev`, which the server uses, but
/// not `send`, which the clients of these tests use.
fn writes() -> usize {
    let counts = std::fs::read_to_string("/proc/self/io").expect("Linux counts the calls of a process");
    let calls = counts.lines().find_map(|line| line.strip_prefix("syscw: ")).expect("a count of writes");
    calls.parse().expect("a number")
}

fn burst_of_ten(server: &Running, crowd: &mut [TcpStream]) -> usize {
    let item = r#"{"channel":"news","name":"e","data":"x"}"#;
    let request =
        client::signed("POST", "batch_events", &format!("{{\"batch\":[{}]}}", [item; 10].join(",")));
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut answer = [0; 4096];
    let before = writes();
    client::ask(&mut api, &request, &mut answer);
    for socket in crowd {
        for _ in 0..10 {
            client::frame(socket);
        }
    }
    writes() - before
}

#[test]
fn a_burst_of_ten_leaves_in_one_system_call_for_each_subscriber() {
    let _turn = my_turn();
    let server = start();
    let mut crowd = server.crowd(100, "news");
    let calls = burst_of_ten(&server, &mut crowd);
    println!("{calls} writes for 1000 deliveries in bursts of ten");
    // One write for the answer, and a few for waking up the runtime.
    assert!(calls >= 100, "{calls} writes to 100 subscribers: they are not counted any more");
    assert!(calls <= 110, "{calls} writes for bursts of ten to 100 subscribers; look at ws::write");
}
