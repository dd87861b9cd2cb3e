//! The cost of a publish with an idempotency key, beside the same publish without, and of a key that is remembered.

use std::net::TcpStream;

use crate::deliveries::{PUBLISHES, event};
use crate::server::start;
use crate::{client, during, kept, my_turn};

/// Most allocations of a publish with a key beyond those of one without.
const ALLOCATIONS_MORE: usize = 6;

/// Most bytes of heap of a key that is remembered: what its bound counts for it.
const BYTES_PER_KEY: i64 = 320;

/// An event with the key of this number.
fn keyed(number: usize) -> Vec<u8> {
    let plain = String::from_utf8(event()).expect("a text");
    plain.replacen("\r\n\r\n", &format!("\r\nIdempotency-Key: order-{number:08}\r\n\r\n"), 1).into_bytes()
}

#[test]
fn a_publish_with_a_key_allocates_little_more_and_a_repeat_less_than_a_publish() {
    let _turn = my_turn();
    let server = start();
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut socket = server.crowd(1, "news").pop().expect("a subscriber");
    let mut answer = [0; 4096];
    let mut allocations = |requests: &[Vec<u8>], is_heard: bool| {
        let mut all = |requests: &[Vec<u8>]| {
            for request in requests {
                client::ask(&mut api, request, &mut answer);
                if is_heard {
                    client::frame(&mut socket);
                }
            }
        };
        let (first, measured) = requests.split_at(requests.len() - PUBLISHES);
        all(first);
        during(|| all(measured)).allocations.div_ceil(PUBLISHES)
    };
    let plain = allocations(&vec![event(); PUBLISHES + 20], true);
    let fresh = allocations(&(0..PUBLISHES + 20).map(keyed).collect::<Vec<_>>(), true);
    let again = allocations(&vec![keyed(0); PUBLISHES + 20], false);
    println!("{plain} allocations a publish, {fresh} with a key, {again} for a repeat");
    assert!(fresh <= plain + ALLOCATIONS_MORE, "{fresh} allocations with a key; look at node::idempotency");
    assert!(again <= plain, "{again} allocations for a repeat; look at api::idempotency");
}

#[test]
fn a_remembered_key_takes_no_more_heap_than_is_counted_for_it() {
    const KEYS: usize = 4000;
    let _turn = my_turn();
    let server = start();
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut answer = [0; 4096];
    client::ask(&mut api, &keyed(KEYS), &mut answer);
    let requests: Vec<Vec<u8>> = (0..KEYS).map(keyed).collect();
    let change = during(|| {
        requests.iter().for_each(|request| assert!(client::ask(&mut api, request, &mut answer) > 0))
    });
    let each = kept(&change) / KEYS as i64;
    println!("{each} bytes of heap a key");
    assert!(
        (16..=BYTES_PER_KEY).contains(&each),
        "{each} bytes of heap a key, at most {BYTES_PER_KEY}; look at KEY_COST"
    );
}
