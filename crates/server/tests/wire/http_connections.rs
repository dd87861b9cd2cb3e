//! The bounds on HTTP connections, and the connection that is closed for a new one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::support::admin::{Admin, token};
use crate::support::api::Request;
use crate::support::application::{Application, Reply};
use crate::support::authorization::Post;
use crate::support::http::Http;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::tls::Secured;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, eventually};

const HEALTHY: &str = r#"{"health":"OK"}"#;

fn closed(listener: &str, reason: &str) -> String {
    format!("fanfare_http_connections_closed_total{{listener=\"{listener}\",reason=\"{reason}\"}}")
}

const OPEN: &str = "fanfare_http_connections{listener=\"public\"}";

/// A kept-alive connection after one request.
#[track_caller]
fn kept_alive(addr: SocketAddr) -> Http {
    let mut http = Http::connect(addr);
    http.get("/up").expect(HEALTHY);
    http
}

const EVENT: &str = r#"{"name":"e","channels":["news"],"data":"d"}"#;

/// A connection whose request's body does not arrive.
#[track_caller]
fn without_body(addr: SocketAddr) -> Http {
    let mut http = Http::connect(addr);
    let head = Request::post("/apps/3/events", EVENT).open_head();
    let length = EVENT.len();
    http.write(format!("{head}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n").as_bytes());
    assert_eq!(http.head().status, 100, "it is being read");
    http
}

/// Connections whose requests the application does not answer, so that the requests stay under way.
#[track_caller]
fn under_way(server: &TestServer, application: &Application, count: usize) -> Vec<Http> {
    let all = (0..count).map(|_| Post::channel("private-orders").begin(server.addr)).collect();
    application.expect_questions(count);
    all
}

/// Whether the server has closed a connection on which nothing was sent; without waiting for others.
#[track_caller]
fn expect_closed(mut http: Http) {
    assert_eq!(http.until_end(), "");
}

#[test]
fn the_idlest_connection_is_closed_for_a_newcomer() {
    let server = Setup::new().config("[limits]\nhttp_connections = 3").start();
    let mut first = kept_alive(server.addr);
    let second = kept_alive(server.addr);
    let mut third = kept_alive(server.addr);
    // Now the second connection has been idle for longest.
    assert!(third.is_left_alone_for(Duration::from_millis(20)));
    first.get("/up").expect(HEALTHY);
    let mut newcomer = kept_alive(server.addr);
    expect_closed(second);
    for http in [&mut first, &mut third, &mut newcomer] {
        http.get("/up").expect(HEALTHY);
    }
    server.expect_metric(&closed("public", "made_room"), 1.0);
}

#[test]
fn where_a_request_is_under_way_everywhere_the_newcomer_is_closed_and_later_ones_are_not() {
    let application = Application::start(|_| Reply::Hang);
    let setup = Setup::with_app(&application.settings());
    let server = setup.config("[limits]\nhttp_connections = 2\n[timeouts]\napplication = 60").start();
    let mut busy = under_way(&server, &application, 2);
    expect_closed(Http::connect(server.addr));
    server.expect_metric(&closed("public", "full"), 1.0);
    server.process.log_line("the refusal, and the setting", |line| {
        (line.contains("reason=\"full\"") && line.contains("limits.http_connections")).then_some(())
    });
    application.let_go();
    for http in &mut busy {
        assert_eq!(http.answer().head.status, 200);
    }
    kept_alive(server.addr);
}

#[test]
fn a_head_that_does_not_end_keeps_nobody_out() {
    let server = Setup::new().config("[limits]\nhttp_connections = 2").start();
    let stalled = [Http::connect(server.addr), Http::connect(server.addr)].map(|mut http| {
        http.write(b"GET /up HTTP/1.1\r\nHost: lo");
        http
    });
    let mut newcomers = [kept_alive(server.addr), kept_alive(server.addr)];
    for http in stalled {
        expect_closed(http);
    }
    for http in &mut newcomers {
        http.get("/up").expect(HEALTHY);
    }
}

#[test]
fn bodies_that_do_not_come_keep_nobody_out() {
    let server = Setup::new().config("[limits]\nhttp_connections = 4").start();
    let mut slow: Vec<Http> = (0..4).map(|_| without_body(server.addr)).collect();
    let mut newcomers: Vec<Http> = (0..4).map(|_| kept_alive(server.addr)).collect();
    for http in slow.drain(..) {
        expect_closed(http);
    }
    for http in &mut newcomers {
        http.get("/up").expect(HEALTHY);
    }
    server.expect_metric(&closed("public", "made_room"), 4.0);
    for target in ["/apps/3/events".to_owned(), format!("/app/{}/auth", APP.key)] {
        let unsigned = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n");
        for _ in 0..4 {
            let mut http = Http::connect(server.addr);
            http.write(unsigned.as_bytes());
            slow.push(http);
        }
        let _newcomers: Vec<Http> = (0..4).map(|_| kept_alive(server.addr)).collect();
    }
    server.expect_metric(&closed("public", "full"), 0.0);
}

