//! Receivers that fail, hang, are unreachable or redirect.

use crate::support::application::Reply;
use crate::support::receiver::{Receiver, expect_signed};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER, eventually};

const EVENTS: &[&str] = &["channel_existence"];

/// A server that retries after milliseconds.
fn trying(config: &str, webhooks: &str) -> TestServer {
    Setup::bare().config(&format!("[webhooks]\nretry = 1\n{config}")).app(APP, webhooks).start()
}

/// A server that gives up instead of retrying.
fn trying_once(config: &str, webhooks: &str) -> TestServer {
    let config = format!("[webhooks]\nretry = 60000\ngive_up = 50000\n{config}");
    Setup::bare().config(&config).app(APP, webhooks).start()
}

fn deliveries(server: &TestServer) -> [f64; 3] {
    ["webhook_deliveries", "webhook_failures", "webhook_events_dropped"]
        .map(|name| server.metric(&format!("fanfare_{name}_total{{app=\"3\"}}")))
}

#[track_caller]
fn expect_counted(server: &TestServer, [delivered, failed, dropped]: [u32; 3]) {
    let wanted = [delivered, failed, dropped].map(f64::from);
    eventually(&format!("{wanted:?}"), || (deliveries(server) == wanted).then_some(()));
}

#[test]
fn hook_022_and_hook_005_what_is_not_answered_with_2xx_is_tried_again_the_same_to_the_last_byte() {
    let receiver = Receiver::saying(|number| match number {
        0 => Reply::Body(500, "no"),
        1 => Reply::Body(404, ""),
        2 => Reply::Raw(Vec::new()),
        3 => Reply::Raw(b"nonsense\r\n\r\n".to_vec()),
        _ => Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
    });
    let server = trying("", &receiver.setting(EVENTS));
    let mut socket = server.connect();
    socket.subscribe("news");
    let requests = receiver.requests(5);
    for request in &requests {
        assert_eq!((&request.head, &request.body), (&requests[0].head, &requests[0].body));
        expect_signed(request, APP);
    }
    expect_counted(&server, [1, 4, 0]);
    server.process.log_line("the first failure alone", |line| {
        (line.contains("webhook failed; trying again") && line.contains("the answer was 500")).then_some(())
    });
    server.process.log_line("that it is well", |line| line.contains("is answered again").then_some(()));
    assert_eq!(server.process.stderr().matches("trying again").count(), 1);
}

#[test]
fn hook_023_a_redirect_is_not_followed() {
    let elsewhere = Receiver::new();
    let location = format!("HTTP/1.1 307 Elsewhere\r\nLocation: {}\r\n\r\n", elsewhere.url());
    let receiver = Receiver::saying(move |number| match number {
        0 => Reply::Raw(location.clone().into_bytes()),
        _ => Reply::Body(200, ""),
    });
    let server = trying("", &receiver.setting(EVENTS));
    let mut socket = server.connect();
    socket.subscribe("news");
    receiver.requests(2);
    expect_counted(&server, [1, 1, 0]);
    assert!(elsewhere.so_far().is_empty());
}

#[test]
fn hook_023_a_url_that_hangs_or_is_dead_delays_neither_another_nor_connections_nor_other_apps() {
    let (hanging, well, others) = (Receiver::hanging(), Receiver::new(), Receiver::new());
    let dead = "[[apps.list.webhooks]]\nurl = \"http://127.0.0.1:1/\"\nevents = [\"channel_existence\"]\n";
    let webhooks = format!("{}{dead}{}", hanging.setting(EVENTS), well.setting(EVENTS));
    let server = Setup::bare()
        .config("[webhooks]\nretry = 1\ntimeout = 60000\nrequests = 20")
        .app(APP, &webhooks)
        .app(OTHER, &others.setting(EVENTS))
        .start();
    let mut socket = server.connect();
    for number in 0..30 {
        socket.subscribe(&format!("c{number}"));
    }
    well.requests(30);
    let mut other = server.connect_to(OTHER);
    other.subscribe("news");
    others.requests(1);
    socket.expect_nothing_more();
    assert!(hanging.so_far().len() < 30, "so many at once");
    hanging.let_go();
    hanging.requests(30);
}

#[test]
fn hook_023_urls_that_fail_take_no_turns_from_those_that_answer() {
    let failing = Receiver::saying(|number| if number == 0 { Reply::Body(500, "") } else { Reply::Hang });
    let well = Receiver::new();
    let server = trying(
        "timeout = 60000\nrequests = 1",
        &format!("{}{}", failing.setting(EVENTS), well.setting(EVENTS)),
    );
    let mut socket = server.connect();
    socket.subscribe("first");
    failing.requests(2);
    for number in 0..10 {
        socket.subscribe(&format!("c{number}"));
    }
    well.requests(11);
    assert_eq!(failing.so_far().len(), 2, "its second request has not been answered yet");
}

#[test]
fn hook_023_however_many_urls_hang_from_the_beginning_one_that_answers_is_told() {
    let hanging: Vec<Receiver> = (0..3).map(|_| Receiver::hanging()).collect();
    let well = Receiver::new();
    let webhooks: String = hanging.iter().chain([&well]).map(|receiver| receiver.setting(EVENTS)).collect();
    let server = trying("timeout = 60000\nrequests = 1", &webhooks);
    let mut socket = server.connect();
    for number in 0..20 {
        socket.subscribe(&format!("c{number}"));
    }
    well.requests(20);
    server.process.log_line("that others take too long", |line| {
        line.contains("no answer within 500 ms, and too many others are waited for").then_some(())
    });
}

#[test]
fn hook_023_an_answer_that_does_not_come_in_time_is_a_failure() {
    let receiver = Receiver::hanging();
    let server = trying("timeout = 20", &receiver.setting(EVENTS));
    let mut socket = server.connect();
    socket.subscribe("news");
    receiver.requests(2);
    let failed = eventually("a failure", || (deliveries(&server)[1] >= 1.0).then(|| deliveries(&server)));
    assert_eq!((failed[0], failed[2]), (0.0, 0.0));
    receiver.let_go();
    eventually("it arrives", || (deliveries(&server)[0] > 0.5).then_some(()));
}

#[test]
fn hook_022_what_is_given_up_is_counted_and_logged_with_the_host_alone() {
    let receiver = Receiver::saying(|_| Reply::Body(503, "secret answer"));
    let webhook = receiver.setting(EVENTS).replace("/hook", "/hook/hush?token=hush");
    let server = trying_once("", &webhook);
    let mut socket = server.connect();
    socket.subscribe("the-channel");
    receiver.requests(1);
    expect_counted(&server, [0, 1, 1]);
    let host = receiver.host();
    server.process.log_line("what was dropped", |line| {
        let parts = ["WARN", "fanfare::webhooks", "app=\"3\"", &host, "given_up=1", "dropped"];
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
    let log = server.process.stderr();
    assert!(!log.contains("hush") && !log.contains("the-channel") && !log.contains("secret"), "{log}");
}

#[test]
fn an_answer_is_a_success_however_long_its_body_is() {
    let receiver = Receiver::saying(|_| {
        let body = "x".repeat(200_000);
        Reply::Raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    });
    let server = trying("", &receiver.setting(EVENTS));
    let mut socket = server.connect();
    socket.subscribe("news");
    expect_counted(&server, [1, 0, 0]);
}
