//! What the traces of an app cost the path of its events (CON-043).

use std::net::TcpStream;

use crate::deliveries::{PUBLISHES, event};
use crate::server::{Running, start, start_with_app};
use crate::{client, during, my_turn};

/// Most allocations of a publish to a channel beyond those of one without a trace: five for the trace as it is made, three as it is
/// kept.
const ALLOCATIONS_MORE: usize = 8;

/// Most times that a publish makes memory larger or smaller beyond one without a trace.
const REALLOCATIONS_MORE: usize = 0;

/// Allocations and reallocations of a publish.
fn costs(server: &Running) -> (usize, usize) {
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut socket = server.crowd(1, "news").pop().expect("a subscriber");
    let (request, mut answer) = (event(), [0; 4096]);
    let mut once = || {
        client::ask(&mut api, &request, &mut answer);
        client::frame(&mut socket);
    };
    // All traces that are kept are made, and some go.
    (0..PUBLISHES + 20).for_each(|_| once());
    let change = during(|| (0..PUBLISHES).for_each(|_| once()));
    // The server's chores allocate a few times in all, and not once a publish.
    (change.allocations / PUBLISHES, change.reallocations / PUBLISHES)
}

#[test]
fn con_043_a_traced_publish_allocates_what_is_kept_and_little_more() {
    let _turn = my_turn();
    let (plain, traced) = (costs(&start()), costs(&start_with_app("trace = true")));
    println!("{plain:?} allocations and reallocations a publish, {traced:?} with a trace");
    assert!(traced.0 <= plain.0 + ALLOCATIONS_MORE, "{traced:?}, {plain:?} without; look at trace::kept");
    assert!(traced.1 <= plain.1 + REALLOCATIONS_MORE, "{traced:?}, {plain:?} without; look at trace::kept");
}
