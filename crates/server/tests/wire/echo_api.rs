//! laravel-echo-server's HTTP API: a client's key in place of a signature (SIO-082).

use serde_json::{Value, json};

use crate::support::api::Request;
use crate::support::http::{Answer, Http};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, App};

/// A client as `client:add` makes one.
const CLIENT: App =
    App { id: "4bc57ea56b4e0ac5", key: "8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d", secret: "whatever it is" };

const SETTINGS: &str = "[socketio]\nenabled = true\napp = \"3\"\napi_origin = \"https://shop.test\"\n\
                        [[socketio.clients]]\napp_id = \"4bc57ea56b4e0ac5\"\nkey = \"8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d\"\n\
                        [[socketio.clients]]\napp_id = \"shop 2\"\nkey = \"another-key-of-20-letters\"\n";

fn server() -> TestServer {
    Setup::new().config(SETTINGS).start()
}

/// One request with these lines of headers.
pub fn ask(server: &TestServer, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut http = Http::connect(server.addr);
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n");
    http.write(format!("{head}{body}").as_bytes());
    http.answer()
}

fn bearer() -> String {
    format!("Authorization: Bearer {}\r\n", CLIENT.key)
}

fn get(server: &TestServer, path: &str) -> Answer {
    ask(server, "GET", &format!("/apps/{}{path}", CLIENT.id), &bearer(), "")
}

fn post(server: &TestServer, body: &Value) -> Answer {
    ask(server, "POST", &format!("/apps/{}/events", CLIENT.id), &bearer(), &body.to_string())
}

#[track_caller]
fn expect_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.head.status, status, "{answer:?}");
    assert_eq!(answer.head.header("content-type"), Some("application/json"));
    assert_eq!(answer.body, json!({"error": error}).to_string());
}

