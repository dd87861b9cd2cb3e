//! Webhook requests, byte for byte: head, body, signature, and the events of one request.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::application::Question;
use crate::support::receiver::{Receiver, events_of, expect_signed};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, App, eventually};

fn time_ms(request: &Question) -> u64 {
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    body["time_ms"].as_u64().expect("HOOK-001: time_ms is a number")
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("a moment of this age")
}

#[test]
fn hook_001_to_hook_003_a_request_is_a_signed_post_whose_headers_are_written_letter_by_letter() {
    let receiver = Receiver::new();
    let settings = receiver.setting(&["channel_existence"]).replace("/hook", "/hook.php?app=3&b=%20");
    let server = Setup::with_app(&settings).start();
    let before = now_ms();
    server.connect().subscribe("news");
    let request = &receiver.requests(1)[0];
    let after = now_ms();
    assert_eq!(request.line, "POST /hook.php?app=3&b=%20");
    let time = time_ms(request);
    assert!((before..=after).contains(&time), "{before} {time} {after}");
    let body = format!(r#"{{"time_ms":{time},"events":[{{"name":"channel_occupied","channel":"news"}}]}}"#);
    assert_eq!(request.body, body);
    expect_signed(request, APP);
    let lines: Vec<&str> = request.head.split("\r\n").skip(1).collect();
    let signature = request.header("x-pusher-signature").expect("a signature");
    for line in [
        "Content-Type: application/json".to_owned(),
        format!("Content-Length: {}", body.len()),
        format!("Host: {}", receiver.host()),
        format!("X-Pusher-Key: {}", APP.key),
        format!("X-Pusher-Signature: {signature}"),
    ] {
        assert!(lines.contains(&&*line), "{line} is not in {lines:?}");
    }
}

#[test]
fn hook_002_without_batching_each_event_is_a_request_of_its_own() {
    let receiver = Receiver::new();
    let server = Setup::with_app(&receiver.setting(&["channel_existence"])).start();
    let mut socket = server.connect();
    for channel in ["a", "b", "c"] {
        socket.subscribe(channel);
    }
    let mut told: Vec<Vec<String>> = receiver.requests(3).iter().map(events_of).collect();
    // Events of different channels may overtake one another.
    told.sort();
    assert_eq!(told, [["channel_occupied a"], ["channel_occupied b"], ["channel_occupied c"]]);
}

/// A receiver of batches that is busy with a first one while the test acts; then the rest comes at once.
struct Batches {
    receiver: Receiver,
    /// Gets the same events, without batches: an event here shows that the other receiver's waits, too.
    witness: Receiver,
    server: TestServer,
    _first: Socket,
}

impl Batches {
    fn start(events: &[&str]) -> Self {
        let (receiver, witness) = (Receiver::hanging(), Receiver::new());
        let settings = format!("{}batch = true\n{}", receiver.setting(events), witness.setting(events));
        let server = Setup::bare().config("[webhooks]\nbatch = 1").app(APP, &settings).start();
        let mut first = server.connect();
        first.subscribe("first");
        receiver.requests(1);
        Self { receiver, witness, server, _first: first }
    }

    /// The batches after the first, when this many events are waiting.
    #[track_caller]
    fn rest(&self, events: usize) -> Vec<Vec<String>> {
        self.witness.requests(events);
        self.receiver.let_go();
        let count =
            |requests: &[Question]| requests.iter().map(|request| events_of(request).len()).sum::<usize>();
        let all = eventually("all events in batches", || {
            let all = self.receiver.so_far();
            (count(&all) >= events).then_some(all)
        });
        for request in &all {
            expect_signed(request, APP);
        }
        all[1..].iter().map(events_of).collect()
    }
}

#[test]
fn hook_002_and_hook_024_what_happens_while_a_batch_is_under_way_comes_together_and_in_order() {
    let batches = Batches::start(&["channel_existence"]);
    let mut socket = batches.server.connect();
    for channel in ["b", "a", "d", "c"] {
        socket.subscribe(channel);
    }
    assert_eq!(
        batches.rest(5),
        [["channel_occupied b", "channel_occupied a", "channel_occupied d", "channel_occupied c"]]
    );
}

#[test]
fn hook_026_an_event_of_an_encrypted_channel_shares_no_request() {
    let batches = Batches::start(&["channel_existence"]);
    let mut socket = batches.server.connect();
    for channel in ["private-a", "private-encrypted-b", "private-encrypted-c", "private-d", "private-e"] {
        socket.subscribe_private(APP, channel);
    }
    assert_eq!(
        batches.rest(6),
        [
            vec!["channel_occupied private-a"],
            vec!["channel_occupied private-encrypted-b"],
            vec!["channel_occupied private-encrypted-c"],
            vec!["channel_occupied private-d", "channel_occupied private-e"],
        ]
    );
}

#[test]
fn hook_004_the_oldest_key_that_is_valid_signs() {
    let receiver = Receiver::new();
    let setting = format!("webhooks={}", receiver.json(&["channel_existence"]));
    let server = TestServer::with_stored_app(&[&setting]);
    let json = server.commanded(&["app", "rotate-key", APP.id, "--json"]);
    let pair: Value = serde_json::from_str(&json).expect("JSON");
    let text = |name: &str| -> &'static str { pair[name].as_str().expect("a text").to_owned().leak() };
    let new = App { id: APP.id, key: text("key"), secret: text("secret") };
    eventually("the new key is known", || {
        (server.api_of(new).get("/channels", &[]).head.status == 200).then_some(())
    });
    let mut socket = server.connect_to(new);
    socket.subscribe("before");
    expect_signed(&receiver.requests(1)[0], APP);
    server.commanded(&["app", "revoke-key", APP.id, APP.key]);
    eventually("the old key is not valid any more", || {
        (server.api().get("/channels", &[]).head.status == 401).then_some(())
    });
    socket.subscribe("after");
    expect_signed(&receiver.requests(2)[1], new);
}
