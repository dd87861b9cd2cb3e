//! A site whose answers panic, and slots that are taken and released.

mod half_closed;
mod lending;
mod streams;

use std::future::{pending, ready};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_apps::Apps;
use fanfare_config::Config;
use fanfare_node::tasks::Tasks;
use http_body_util::BodyExt as _;
use hyper::{Request, StatusCode, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::descriptors::Division;
use crate::http::{Answer, answer};
use crate::sockets::BoundSockets;
use crate::state::State;

/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(10);

/// More bytes than the system accepts at once.
const LARGE: usize = 16 * 1024 * 1024;

/// Panics at `/panic`, before and after a wait; answers at `/large` with a large body, and at `/echo` with the request's.
pub(super) struct Faulty(Arc<State>);

impl Site for Faulty {
    fn state(&self) -> &State {
        &self.0
    }

    async fn answer(&self, _peer: Peer, request: Request<RequestBody>) -> Answer {
        if request.uri().path() == "/panic/later" {
            yield_now().await;
        }
        assert!(!request.uri().path().starts_with("/panic"), "as it should");
        if request.uri().path() == "/large" {
            return answer::text(StatusCode::OK, &"x".repeat(LARGE));
        }
        if request.uri().path().starts_with("/echo") {
            let is_later = request.uri().path().ends_with("/later");
            let Ok(body) = request.into_body().collect().await else {
                return answer::text(StatusCode::BAD_REQUEST, "It has broken off");
            };
            if is_later {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            return answer::text(StatusCode::OK, std::str::from_utf8(&body.to_bytes()).unwrap());
        }
        answer::text(StatusCode::OK, "fine")
    }

    async fn after_panic(&self, target: &Uri) -> Answer {
        answer::text(StatusCode::INTERNAL_SERVER_ERROR, &format!("It has failed at {}", target.path()))
    }
}

/// A faulty site with this many slots.
pub(super) async fn site(http: usize) -> Faulty {
    Faulty(state(Config::default(), http).await)
}

async fn state(config: Config, http: usize) -> Arc<State> {
    let apps = Apps::open(Vec::new(), None, config.kept()).await.unwrap();
    let division = Division { http, http_per_address: http, ..Division::default() };
    Arc::new(State::new(config, apps, Tasks::default(), &division))
}

/// The state and the address of a served [`site`].
async fn faulty(http: usize) -> (Arc<State>, std::net::SocketAddr) {
    let site = site(http).await;
    let state = Arc::clone(&site.0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listening = Listening::new(site, Arc::clone(&state.places), None);
    tokio::spawn(listening.run(listener, pending(), pending()));
    (state, address)
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_panic_in_answering_is_a_500_that_is_counted_and_ends_that_connection_alone() {
    let (state, address) = faulty(10).await;
    let mut other = TcpStream::connect(address).await.unwrap();
    for path in ["/panic", "/panic/later"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream, path).await;
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("it is hung up on").unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\nIt has failed at {path}\n")), "{answer}");
        ask(&mut other, "/").await;
        let mut some = [0; 12];
        timeout(DEADLINE, other.read_exact(&mut some)).await.expect("others are answered").unwrap();
        let mut rest = [0; 4096];
        let _ = other.read(&mut rest).await.unwrap();
        assert_eq!(&some, b"HTTP/1.1 200");
    }
    assert!(state.node.metrics.text().contains("fanfare_panics_total{where=\"request\"} 2\n"));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_for_a_newcomer_does_not_end_like_a_whole_one() {
    let (state, address) = faulty(1).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    ask(&mut slow, "/large").await;
    let mut answer = vec![0; 12];
    timeout(DEADLINE, slow.read_exact(&mut answer)).await.expect("it is being answered").unwrap();
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    ask(&mut newcomer, "/").await;
    let mut some = [0; 12];
    timeout(DEADLINE, newcomer.read_exact(&mut some)).await.expect("it is answered").unwrap();
    assert_eq!(&some, b"HTTP/1.1 200");
    assert_eq!(state.places.closed(Closed::MadeRoom), 1);
    let ended = timeout(DEADLINE, slow.read_to_end(&mut answer)).await.expect("it is hung up on");
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(answer.len() < LARGE);
}

fn places(all: usize, per_address: usize) -> Arc<Places> {
    Arc::new(Places::new(ConnectionBounds {
        listener: Listener::Public,
        all,
        per_address,
        exempt: ExemptNetworks::default(),
    }))
}

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// A moment later than all before.
fn later() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(1, Ordering::Relaxed)
}

fn enter(places: &Arc<Places>, last: u8) -> Result<Place, Closed> {
    Places::enter_at(places, address(last), later())
}

#[test]
fn places_are_given_up_from_the_idlest_on_and_never_those_with_a_request() {
    let places = places(40, 40);
    let all: Vec<Place> = (0..40).map(|_| enter(&places, 1).unwrap()).collect();
    all[0].activity().begin();
    all[2].activity().begin();
    all[2].activity().end(later());
    for newcomer in 0..30 {
        let _gone_at_once = enter(&places, 1).unwrap();
        let leaving: Vec<usize> = (0..40).filter(|&at| all[at].activity().is_leaving()).collect();
        let expected: Vec<usize> = [1].into_iter().chain(3..40).take(1 + newcomer).collect();
        assert_eq!(leaving[..], expected[..leaving.len()], "in the order in which they came");
    }
    assert!(!all[0].activity().is_leaving() && !all[2].activity().is_leaving());
}

#[test]
fn no_more_than_a_few_are_on_their_way_out_at_a_time() {
    let places = places(200, 200);
    let first: Vec<Place> = (0..200).map(|_| enter(&places, 1).unwrap()).collect();
    let mut newcomers = Vec::new();
    let refused = loop {
        match enter(&places, 1) {
            Ok(place) => newcomers.push(place),
            Err(why) => break why,
        }
    };
    assert_eq!((newcomers.len(), refused), (64, Closed::AddressFull));
    drop(first);
    assert_eq!(places.open(), 64);
    enter(&places, 1).unwrap();
}

#[test]
fn a_connection_whose_answer_is_still_being_written_is_closed_only_when_no_other_is_left() {
    let places = places(4, 4);
    let all: Vec<Place> = (0..4).map(|_| enter(&places, 1).unwrap()).collect();
    all[0].activity().took_nothing();
    all[3].activity().begin();
    let leaving = || (0..4).filter(|&at| all[at].activity().is_leaving()).collect::<Vec<_>>();
    let busy = || {
        let place = enter(&places, 1).unwrap();
        place.activity().begin();
        place
    };
    let _first = busy();
    assert_eq!(leaving(), [1]);
    let _second = busy();
    assert_eq!(leaving(), [1, 2]);
    let _third = busy();
    assert_eq!(leaving(), [0, 1, 2]);
}

#[test]
fn a_connection_whose_body_does_not_come_makes_room_and_answers_if_the_body_came_in_that_moment() {
    let places = places(2, 2);
    let all = [enter(&places, 1).unwrap(), enter(&places, 1).unwrap()];
    for place in &all {
        place.activity().begin();
        place.activity().want_body();
    }
    assert!(enter(&places, 1).is_err(), "the bodies may have come");
    for place in all.iter().rev() {
        place.activity().wait_for_peer(later());
    }
    let [first, second] = all.map(|place| (Arc::clone(place.activity()), place));
    let third = enter(&places, 1).unwrap();
    assert!(second.0.is_leaving() && !first.0.is_leaving(), "the one that has waited for longest");
    second.0.want_no_body();
    assert!(second.0.must_close());
    first.0.want_no_body();
    third.activity().begin();
    assert!(!first.0.must_close());
    assert!(enter(&places, 1).is_err(), "the server works on each");
}

#[tokio::test]
async fn a_farewell_that_is_not_heard_ends_when_a_newcomer_needs_the_place() {
    let places = places(1, 1);
    let place = enter(&places, 1).unwrap();
    place.activity().begin();
    let activity = Arc::clone(place.activity());
    let farewell = tokio::spawn(async move { place.until_needed(std::future::pending()).await });
    while activity.waiting().is_none() {
        yield_now().await;
    }
    enter(&places, 1).unwrap();
    timeout(DEADLINE, farewell).await.expect("the place is given back").unwrap();
    assert_eq!(places.open(), 0);
}

#[test]
fn who_hangs_up_unasked_is_never_counted_as_on_the_way_out() {
    let places = places(64, 64);
    let mut all = Vec::new();
    for _ in 0..200 {
        while all.len() < 64 {
            all.push(enter(&places, 1).unwrap());
        }
        all.push(enter(&places, 1).expect("the idlest makes room"));
        assert_eq!(places.leaving(), 1);
        // The chosen connection, and those remembered as next.
        all.drain(..8);
        assert_eq!(places.leaving(), 0);
        all.truncate(40);
    }
    assert_eq!(places.open(), 40);
}

#[test]
fn an_address_that_has_gone_is_forgotten_and_ipv6_counts_by_its_network() {
    let places = places(100, 2);
    let six = |text: &str| Places::enter(&places, text.parse().unwrap());
    let first = [six("2001:db8::1").unwrap(), six("2001:db8::ffff:2").unwrap()];
    for place in &first {
        place.activity().begin();
        assert!(!place.activity().must_close());
    }
    assert_eq!(six("2001:db8:0:0:1::1").unwrap_err(), Closed::AddressFull);
    let elsewhere = six("2001:db8:0:1::1").unwrap();
    drop((first, elsewhere));
    assert_eq!(places.open(), 0);
    assert_eq!(places.addresses(), 0);
    six("2001:db8::3").unwrap();
}

#[test]
fn who_was_told_to_leave_while_a_request_came_answers_it_and_says_close() {
    let places = places(1, 1);
    let first = enter(&places, 1).unwrap();
    let second = enter(&places, 1).unwrap();
    first.activity().begin();
    assert!(first.activity().must_close(), "told to leave");
    first.activity().end(later());
    // The connection may be chosen again, but is not subtracted twice.
    second.activity().begin();
    assert!(enter(&places, 1).is_err());
    drop(first);
    second.activity().end(later());
    let _third = enter(&places, 1).unwrap();
    drop(second);
    assert_eq!(places.open(), 1);
}

/// Clients whom nobody has accepted yet, up to the system's queue.
const QUEUED: usize = 900;

#[tokio::test]
async fn a_process_that_hands_over_serves_all_that_the_system_has_taken_for_it() {
    let site = site(2 * QUEUED).await;
    let state = Arc::clone(&site.0);
    let address = fanfare_config::ListenAddress::parse("127.0.0.1:0").unwrap();
    let bound = BoundSockets::bind(address, true).await.unwrap();
    let address = bound.address().unwrap();
    let sockets = bound.listen().unwrap();
    let mut clients = Vec::new();
    for _ in 0..QUEUED {
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client, "/").await;
        clients.push(client);
    }
    let listening = Listening::new(site, Arc::clone(&state.places), None);
    // The drain begins at once.
    tokio::spawn(listening.run(sockets, ready(()), pending()));
    for (number, client) in clients.iter_mut().enumerate() {
        let mut some = [0; 12];
        let answered = timeout(DEADLINE, client.read_exact(&mut some)).await.expect("in time");
        assert!(answered.is_ok() && &some == b"HTTP/1.1 200", "client {number}: {answered:?}");
    }
    assert!(TcpStream::connect(address).await.is_err(), "the next process takes whoever comes later");
}
