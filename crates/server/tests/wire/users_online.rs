//! Which users are online: the question of back ends, and the webhooks `users` (API-042, API-043, HOOK-027).

use fanfare_protocol::utc::utc;
use serde_json::{Value, json};

use crate::support::api::{Request, now};
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER, eventually};

fn signed_in(server: &TestServer, id: &str) -> Socket {
    let mut socket = server.connect();
    socket.sign_in(APP, &json!({"id": id}).to_string());
    socket
}

/// What is answered about these users, by GET.
fn asked(server: &TestServer, ids: &str) -> Value {
    let answer = server.api().get("/users", &[("ids", ids)]);
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("API-004: JSON")
}

fn offline() -> Value {
    json!({"online": false, "connections": 0, "since": null})
}

#[test]
fn api_042_and_api_043_a_user_is_online_from_the_first_sign_in_until_the_last_connection_has_gone() {
    let server = Setup::new().app(OTHER, "").start();
    // Nobody has ever connected.
    assert_eq!(asked(&server, "ann"), json!({"users": {"ann": offline()}}));
    let began = utc(now());
    let tabs = [signed_in(&server, "ann"), signed_in(&server, "ann")];
    let since = asked(&server, "ann")["users"]["ann"]["since"].clone();
    let text = since.as_str().expect("a time");
    assert!(*text >= *began && *text <= *utc(now()), "{began} {text}");
    // A member of that name has not signed in, nor has a user of another app.
    let mut member = server.connect();
    member.join(APP, "presence-a", r#"{"user_id":"bob"}"#);
    let is = |connections: usize| {
        let ann = json!({"online": true, "connections": connections, "since": since});
        json!({"users": {"ann": ann, "bob": offline(), "never": offline()}})
    };
    assert_eq!(asked(&server, "never,ann,bob,ann"), is(2));
    server.api_of(OTHER).get("/users", &[("ids", "ann")]).expect_json(&json!({"users": {"ann": offline()}}));
    let [first, mut second] = tabs;
    first.close();
    eventually("one connection is left, and the run goes on", || {
        (asked(&server, "never,ann,bob") == is(1)).then_some(())
    });
    // A second sign-in of a connection adds none.
    second.sign_in(APP, r#"{"id":"ann","user_info":{}}"#);
    assert_eq!(asked(&server, "never,ann,bob"), is(1));
    second.close();
    eventually("the last has gone", || (asked(&server, "ann")["users"]["ann"] == offline()).then_some(()));
}

#[test]
fn api_042_a_post_asks_about_ten_thousand_users_and_about_ids_with_commas() {
    let server = TestServer::start();
    let _tabs = [signed_in(&server, "a,b"), signed_in(&server, "user-9999")];
    let mut ids: Vec<String> = (0..9_999).map(|number| format!("user-{}", number + 1)).collect();
    ids.push("a,b".to_owned());
    let answer = server.api().post("/users", json!({"ids": ids}).to_string());
    assert_eq!(answer.head.status, 200);
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    let users = answer["users"].as_object().expect("an object");
    let online: Vec<&String> =
        users.iter().filter(|(_, user)| user["online"] == true).map(|(id, _)| id).collect();
    assert_eq!((users.len(), online), (10_000, vec![&"a,b".to_owned(), &"user-9999".to_owned()]));
    assert_eq!(asked(&server, "a,b")["users"], json!({"a": offline(), "b": offline()}));
}

#[test]
fn api_042_nobody_or_too_many_is_400_and_so_are_ids_that_are_no_texts() {
    let server = TestServer::start();
    let mut api = server.api();
    let many = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(api.get("/users", &[("ids", &many(100).join(","))]).head.status, 200);
    api.get("/users", &[("ids", &many(101).join(","))]).refused(400, "1 to 100 users, not 101");
    api.get("/users", &[]).refused(400, "not 0");
    api.get("/users", &[("ids", ",")]).refused(400, "not 0");
    api.post("/users", json!({"ids": many(10_001)}).to_string()).refused(400, "1 to 10000 users, not 10001");
    for none in [r#"{"ids":[]}"#, "{}", r#"{"ids":null}"#] {
        api.post("/users", none).refused(400, "not 0");
    }
    for wrong in [r#"{"ids":"a"}"#, r#"{"ids":[1]}"#, r#"{"ids":{"a":1}}"#] {
        api.post("/users", wrong).refused(400, "Expected ids parameter to be an array of strings");
    }
    api.post("/users", "[]").refused(400, "JSON object");
    let put = api.send(&Request::new("PUT", "/apps/3/users", "{}"));
    put.refused(405, "GET and HEAD and POST");
    assert_eq!(put.head.header("allow"), Some("GET, HEAD, POST"));
    let unsigned =
        Request::get("/apps/3/users").param("ids", "a").auth(|auth| auth.signature = Some("00".into()));
    api.send(&unsigned).refused(401, "Invalid signature");
}

/// A server that tells of users, so many milliseconds after they have gone.
fn told(receiver: &Receiver, delay: u32, more: &str) -> TestServer {
    let app = format!("{}{more}\n", receiver.setting(&["users"]));
    Setup::bare().config(&format!("[webhooks]\ndelay = {delay}")).app(APP, &app).start()
}

#[test]
fn hook_027_the_first_connection_of_a_user_and_the_last_are_told_whatever_the_prefixes() {
    let receiver = Receiver::new();
    let server = told(&receiver, 0, "channel_prefixes = [\"shop-\"]");
    let tabs = [signed_in(&server, "a"), signed_in(&server, "a")];
    let request = receiver.requests(1).remove(0);
    assert!(
        request.body.ends_with(r#""events":[{"name":"user_online","user_id":"a"}]}"#),
        "{}",
        request.body
    );
    for tab in tabs {
        tab.close();
    }
    let request = receiver.requests(2).remove(1);
    assert!(
        request.body.ends_with(r#""events":[{"name":"user_offline","user_id":"a"}]}"#),
        "{}",
        request.body
    );
    let _again = signed_in(&server, "a");
    receiver.expect(&["user_online a", "user_offline a", "user_online a"]);
}

#[test]
fn hook_027_who_is_back_within_the_delay_has_never_gone() {
    let receiver = Receiver::new();
    let server = told(&receiver, 60_000, "");
    for _ in 0..3 {
        signed_in(&server, "a").close();
        eventually("it has gone", || (asked(&server, "a")["users"]["a"] == offline()).then_some(()));
    }
    let _other = signed_in(&server, "b");
    receiver.expect(&["user_online a", "user_online b"]);
    // At the end of the server whoever goes is told of without delay.
    drop(server.stop());
    receiver.expect(&["user_online a", "user_offline a", "user_online b", "user_offline b"]);
}

#[test]
fn hook_027_who_was_online_before_is_told_of_when_going_only() {
    let receiver = Receiver::new();
    let server = TestServer::with_stored_app(&[]);
    server.expect_app_known();
    let before = signed_in(&server, "a");
    server.command(&["app", "update", APP.id, "--set", &format!("webhooks={}", receiver.json(&["users"]))]);
    // Who is online when the setting arrives counts as told: each of these is another user.
    let mut others = 0;
    eventually("a webhook is told", || {
        others += 1;
        signed_in(&server, &format!("other-{others}")).close();
        receiver.so_far().first().map(drop)
    });
    before.close();
    eventually("the leaving", || {
        let told: Vec<String> = receiver.so_far().iter().map(|request| request.body.clone()).collect();
        assert!(!told.iter().any(|body| body.contains(r#""user_online","user_id":"a""#)), "{told:?}");
        told.iter().any(|body| body.contains(r#""user_offline","user_id":"a""#)).then_some(())
    });
}
