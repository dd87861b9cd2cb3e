//! The cost of users who are signed in: the heap of one, and the allocations of asking who is online.

use std::net::TcpStream;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::server::{KEY, Running, SECRET, start};
use crate::{client, during, kept, my_turn};

const CROWD: usize = 500;

/// Most bytes of heap of a signed-in connection beyond those of one that is not, each its own user.
const BYTES_PER_USER: i64 = 520;

/// Most allocations of asking about one user, and about a hundred.
const ALLOCATIONS_PER_QUESTION: [usize; 2] = [30, 290];

/// A connection that has asked to sign in as a user.
pub fn sign_in(node: &Running, user: usize) -> TcpStream {
    let mut socket = TcpStream::connect(node.address).expect("the server accepts");
    socket.set_nodelay(true).expect("a socket need not wait for more to send");
    socket.set_read_timeout(Some(client::DEADLINE)).expect("a socket takes a time limit");
    client::handshake(&mut socket);
    let mut buffer = [0; 1024];
    let id = client::socket_id(client::frame_in(&mut socket, &mut buffer)).to_owned();
    let data = format!("{{\"id\":\"user-{user:04}\"}}");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(format!("{id}::user::{data}").as_bytes());
    let auth = format!("{KEY}:{}", hex::encode(mac.finalize().into_bytes()));
    let data = data.replace('"', "\\\"");
    let signing_in = format!("{{\"auth\":\"{auth}\",\"user_data\":\"{data}\"}}");
    client::send(&mut socket, &format!("{{\"event\":\"pusher:signin\",\"data\":{signing_in}}}"));
    assert!(client::frame(&mut socket) > 0, "the answer");
    socket
}

#[test]
fn a_signed_in_user_takes_little_heap() {
    let _turn = my_turn();
    let server = start();
    let plain = || (0..CROWD).map(|_| client::connect(server.address)).collect::<Vec<_>>();
    let signed_in = || (0..CROWD).map(|user| sign_in(&server, user)).collect::<Vec<_>>();
    let each = |come: &dyn Fn() -> Vec<TcpStream>| {
        let mut crowd = Vec::new();
        let coming = during(|| {
            crowd = come();
            server.wait_for_connections(CROWD);
        });
        drop(crowd);
        server.wait_for_connections(0);
        kept(&coming) / CROWD as i64
    };
    // One-time memory for the first crowd of this size is not measured.
    each(&signed_in);
    let (without, with) = (each(&plain), each(&signed_in));
    println!("{with} bytes of heap a signed-in connection, {without} another");
    assert!(with > without, "{with} bytes with a user: the user is not measured any more");
    assert!(with <= without + BYTES_PER_USER, "at most {BYTES_PER_USER} more; look at hub::users");
}

#[test]
fn who_is_online_is_answered_with_few_allocations() {
    const QUESTIONS: usize = 100;
    let _turn = my_turn();
    let server = start();
    let _crowd: Vec<TcpStream> = (0..100).map(|user| sign_in(&server, user)).collect();
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut answer = vec![0; 32 * 1024];
    for (count, most) in [1, 100].into_iter().zip(ALLOCATIONS_PER_QUESTION) {
        let ids: Vec<String> = (0..count).map(|user| format!("user-{user:04}")).collect();
        let question = client::signed("POST", "users", &format!("{{\"ids\":[\"{}\"]}}", ids.join("\",\"")));
        let mut ask = || {
            for _ in 0..QUESTIONS {
                let length = client::ask(&mut api, &question, &mut answer);
                assert!(length > 60 * count, "everybody is online");
            }
        };
        ask();
        let each = during(ask).allocations.div_ceil(QUESTIONS);
        println!("{each} allocations for a question about {count} users");
        assert!(each <= most, "{each} allocations, at most {most}; look at api::users and census::online");
    }
}