#[test]
fn sio_082_an_event_is_published_with_the_key_in_each_of_its_places() {
    let server = server();
    let mut socket = server.connect();
    socket.subscribe("news");
    let body = json!({"channel": "news", "name": "e", "data": {"n": 1}}).to_string();
    let path = format!("/apps/{}/events", CLIENT.id);
    let second = "Authorization: bearer another-key-of-20-letters\r\n";
    for (target, headers) in [
        (path.clone(), bearer()),
        (path.clone(), format!("Authorization: {}\r\n", CLIENT.key)),
        (format!("{path}?auth_key={}", CLIENT.key), String::new()),
        ("/apps/shop%202/events".to_owned(), second.to_owned()),
    ] {
        ask(&server, "POST", &target, &headers, &body).expect(r#"{"message":"ok"}"#);
        socket.expect_event("news", "e", r#"{"n":1}"#);
    }
}

#[test]
fn sio_082_a_library_of_pushers_works_with_a_clients_key_and_any_secret() {
    let server = server();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut back_end = server.api_of(CLIENT);
    let body = json!({"name": "e", "data": "{\"n\":1}", "channels": ["news"]}).to_string();
    back_end.post("/events", body.clone()).expect(r#"{"message":"ok"}"#);
    socket.expect_event("news", "e", r#"{"n":1}"#);
    let counted = json!({"channels": {"news": {"subscription_count": 1, "occupied": true}}});
    back_end.get("/channels", &[]).expect_json(&counted);
    let wrong = App { key: "8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2e", ..CLIENT };
    assert_eq!(server.api_of(wrong).post("/events", body.clone()).head.status, 404);
    server.api().post("/events", body).expect("{}");
    socket.expect_event("news", "e", r#"{"n":1}"#);
    let unsigned = Request::post("/apps/3/events", "{}").auth(|auth| auth.signature = Some("ab".repeat(32)));
    assert_eq!(server.api().send(&unsigned).head.status, 401, "an app's own key is no client's");
}

#[test]
fn sio_082_several_channels_a_sender_and_data_of_any_kind() {
    let server = server();
    let (mut socket, mut sender) = (server.connect(), server.open(&format!("/app/{}?protocol=7", APP.key)));
    let established: Value = serde_json::from_str(sender.json()["data"].as_str().unwrap()).unwrap();
    for channel in ["a", "b"] {
        socket.subscribe(channel);
        sender.subscribe(channel);
    }
    let id = &established["socket_id"];
    post(
        &server,
        &json!({"channels": ["a", "b"], "channel": "c", "name": "e", "data": "x", "socket_id": id}),
    )
    .expect(r#"{"message":"ok"}"#);
    for channel in ["a", "b"] {
        socket.expect_event(channel, "e", "x");
    }
    sender.expect_nothing_more();
    for (data, text) in [
        (json!(5), "5"),
        (json!("5"), "5"),
        (json!("null"), "null"),
        (json!(true), "true"),
        (json!([]), "[]"),
        (json!({"a": "\u{fc}"}), "{\"a\":\"\u{fc}\"}"),
    ] {
        post(&server, &json!({"channel": "a", "name": "e", "data": data})).expect(r#"{"message":"ok"}"#);
        socket.expect_event("a", "e", text);
    }
}

#[test]
fn sio_082_an_event_that_lacks_something_is_refused_in_laravel_echo_servers_words() {
    let server = server();
    let mut socket = server.connect();
    socket.subscribe("news");
    for lacks in [
        json!({}),
        json!({"name": "e", "data": "x"}),
        json!({"channel": "", "name": "e", "data": "x"}),
        json!({"channel": "news", "data": "x"}),
        json!({"channel": "news", "name": "", "data": "x"}),
        json!({"channel": "news", "name": "e"}),
        json!({"channel": "news", "name": "e", "data": null}),
        json!({"channel": "news", "name": "e", "data": ""}),
        json!({"channel": "news", "name": "e", "data": 0}),
        json!({"channel": "news", "name": "e", "data": false}),
    ] {
        expect_error(&post(&server, &lacks), 400, "Event must include channel, event name and data");
    }
    let big = json!({"channel": "news", "name": "e", "data": "x".repeat(20_000)});
    assert_eq!(post(&server, &big).head.status, 413);
    assert_eq!(post(&server, &json!({"channel": "no/name", "name": "e", "data": 1})).head.status, 400);
    let path = format!("/apps/{}/events", CLIENT.id);
    let broken = ask(&server, "POST", &path, &bearer(), "{\"channel\":");
    expect_error(&broken, 400, "The request body must be a JSON object");
    socket.expect_nothing_more();
}

#[test]
fn sio_082_a_wrong_key_is_refused_and_logged_without_the_key() {
    let server = Setup::new().config(SETTINGS).config("[log]\nformat = \"json\"").start();
    let path = format!("/apps/{}/events", CLIENT.id);
    for (target, headers) in [
        (path.clone(), "Authorization: Bearer hush-hush\r\n"),
        (path.clone(), "Authorization: hush-hush\r\n"),
        (format!("{path}?auth_key=hush-hush"), ""),
        (path.clone(), ""),
        ("/apps/nobody/events?auth_key=hush-hush".to_owned(), ""),
        (format!("/apps/3/events?auth_key={}", APP.key), ""),
        (format!("/apps/3/events?auth_key={}", CLIENT.key), ""),
        (format!("/apps/{}/status", CLIENT.id), ""),
    ] {
        expect_error(
            &ask(&server, "POST", &target.replace("status", "events"), headers, "{}"),
            403,
            "Unauthorized",
        );
        let target = target.replace("/events", "/channels");
        expect_error(&ask(&server, "GET", &target, headers, ""), 403, "Unauthorized");
    }
    expect_error(&ask(&server, "GET", &format!("/apps/{}/status", CLIENT.id), "", ""), 403, "Unauthorized");
    server.process.log_line("a refusal", |line| {
        let fields = serde_json::from_str::<Value>(line).ok()?["fields"].clone();
        let is_it = fields["reason"] == "Unauthorized" && fields["api_client"] == CLIENT.id;
        (is_it && fields["status"] == 403).then_some(())
    });
    // A library with the right key and the name of something else.
    let other = App { id: "nothing", ..CLIENT };
    assert_eq!(server.api_of(other).get("/channels", &[]).head.status, 404);
    server.process.log_line("another refusal", |line| line.contains("one of socketio.clients").then_some(()));
    let log = server.process.stderr();
    assert!(!log.contains(&CLIENT.key[..8]) && !log.contains("hush") && !log.contains(CLIENT.key), "{log}");
}

#[test]
fn sio_082_queries_are_answered_in_laravel_echo_servers_form() {
    let server = server();
    let mut ann = server.connect();
    ann.subscribe("news");
    ann.join(APP, "presence-room", r#"{"user_id":7,"user_info":{"name":"Ann"}}"#);
    let mut bob = server.connect();
    bob.join(APP, "presence-room", r#"{"user_id":"8"}"#);
    get(&server, "/channels").expect_json(&json!({"channels": {
        "news": {"subscription_count": 1, "occupied": true},
        "presence-room": {"subscription_count": 2, "occupied": true},
    }}));
    get(&server, "/channels?filter_by_prefix=presence-").expect_json(&json!({"channels": {
        "presence-room": {"subscription_count": 2, "occupied": true},
    }}));
    get(&server, "/channels/news").expect(r#"{"subscription_count":1,"occupied":true}"#);
    get(&server, "/channels/nothing").expect(r#"{"subscription_count":0,"occupied":false}"#);
    get(&server, "/channels/presence-room")
        .expect(r#"{"subscription_count":2,"occupied":true,"user_count":2}"#);
    let users: Value = serde_json::from_str(&get(&server, "/channels/presence-room/users").body).unwrap();
    let users = users["users"].as_array().expect("a list");
    assert_eq!(users.len(), 2);
    assert!(users.contains(&json!({"id": "7", "user_info": {"name": "Ann"}})), "{users:?}");
    let refused = get(&server, "/channels/news/users");
    expect_error(&refused, 400, "User list is only possible for Presence Channels");
    let status: Value = serde_json::from_str(&get(&server, "/status").body).unwrap();
    assert_eq!(status["subscription_count"], 2);
    assert!(
        status["uptime"].is_u64() && status["memory_usage"]["rss"].as_u64().unwrap() > 1 << 20,
        "{status}"
    );
    let root = ask(&server, "GET", "/", "", "");
    assert_eq!((root.head.status, &*root.body), (200, "OK"));
}

#[test]
fn sio_082_pages_of_the_origin_in_the_settings_may_use_it() {
    let server = server();
    let path = format!("/apps/{}/channels", CLIENT.id);
    let asked = "Origin: https://shop.test\r\nAccess-Control-Request-Headers: authorization\r\n";
    let preflight = ask(&server, "OPTIONS", &path, asked, "");
    assert_eq!(preflight.head.status, 204);
    assert_eq!(preflight.head.header("access-control-allow-origin"), Some("https://shop.test"));
    assert_eq!(preflight.head.header("access-control-allow-headers"), Some("authorization"));
    assert_eq!(preflight.head.header("access-control-allow-methods"), Some("GET, POST"));
    for headers in [bearer(), String::new()] {
        let answer = ask(&server, "GET", &path, &headers, "");
        assert_eq!(answer.head.header("access-control-allow-origin"), Some("https://shop.test"));
        assert_eq!(answer.head.header("access-control-allow-credentials"), None);
    }
}

#[test]
fn sio_082_without_a_client_or_with_socket_io_off_there_is_no_such_api() {
    let off = SETTINGS.replace("enabled = true", "enabled = false");
    for settings in ["[socketio]\nenabled = true\n", &off] {
        let server = Setup::new().config(settings).start();
        let body = json!({"channel": "news", "name": "e", "data": 1});
        assert_ne!(post(&server, &body).head.status, 200);
        let own = format!("/apps/3/events?auth_key={}", APP.key);
        assert_eq!(ask(&server, "POST", &own, "", &body.to_string()).head.status, 401);
        assert_eq!(get(&server, "/status").head.status, 404);
        assert_eq!(ask(&server, "OPTIONS", "/apps/3/events", "", "").head.status, 405);
    }
}

#[test]
fn sio_082_quotas_and_numbers_count_as_for_signed_requests() {
    let server = Setup::with_app("messages_per_day = 2").config(SETTINGS).start();
    let event = json!({"channel": "news", "name": "e", "data": 1});
    for _ in 0..2 {
        post(&server, &event).expect(r#"{"message":"ok"}"#);
    }
    let refused = post(&server, &event);
    assert_eq!(refused.head.status, 403, "{refused:?}");
    assert!(refused.body.contains("quota"), "{refused:?}");
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 2.0);
}
