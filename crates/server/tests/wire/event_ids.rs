//! The id of each accepted publish, in the header `Fanfare-Event-Id` (CON-043).

use serde_json::json;

use crate::support::APP;
use crate::support::api::Request;
use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// The id in an answer, which has the form of a ULID.
#[track_caller]
fn id_of(answer: &Answer) -> String {
    let id = answer.head.header("fanfare-event-id").unwrap_or_else(|| panic!("no id: {answer:?}"));
    assert!(id.len() == 26 && id.bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b)), "{id}");
    id.to_owned()
}

#[test]
fn con_043_every_way_to_publish_is_answered_with_an_id_greater_than_the_last() {
    let clients = "[socketio]\nenabled = true\napp = \"3\"\n[[socketio.clients]]\napp_id = \"4bc57ea56b4e0ac5\"\n\
                   key = \"8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d\"\n";
    let server = Setup::new().config(clients).start();
    let mut api = server.api();
    let mut ids = vec![
        id_of(&api.post("/events", r#"{"name":"e","channels":["a","b"],"data":"1"}"#)),
        id_of(&api.post("/events", r#"{"name":"e","channel":"a","data":"1","info":"subscription_count"}"#)),
        id_of(&api.post(
            "/batch_events",
            r#"{"batch":[{"name":"e","channel":"a","data":"1"},{"name":"e","channel":"b","data":"2"}]}"#,
        )),
        id_of(&api.send(&Request::post("/apps/3/channels/a/events", "1").param("name", "e"))),
        id_of(
            &api.send(
                &Request::post("/apps/3/events", "")
                    .param("name", "e")
                    .param("channel", "cache-a")
                    .param("data", "1"),
            ),
        ),
    ];
    let (body, mut http) =
        (json!({"channel": "a", "name": "e", "data": 1}).to_string(), Http::connect(server.addr));
    let head = "POST /apps/4bc57ea56b4e0ac5/events HTTP/1.1\r\nHost: localhost\r\n\
                Authorization: Bearer 8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d\r\n";
    http.write(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    ids.push(id_of(&http.answer()));
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

#[test]
fn con_043_what_is_refused_and_what_is_asked_has_no_id() {
    let server = TestServer::start();
    let mut api = server.api();
    let no_id = |answer: Answer, status: u16| {
        assert_eq!(answer.head.status, status, "{answer:?}");
        assert_eq!(answer.head.header("fanfare-event-id"), None, "{answer:?}");
    };
    no_id(api.post("/events", r#"{"name":"pusher:e","channel":"a","data":"1"}"#), 400);
    no_id(
        api.post("/batch_events", r#"{"batch":[{"name":"e","channel":"a","data":"1"},{"name":"e"}]}"#),
        400,
    );
    no_id(
        api.post("/events", json!({"name": "e", "channel": "a", "data": "x".repeat(20_000)}).to_string()),
        413,
    );
    let unsigned = Request::post(&format!("/apps/{}/events", APP.id), "{}").auth(|auth| auth.key = None);
    no_id(api.send(&unsigned), 401);
    no_id(api.get("/channels", &[]), 200);
    no_id(api.get("/channels/a", &[]), 200);
}

#[test]
fn con_043_a_publish_over_the_quota_has_no_id() {
    let server = Setup::bare().app(APP, "messages_per_day = 1").start();
    let mut api = server.api();
    let event = r#"{"name":"e","channel":"a","data":"1"}"#;
    id_of(&api.post("/events", event));
    let refused = api.post("/events", event);
    assert_eq!((refused.head.status, refused.head.header("fanfare-event-id")), (403, None));
}
