//! What a connection and a channel cost in heap, and what is left when they have gone.

use std::net::TcpStream;
use std::time::Instant;

use stats_alloc::Region;

use crate::client::DEADLINE;
use crate::server::{Running, start};
use crate::{ALLOCATOR, client, during, kept, my_turn};

const CROWD: usize = 500;

/// Most bytes of heap of a connection with one subscription that is shared with others.
const BYTES_PER_CONNECTION: i64 = 1_900;

/// Most bytes that a connection leaves behind, counted over all that were there.
const BYTES_LEFT: i64 = 16;

fn come(server: &Running) -> Vec<TcpStream> {
    let crowd = server.crowd(CROWD, "news");
    server.wait_for_connections(CROWD);
    crowd
}

fn leave(server: &Running, crowd: Vec<TcpStream>) {
    drop(crowd);
    server.wait_for_connections(0);
}

#[test]
fn an_idle_connection_takes_little_heap_and_leaves_nothing() {
    let _turn = my_turn();
    let server = start();
    // What the first crowd of its size needs once is not measured.
    leave(&server, come(&server));
    let mut crowd = Vec::new();
    let coming = during(|| crowd = come(&server));
    let region = Region::new(ALLOCATOR);
    leave(&server, crowd);
    // The last tasks end a moment after their connections have been counted out.
    let left_now = || (kept(&coming) + kept(&region.change())) / CROWD as i64;
    let began = Instant::now();
    while left_now() > BYTES_LEFT && began.elapsed() < DEADLINE {
        server.wait_for_connections(0);
    }
    let (each, left) = (kept(&coming) / CROWD as i64, left_now());
    println!("{each} bytes of heap a connection; {left} left when it has gone");
    assert!(
        each <= BYTES_PER_CONNECTION,
        "{each} bytes of heap a connection, at most {BYTES_PER_CONNECTION}; look at ws::run's task and hub"
    );
    assert!(
        left <= BYTES_LEFT,
        "{left} bytes left of each connection that has gone, at most {BYTES_LEFT}; what does hub keep?"
    );
}

#[test]
fn a_channel_that_was_left_leaves_nothing() {
    let _turn = my_turn();
    let server = start();
    let mut socket = client::connect(server.address);
    let mut through = || {
        for number in 0..1000 {
            client::subscribe(&mut socket, &format!("channel-{number:05}"));
            client::send(
                &mut socket,
                &format!(
                    "{{\"event\":\"pusher:unsubscribe\",\"data\":{{\"channel\":\"channel-{number:05}\"}}}}"
                ),
            );
        }
        // Whatever was sent before has been done when this is answered.
        client::send(&mut socket, r#"{"event":"pusher:ping"}"#);
        client::frame(&mut socket);
    };
    through();
    let left = kept(&during(through)) / 1000;
    println!("{left} bytes left of a channel");
    assert!(left <= 4, "{left} bytes left of each channel that was left; look at AppHub::unsubscribe");
}
