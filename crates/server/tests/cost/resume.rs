//! The cost of an app whose clients resume, beside the same app without.

use std::net::TcpStream;

use crate::deliveries::{ALLOCATIONS_PER_PUBLISH, PUBLISHES, event, publish};
use crate::server::{Running, start_with_app};
use crate::{client, during, kept, my_turn};

/// Allocations of a publish beyond those without resuming: an exact copy of the frame, shared with all outboxes.
const ALLOCATIONS_MORE: usize = 3;

const CROWD: usize = 500;

/// Most bytes of heap of a connection that counts, with one subscription: its token and its runs included.
const BYTES_PER_CONNECTION: i64 = 2_400;

/// Subscribed connections that count.
fn crowd(server: &Running, size: usize) -> Vec<TcpStream> {
    let mut crowd = server.crowd(size, "news");
    for socket in &mut crowd {
        // The offer came first, so the acknowledgement is still to be read.
        assert!(client::frame(socket) > 0);
        client::send(socket, r#"{"event":"fanfare:resume","data":{}}"#);
        client::send(socket, r#"{"event":"pusher:ping"}"#);
        client::frame(socket);
    }
    crowd
}

#[test]
fn a_publish_allocates_one_copy_more_and_a_delivery_nothing() {
    let _turn = my_turn();
    let server = start_with_app("resume_seconds = 60");
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut few = crowd(&server, 1);
    let each = publish(&mut api, &mut few, &event()).div_ceil(PUBLISHES);
    println!("{each} allocations a publish whose event is kept");
    let most = ALLOCATIONS_PER_PUBLISH + ALLOCATIONS_MORE;
    assert!(each <= most, "{each} allocations a publish, at most {most}; look at hub::channel::ring");
    few.extend(crowd(&server, 100));
    let many = publish(&mut api, &mut few, &event()).div_ceil(PUBLISHES);
    println!("{many} with a hundred subscribers more");
    assert!(
        many <= each + 1,
        "{many} allocations with a hundred subscribers more; look at Channel::push_unless"
    );
}

#[test]
fn a_connection_that_counts_takes_a_bounded_heap() {
    let _turn = my_turn();
    let server = start_with_app("resume_seconds = 60");
    // One-time memory for the first crowd of this size is not measured.
    drop(crowd(&server, CROWD));
    server.wait_for_connections(0);
    let mut sockets = Vec::new();
    let coming = during(|| sockets = crowd(&server, CROWD));
    let each = kept(&coming) / CROWD as i64;
    println!("{each} bytes of heap a connection that counts");
    assert!(each <= BYTES_PER_CONNECTION, "at most {BYTES_PER_CONNECTION}; look at hub::resume");
    drop(sockets);
    server.wait_for_connections(0);
}
