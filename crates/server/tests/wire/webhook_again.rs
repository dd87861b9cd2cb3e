//! A failed delivery sent once more by an operator, and what the receiver answered (CON-054).

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster_lists::{is_of_both, once, pair_with};
use crate::support::admin::Admin;
use crate::support::application::Reply;
use crate::support::receiver::{Receiver, expect_signed};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

const DELIVERIES: &str = "/v1/apps/3/webhooks/deliveries";

/// A server of the app whose webhook's failed requests are given up at once.
fn server_of(receiver: &Receiver) -> TestServer {
    let config = "[apps]\ndatabase = \"sqlite\"\n[webhooks]\nretry = 60000\ngive_up = 50000\n";
    Setup::bare().config(config).app(APP, &receiver.setting(&["channel_existence"])).start()
}

/// The rows of the webhook, the newest first, as soon as there are so many.
#[track_caller]
fn rows(admin: &Admin, count: usize) -> Vec<Value> {
    eventually(&format!("{count} deliveries"), || {
        let rows = admin.get(DELIVERIES).expect(200)["webhooks"][0]["deliveries"].as_array().cloned();
        rows.filter(|rows| rows.len() == count)
    })
}

fn again(row: &Value) -> String {
    format!("{DELIVERIES}/{}/again", row["id"].as_str().expect("a text"))
}

#[test]
fn con_054_a_delivery_that_failed_is_repeated_byte_for_byte_and_the_audit_log_says_by_whom() {
    let receiver = Receiver::saying(|number| match number {
        0 => Reply::Body(500, "it has \u{7}failed"),
        _ => Reply::Body(200, "now it is well"),
    });
    let server = server_of(&receiver);
    let admin = Admin::with(&server, "read,operate");
    let mut socket = server.connect();
    socket.subscribe("news");
    let failed = rows(&admin, 1).remove(0);
    assert_eq!((&failed["kept"], &failed["answer"]), (&json!(true), &Value::Null), "{failed}");
    let repeated = admin.post(&again(&failed), "{}").expect(200);
    assert_eq!((&repeated["status"], &repeated["error"]), (&json!(200), &Value::Null));
    assert_eq!(repeated["answer"], Value::Null, "for payloads alone");
    let requests = receiver.requests(2);
    assert_eq!(requests[0].body, requests[1].body);
    expect_signed(&requests[1], APP);
    let repeated = rows(&admin, 2).remove(0);
    assert!(failed["request"].is_string() && repeated["request"] == failed["request"], "of one request");
    assert_eq!((&repeated["kept"], &repeated["test"]), (&json!(false), &json!(false)));
    admin.post(&again(&repeated), "{}").refused(409, "not-failed", &[]);
    let payloads = Admin::with(&server, "read,payloads");
    let answers: Vec<Value> = rows(&payloads, 2).iter().map(|row| row["answer"].clone()).collect();
    assert_eq!(answers, [json!("now it is well"), json!("it has  failed")]);
    let entries = payloads.get("/v1/audit?app=3").expect(200)["entries"].take();
    let told = json!([entries[0]["action"], entries[0]["detail"]["delivery"]]);
    assert_eq!(told, json!(["webhook.again", failed["id"]]), "{entries}");
}

#[test]
fn con_054_a_repeat_needs_the_scope_and_a_delivery_that_is_known_and_failed_and_was_no_test() {
    let receiver = Receiver::saying(|_| Reply::Body(404, "nothing here"));
    let server = server_of(&receiver);
    let admin = Admin::with(&server, "read,publish,operate");
    let mut socket = server.connect();
    socket.subscribe("news");
    let failed = rows(&admin, 1).remove(0);
    admin.post("/v1/apps/3/webhooks/1/test", "{}").expect(200);
    let test = rows(&admin, 2).remove(0);
    admin.post(&again(&test), "{}").refused(409, "not-kept", &[]);
    let still = admin.post(&again(&failed), "{}").expect(200);
    assert_eq!((&still["status"], &still["error"]["cause"]), (&json!(404), &json!("status")));
    assert!(still["error"]["advice"].is_string());
    for unknown in ["99", "x", "a-1"] {
        admin.post(&format!("{DELIVERIES}/{unknown}/again"), "{}").refused(404, "no-such-delivery", &[]);
    }
    Admin::with(&server, "read,publish,write,payloads").post(&again(&failed), "{}").refused(
        403,
        "scope-missing",
        &[],
    );
    // The test and the repeat above count.
    for _ in 0..18 {
        admin.post(&again(&failed), "{}").expect(200);
    }
    admin.post(&again(&failed), "{}").refused(429, "too-many-tests", &[]);
    assert_eq!(receiver.so_far().len(), 21);
}

