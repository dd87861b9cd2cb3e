//! The heap cost of a connection and a channel, and the rest after they have ended.

use std::net::TcpStream;
use std::time::Instant;

use stats_alloc::Region;

use crate::client::DEADLINE;
use crate::server::{Running, start, start_in};
use crate::{ALLOCATOR, client, during, kept, my_turn, settled};

const CROWD: usize = 500;

/// Most bytes of heap of a connection with one subscription that is shared with others: 1,860, and in one server of twelve 42 more, in
/// which a table has just doubled.
const BYTES_PER_CONNECTION: i64 = 1_920;

/// Most bytes that a connection leaves behind, averaged over all.
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
    // One-time memory for the first crowd of this size is not measured.
    leave(&server, come(&server));
    let mut crowd = Vec::new();
    let coming = during(|| crowd = come(&server));
    let region = Region::new(ALLOCATOR);
    leave(&server, crowd);
    // The last tasks end a moment after their connections are no longer counted.
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

/// Most bytes of heap of an HTTP connection that is kept alive without a request.
const BYTES_PER_IDLE_HTTP: i64 = 1_400;

#[test]
fn an_idle_http_connection_takes_little_heap() {
    let _turn = my_turn();
    let server = start();
    let come = || {
        let mut crowd = Vec::with_capacity(CROWD);
        let mut answer = [0; 4096];
        for _ in 0..CROWD {
            let mut socket = TcpStream::connect(server.address).expect("the server accepts");
            client::ask(&mut socket, b"GET /up HTTP/1.1\r\nHost: fanfare\r\n\r\n", &mut answer);
            crowd.push(socket);
        }
        crowd
    };
    // One-time memory for the first crowd of this size is not measured.
    drop(come());
    server.wait_for_no_http();
    let region = Region::new(ALLOCATOR);
    let crowd = come();
    let warm = kept(&region.change()) / CROWD as i64;
    let each = settled(&region, CROWD, BYTES_PER_IDLE_HTTP);
    println!("{each} bytes of heap an idle HTTP connection, {warm} while hyper keeps its buffers");
    assert!(each <= BYTES_PER_IDLE_HTTP, "at most {BYTES_PER_IDLE_HTTP}; look at connections::serve");
    drop(crowd);
}

#[test]
fn a_channel_that_was_left_leaves_nothing() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = start_in(folder, "[limits]\nsubscriptions_per_second = 100000");
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
        // The answer shows that all earlier commands were handled.
        client::send(&mut socket, r#"{"event":"pusher:ping"}"#);
        client::frame(&mut socket);
    };
    through();
    let left = kept(&during(through)) / 1000;
    println!("{left} bytes left of a channel");
    assert!(left <= 4, "{left} bytes left of each channel that was left; look at AppHub::unsubscribe");
}

/// Most bytes that the system holds of one connection whose peer does not read, beyond what the peer has taken.
const BYTES_IN_THE_SYSTEM: u64 = 160 * 1024;

/// Bytes that the system holds for sending from one port to another, of this machine.
fn held_for_sending(from: u16, to: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux lists its connections");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |field: &str| u16::from_str_radix(field.rsplit_once(':')?.1, 16).ok();
        let is_meant = port(fields.get(1)?) == Some(from) && port(fields.get(2)?) == Some(to);
        let (sending, _) = fields.get(4)?.split_once(':').filter(|_| is_meant)?;
        u64::from_str_radix(sending, 16).ok()
    })
}

#[test]
fn a_reader_that_stalls_has_its_events_in_the_outbox_and_few_in_the_system() {
    let _turn = my_turn();
    let server = start();
    let mut stalled = client::connect(server.address);
    client::subscribe(&mut stalled, "news");
    let port = stalled.local_addr().expect("an address").port();
    let data = "x".repeat(8000);
    let body = format!(r#"{{"name":"e","data":"{data}","channels":["news"]}}"#);
    let request = client::signed("POST", "events", &body);
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut answer = [0; 4096];
    let mut most = 0;
    for _ in 0..120 {
        client::ask(&mut api, &request, &mut answer);
        most = held_for_sending(server.address.port(), port).map_or(most, |held| most.max(held));
    }
    println!("{most} bytes in the system at most, of 960000 that were published");
    assert!(most > 8000, "{most} bytes are held: they are not counted any more");
    assert!(most <= BYTES_IN_THE_SYSTEM, "{most} bytes held; look at UNSENT in connections");
    // All data is there for a peer that reads on after all.
    for _ in 0..120 {
        assert!(client::frame(&mut stalled) > 8000);
    }
}