#[test]
fn refusals_that_are_not_read_keep_nobody_out() {
    let secured = Secured::start_with(Setup::new().config("[limits]\nhttp_connections = 4"));
    let server = &secured.server;
    let target = "/app/nobody?protocol=7";
    let beginnings = [
        (server.addr, Upgrade::to(target).bytes()),
        (server.addr, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec()),
        (secured.addr(), b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ];
    for (addr, bytes) in beginnings {
        let refused: Vec<Http> = (0..4)
            .map(|_| {
                let mut http = Http::connect(addr);
                http.write(&bytes);
                assert!([101, 400].contains(&http.head().status));
                http
            })
            .collect();
        let made_room = server.metric(&closed("public", "made_room"));
        // Each refused connection waits for its peer to hang up, for at most a second.
        let began = Instant::now();
        let _newcomers: Vec<Http> = (0..4).map(|_| kept_alive(server.addr)).collect();
        let told = server.metric(&closed("public", "made_room")) - made_room;
        assert!(told > 0.0 || began.elapsed() > Duration::from_millis(500), "nobody has made room");
        drop(refused);
    }
    server.expect_metric(&closed("public", "full"), 0.0);
}

#[test]
fn a_body_that_comes_byte_by_byte_makes_its_connection_no_younger() {
    let server = Setup::new().config("[limits]\nhttp_connections = 2").start();
    let mut slow = without_body(server.addr);
    assert!(slow.is_left_alone_for(Duration::from_millis(20)));
    let mut idle = kept_alive(server.addr);
    slow.write(&EVENT.as_bytes()[..1]);
    assert!(idle.is_left_alone_for(Duration::from_millis(50)), "the byte is read meanwhile");
    let _newcomer = kept_alive(server.addr);
    expect_closed(slow);
    idle.get("/up").expect(HEALTHY);
}

#[test]
fn one_address_has_its_own_bound_and_takes_nobody_elses_place() {
    let settings = "[listen]\ntrusted_proxies = []\n[limits]\nhttp_connections_per_address = 2";
    let application = Application::start(|_| Reply::Hang);
    let server = Setup::with_app(&application.settings()).config(settings).start();
    let from = |last: u8| -> Http {
        let mut http = Http::connect_from(IpAddr::from(Ipv4Addr::new(127, 0, 0, last)), server.addr);
        http.get("/up").expect(HEALTHY);
        http
    };
    let mut other = from(2);
    let (first, mut second) = (from(3), from(3));
    let mut third = from(3);
    expect_closed(first);
    for http in [&mut other, &mut second, &mut third] {
        http.get("/up").expect(HEALTHY);
    }
    let _busy = under_way(&server, &application, 2);
    expect_closed(Http::connect(server.addr));
    server.expect_metric(&closed("public", "address_full"), 1.0);
    other.get("/up").expect(HEALTHY);
}

#[test]
fn trusted_proxies_are_held_to_the_bound_of_the_node_alone() {
    let server = Setup::new().config("[limits]\nhttp_connections_per_address = 1").start();
    let mut all: Vec<Http> = (0..20).map(|_| kept_alive(server.addr)).collect();
    for http in &mut all {
        http.get("/up").expect(HEALTHY);
    }
}

#[test]
fn a_websocket_gives_its_place_back_and_so_does_whoever_hangs_up() {
    let secured = Secured::start_with(Setup::new().config("[limits]\nhttp_connections = 2"));
    let server = &secured.server;
    let mut sockets: Vec<_> = (0..5).map(|_| server.connect()).collect();
    sockets.extend((0..5).map(|_| secured.connect()));
    server.expect_metric(OPEN, 0.0);
    drop((kept_alive(server.addr), secured.http()));
    server.expect_metric(OPEN, 0.0);
    for socket in &mut sockets {
        socket.expect_nothing_more();
    }
}

#[test]
fn in_a_drain_every_answer_says_that_the_connection_is_closed() {
    let server = Setup::new().config("[timeouts]\ndrain = 5").start();
    let connection = |http: &mut Http| http.get("/up").head.header("connection").map(str::to_owned);
    let mut first = Http::connect(server.addr);
    assert_eq!(connection(&mut first).as_deref(), Some("keep-alive"));
    let _held = server.connect();
    server.process.signal(Signal::TERM);
    eventually("the drain is told", || (connection(&mut first)? == "close").then_some(()));
    expect_closed(first);
}

#[test]
fn the_last_of_a_hundred_thousand_answers_says_that_the_connection_is_closed() {
    let server = TestServer::start();
    let mut http = Http::connect(server.addr);
    let hundred = b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    for round in 0..1000 {
        http.write(&hundred);
        for number in 1..=100 {
            let is_last = round * 100 + number == 100_000;
            let answer = http.answer();
            let expected = if is_last { "close" } else { "keep-alive" };
            assert_eq!(answer.head.header("connection"), Some(expected), "{round} {number}");
        }
    }
    assert_eq!(http.until_end(), "");
}

/// Raises the file descriptor limit for the sockets of a crowd in this process.
fn raise_descriptors() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).expect("up to the hard limit");
}