#[test]
fn con_054_and_con_026_any_node_has_a_delivery_repeated_by_the_node_that_made_it_and_audits_it_once() {
    let receiver = Receiver::saying(|number| Reply::Body(if number == 0 { 500 } else { 200 }, ""));
    let config = "\n[webhooks]\nretry = 60000\ngive_up = 50000\ntimeout = 1000\n";
    let webhooks = format!("webhooks={}", receiver.json(&["channel_existence"]));
    let pair = pair_with(config, &[&webhooks]);
    let mut socket = pair.one.connect();
    socket.subscribe("news");
    let rows = |count: usize| {
        let answer = once(&pair.at_one, "webhooks/deliveries", |answer| {
            let rows = answer["webhooks"][0]["deliveries"].as_array();
            is_of_both(answer) && rows.is_some_and(|rows| rows.len() == count)
        });
        answer["webhooks"][0]["deliveries"].as_array().expect("a list").clone()
    };
    let failed = rows(1).remove(0);
    let (maker, other) = match failed["node"].as_str() {
        Some("one") => (&pair.one, &pair.at_two),
        _ => (&pair.two, &pair.at_one),
    };
    let repeated = other.post(&again(&failed), "{}").expect(200);
    assert_eq!((&repeated["status"], &repeated["error"]), (&json!(200), &Value::Null), "{repeated}");
    let requests = receiver.requests(2);
    assert_eq!(requests[0].body, requests[1].body);
    expect_signed(&requests[1], APP);
    let done = rows(2).remove(0);
    assert_eq!((&done["node"], &done["status"]), (&failed["node"], &json!(200)));
    other.post(&again(&done), "{}").refused(409, "not-failed", &[]);
    let id = failed["id"].as_str().expect("a text");
    let (node, _) = id.split_once('-').expect("the node and a number");
    for unknown in [&format!("{node}-99"), "0123456789abcdef-1", "1", "x-y"] {
        other.post(&format!("{DELIVERIES}/{unknown}/again"), "{}").refused(404, "no-such-delivery", &[]);
    }
    let entries = || pair.at_one.get("/v1/audit?app=3").expect(200)["entries"].take();
    let noted = |entries: &Value| {
        let all = entries.as_array().expect("a list");
        all.iter()
            .filter(|entry| entry["action"] == "webhook.again" && entry["detail"]["delivery"] == id)
            .count()
    };
    assert_eq!(noted(&entries()), 1, "{}", entries());
    maker.process.signal(Signal::STOP);
    let silent = other.post(&again(&failed), "{}");
    maker.process.signal(Signal::CONT);
    silent.refused(503, "cluster-away", &[]);
    assert!(silent.json["detail"].as_str().is_some_and(|detail| detail.contains("perhaps")), "{silent:?}");
    assert_eq!(noted(&entries()), 2, "perhaps it was done");
}

#[test]
fn con_019_a_receiver_that_repeats_the_signature_has_it_kept_nowhere() {
    let receiver = Receiver::deciding(|request| {
        let body = format!("signed {}", request.header("x-pusher-signature").unwrap_or_default());
        let length = body.len();
        Reply::Raw(format!("HTTP/1.1 404 No\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
    });
    let server = server_of(&receiver);
    let payloads = Admin::with(&server, "read,payloads");
    let mut socket = server.connect();
    socket.subscribe("news");
    let row = rows(&payloads, 1).remove(0);
    assert_eq!(row["answer"], "signed …", "{row}");
    let signature = receiver.requests(1)[0].header("x-pusher-signature").expect("a signature");
    assert!(!payloads.get(DELIVERIES).answer.body.contains(&signature));
}
