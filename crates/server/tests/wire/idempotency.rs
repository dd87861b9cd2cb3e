//! Publishing twice by accident: a publish with an idempotency key is done once (API-022 … API-024).

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::support::api::Request;
use crate::support::http::Answer;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

const EVENT: &str = r#"{"name":"e","channels":["news"],"data":"1"}"#;

/// A publish with the key in its header.
pub fn keyed(path: &str, key: &str, body: &str) -> Request {
    Request::post(&format!("/apps/3{path}"), body).header("Idempotency-Key", key)
}

/// The id in the answer to an accepted publish.
#[track_caller]
pub fn id_of(answer: &Answer) -> String {
    answer.head.header("fanfare-event-id").unwrap_or_else(|| panic!("no id: {answer:?}")).to_owned()
}

#[test]
fn api_022_the_same_request_gets_the_first_answer_and_its_id_again_and_is_published_once() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    let with_info = r#"{"name":"e","channels":["news"],"data":"1","info":"subscription_count"}"#;
    let first = api.send(&keyed("/events", "k", with_info));
    first.expect(r#"{"channels":{"news":{"subscription_count":1}}}"#);
    let mut other = server.connect();
    other.subscribe("news");
    let again = api.send(&keyed("/events", "k", with_info));
    again.expect(r#"{"channels":{"news":{"subscription_count":1}}}"#);
    assert_eq!(id_of(&again), id_of(&first));
    // Each path and each app has keys of its own.
    let batch = r#"{"batch":[{"name":"e","channel":"news","data":"2"}],"idempotency_key":"k"}"#;
    let ids = [0, 1].map(|_| id_of(&api.post("/batch_events", batch)));
    assert_eq!(ids[0], ids[1]);
    let raw = || keyed("/channels/news/events", "k", "3").param("name", "e");
    let ids = [0, 1].map(|_| {
        let answer = api.send(&raw());
        assert_eq!((answer.head.status, &*answer.body), (202, ""));
        id_of(&answer)
    });
    assert_eq!(ids[0], ids[1]);
    for data in ["1", "2", "3"] {
        socket.expect_event("news", "e", data);
    }
    // The data of a raw event is no place for a key.
    let data = r#"{"idempotency_key":"k"}"#;
    let raw = || Request::post("/apps/3/channels/news/events", data).param("name", "e");
    assert_ne!(id_of(&api.send(&raw())), id_of(&api.send(&raw())));
    socket.expect_event("news", "e", data);
    socket.expect_event("news", "e", data);
    socket.expect_nothing_more();
}

#[test]
fn api_022_the_field_of_the_body_is_a_key_too_and_the_header_goes_before_it() {
    let server = TestServer::start();
    let mut api = server.api();
    let body =
        |key: &str| json!({"name": "e", "channels": ["a"], "data": "1", "idempotency_key": key}).to_string();
    let first = id_of(&api.post("/events", body("k")));
    assert_eq!(id_of(&api.post("/events", body("k"))), first);
    assert_ne!(id_of(&api.post("/events", body("l"))), first);
    // The header's key, with the body that names another.
    assert_ne!(id_of(&api.send(&keyed("/events", "m", &body("k")))), first);
    api.send(&keyed("/events", "k", &body("l"))).refused(422, "another request");
    let none = r#"{"name":"e","channels":["a"],"data":"1","idempotency_key":null}"#;
    assert_ne!(id_of(&api.post("/events", none)), id_of(&api.post("/events", none)), "null is no key");
    // In the data the field's name means nothing.
    let data = r#"{"name":"e","channels":["a"],"data":"{\"idempotency_key\":\"k\"}"}"#;
    assert_ne!(id_of(&api.post("/events", data)), id_of(&api.post("/events", data)));
}

#[test]
fn api_022_what_is_no_key_is_400() {
    let server = TestServer::start();
    let mut api = server.api();
    for key in ["", "é", "a\tb", &"x".repeat(256)] {
        api.send(&keyed("/events", key, EVENT)).refused(400, "1 to 255 printable characters");
        let body = json!({"name": "e", "channels": ["a"], "data": "1", "idempotency_key": key}).to_string();
        api.post("/events", body).refused(400, "1 to 255 printable characters");
    }
    let number = r#"{"name":"e","channels":["a"],"data":"1","idempotency_key":1}"#;
    api.post("/events", number).refused(400, "Expected idempotency_key parameter to be a string");
    assert_eq!(api.send(&keyed("/events", &"x".repeat(255), EVENT)).head.status, 200);
}

#[test]
fn api_023_another_body_is_422_and_a_refused_publish_does_not_use_its_key_up() {
    let server = Setup::bare().app(APP, "messages_per_day = 2").start();
    let mut api = server.api();
    api.send(&keyed("/events", "k", r#"{"name":"e","channels":[],"data":"1"}"#)).refused(400, "");
    let first = api.send(&keyed("/events", "k", EVENT));
    first.expect("{}");
    for other in [&*format!("{EVENT} "), r#"{"name":"e","channels":["news"],"data":"2"}"#, "not JSON"] {
        let refused = api.send(&keyed("/events", "k", other));
        refused.refused(422, "another request");
        assert_eq!(refused.head.header("fanfare-event-id"), None);
    }
    // A repeat is no message: the quota has room for one more.
    assert_eq!(id_of(&api.send(&keyed("/events", "k", EVENT))), id_of(&first));
    api.send(&keyed("/events", "l", EVENT)).expect("{}");
    api.send(&keyed("/events", "m", EVENT)).refused(403, "quota");
    api.send(&keyed("/events", "m", EVENT)).refused(403, "quota");
    assert_eq!(id_of(&api.send(&keyed("/events", "k", EVENT))), id_of(&first));
}

/// Eight publishers of one event, who ask these servers in turns until they are told that it was published; their ids.
pub fn eight_publish(servers: &[&TestServer], key: &str) -> Vec<String> {
    let start = Barrier::new(8);
    thread::scope(|scope| {
        let publisher = |at: usize| {
            let (mut api, start) = (servers[at % servers.len()].api(), &start);
            scope.spawn(move || {
                start.wait();
                eventually("it is published", || {
                    let answer = api.send(&keyed("/events", key, EVENT));
                    assert!([200, 409].contains(&answer.head.status), "{answer:?}");
                    (answer.head.status == 200).then(|| id_of(&answer))
                })
            })
        };
        let publishers: Vec<_> = (0..8).map(publisher).collect();
        publishers.into_iter().map(|one| one.join().expect("a publisher")).collect()
    })
}

#[test]
fn api_023_eight_publishers_who_retry_at_once_publish_once() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    for round in 0..20 {
        let ids = eight_publish(&[&server], &format!("round-{round}"));
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        socket.expect_event("news", "e", "1");
    }
    socket.expect_nothing_more();
}

#[test]
fn api_024_the_bounds_are_settings_and_metrics_show_what_became_of_each_request() {
    let server = Setup::new().config("[idempotency]\napp_bytes = 1000").start();
    let mut api = server.api();
    let ids: Vec<String> =
        ["1", "2", "3", "4", "5"].map(|key| id_of(&api.send(&keyed("/events", key, EVENT)))).into();
    assert_eq!(
        id_of(&api.send(&keyed("/events", "5", EVENT))),
        ids[4],
        "a thousand bytes are room for three"
    );
    assert_ne!(id_of(&api.send(&keyed("/events", "1", EVENT))), ids[0], "the oldest has gone");
    api.send(&keyed("/events", "5", "{}")).refused(422, "");
    for (outcome, count) in [("first", 6.0), ("again", 1.0), ("under_way", 0.0), ("other_request", 1.0)] {
        let name = format!("fanfare_idempotency_requests_total{{outcome=\"{outcome}\"}}");
        server.expect_metric(&name, count);
    }
    server.expect_metric("fanfare_idempotency_keys", 3.0);
    server.expect_metric("fanfare_idempotency_keys_evicted_total", 3.0);
    let bytes = server.metric("fanfare_idempotency_bytes");
    assert!((3.0 * 320.0..1000.0).contains(&bytes), "{bytes} bytes");
}