#[test]
fn those_who_are_told_that_they_are_not_let_in_keep_no_place_from_newcomers() {
    let server = Setup::new().config("[limits]\nhttp_connections = 4").start();
    let refused = Upgrade::to("/app/no-such-key?protocol=7").bytes();
    // Each client would have a second to answer the close, and none answers.
    let mut silent = Vec::new();
    for bytes in [&refused[..], b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"] {
        for _ in 0..100 {
            let mut http = Http::connect(server.addr);
            http.write(bytes);
            silent.push(http);
            server.public("/up").expect(HEALTHY);
        }
    }
    server.connect().expect_nothing_more();
    assert!(server.metric(&closed("public", "full")) < 0.5);
}

#[test]
fn a_node_without_a_seat_for_websockets_still_answers_back_ends() {
    let server = Setup::new().config("[limits]\nhttp_connections = 4\nconnections = 1").start();
    let _only = server.connect();
    let mut refused = Vec::new();
    for _ in 0..50 {
        refused.push(server.open(&pusher_js(APP)));
        server.public("/up").expect(HEALTHY);
        server.api().publish("news", "e", "{}");
    }
}

#[test]
fn http_connections_that_are_kept_alive_take_no_descriptor_of_others() {
    raise_descriptors();
    let server = Setup::new().descriptors(400).start();
    // More connections than the process may open, on both listeners.
    let mut crowd: Vec<Http> = Vec::new();
    for number in 0..500 {
        let addr = if number % 3 == 0 { server.admin } else { server.addr };
        crowd.push(kept_alive(addr));
    }
    let mut sockets: Vec<_> = (0..100).map(|_| server.connect()).collect();
    server.api().publish("news", "e", "d");
    assert_eq!(server.admin("/ready").body, "ready\n");
    for socket in &mut sockets {
        socket.expect_nothing_more();
    }
    assert!(server.metric(OPEN) < 100.0);
    assert!(server.metric(&closed("public", "made_room")) > 200.0);
    assert!(!server.process.stderr().contains("cannot accept"), "descriptors were short");
}

#[test]
fn the_operators_listener_answers_whoever_keeps_connections_open() {
    let server = TestServer::start();
    let mut idle: Vec<Http> = (0..64).map(|_| kept_alive(server.admin)).collect();
    for http in &mut idle {
        http.get("/up").expect(HEALTHY);
        assert_eq!(server.admin("/ready").body, "ready\n");
    }
}

/// More connections than the operators' listener has slots.
const OPERATORS_CROWD: usize = 150;

#[test]
fn health_and_metrics_are_answered_whatever_bodies_the_operators_listener_waits_for() {
    let server = Setup::bare().config("[timeouts]\nhandshake = 60").start();
    let length = "Content-Length: 9\r\n";
    let stranger = Admin::nobody(&server).head("POST", "/v1/apps", length);
    let token = token(&server, "write");
    let expects = format!("{length}Expect: 100-continue\r\n");
    let operator = Admin::nobody(&server).bearing(&token).head("POST", "/v1/apps", &expects);
    for (head, status) in [(stranger, 401), (operator, 100)] {
        let mut slow = Vec::new();
        for _ in 0..OPERATORS_CROWD {
            let mut http = Http::connect(server.admin);
            http.write(head.as_bytes());
            // From here on the server waits for the body: a connection that is being looked at makes no room.
            assert_eq!(http.head().status, status);
            slow.push(http);
        }
        assert_eq!(server.admin("/ready").body, "ready\n");
        server.admin("/up").expect(HEALTHY);
        assert!(server.admin("/metrics").body.contains("fanfare_"));
        if status == 100 {
            let mut latest = slow.pop().expect("there are many");
            latest.write(b"{nothing}");
            assert_eq!(latest.answer().head.status, 400);
        }
        let refused = ["full", "address_full"].map(|reason| server.metric(&closed("admin", reason)));
        assert_eq!(refused, [0.0, 0.0]);
    }
    server.process.log_line("the places of this listener", |line| {
        (line.contains("reason=\"made_room\"") && line.contains("the operators' listener")).then_some(())
    });
}

#[test]
fn a_stranger_is_refused_before_the_body_is_there() {
    let server = Setup::bare().config("[timeouts]\nhandshake = 60").start();
    let head = Admin::nobody(&server).head("POST", "/v1/apps", "Content-Length: 9\r\n");
    let mut http = Http::connect(server.admin);
    http.write(head.as_bytes());
    assert_eq!(http.answer().head.status, 401);
}
