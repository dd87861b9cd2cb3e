//! Endpoints beside the documented ones: deprecated, or other servers' (API-070, API-071, `/connections`).

use serde_json::json;

use crate::support::api::{Api, Request};
use crate::support::http::Answer;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};

/// Publishes by the deprecated endpoint.
fn post(api: &mut Api, channel: &str, query: &[(&str, &str)], body: &[u8]) -> Answer {
    let request = Request::post(&format!("/apps/3/channels/{channel}/events"), body);
    api.send(&query.iter().fold(request, |request, (name, value)| request.param(name, value)))
}

#[track_caller]
fn accepted(answer: &Answer) {
    assert_eq!((answer.head.status, &*answer.body), (202, ""), "{answer:?}");
}

#[test]
fn api_070_the_body_is_the_data_and_the_answer_is_202_without_a_body() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("my-channel");
    let mut api = server.api();
    for data in ["hello", r#"{"a": 1}"#, r#"{"broken"#, "\"quoted\"", "é 🎺\n", ""] {
        accepted(&post(&mut api, "my-channel", &[("name", "my-event")], data.as_bytes()));
        socket.expect_event("my-channel", "my-event", data);
    }
    // The connection can be reused: no bytes of an answer are left.
    api.get("/channels", &[]).expect(r#"{"channels":{"my-channel":{}}}"#);
}

#[test]
fn api_070_the_connection_named_in_the_query_does_not_get_it() {
    let server = TestServer::start();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe("news");
    listener.subscribe("news");
    let mut api = server.api();
    accepted(&post(&mut api, "news", &[("name", "e"), ("socket_id", &sender.id)], b"1"));
    accepted(&post(&mut api, "news", &[("name", "e"), ("socket_id", "1.1")], b"2"));
    listener.expect_event("news", "e", "1");
    listener.expect_event("news", "e", "2");
    sender.expect_event("news", "e", "2");
    sender.expect_nothing_more();
}

#[test]
fn api_070_parameters_are_in_the_query_only() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    let body = r#"{"name":"not-this","channels":["other"],"data":"d"}"#;
    accepted(&post(&mut api, "news", &[("name", "this"), ("channel", "other")], body.as_bytes()));
    socket.expect_event("news", "this", body);
    post(&mut api, "news", &[], body.as_bytes()).refused_with(400, "Expected name parameter to be a string");
    socket.expect_nothing_more();
}

#[test]
fn api_070_cache_channels_keep_it() {
    let server = TestServer::start();
    accepted(&post(&mut server.api(), "cache-a", &[("name", "e")], b"kept"));
    let mut socket = server.connect();
    socket.subscribe("cache-a");
    socket.expect_event("cache-a", "e", "kept");
}

#[test]
fn api_070_bad_input_is_refused_and_nothing_published() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    let name = [("name", "e")];
    post(&mut api, "news", &name, b"\xff\xfe").refused_with(400, "The data of an event must be UTF-8");
    post(&mut api, "news", &name, b"cut \xf0\x9f").refused(400, "UTF-8");
    post(&mut api, "a%20b", &name, b"d").refused(400, "Invalid channel name");
    post(&mut api, "news", &[("name", "pusher:e")], b"d").refused(400, "reserved");
    post(&mut api, "news", &[("name", "")], b"d").refused(400, "name");
    post(&mut api, "news", &[("name", &"x".repeat(201))], b"d").refused(400, "200");
    post(&mut api, "news", &name, &[b'x'; 10_241]).refused(413, "10240 bytes");
    api.get("/channels/news/events", &[("name", "e")]).refused(405, "POST");
    let unsigned = Request::post("/apps/3/channels/news/events", "d").param("name", "e");
    api.send(&unsigned.clone().auth(|auth| auth.key = None)).refused(401, "auth_key");
    api.send(&unsigned.auth(|auth| auth.signature = Some("00".into()))).refused(401, "Invalid signature");
    socket.expect_nothing_more();
}

#[test]
fn api_071_stats_tell_users_of_presence_channels_and_connections_of_all() {
    let server = TestServer::start();
    let mut api = server.api();
    for (channel, nobody) in [
        ("news", r#"{"occupied":false,"connection_count":0}"#),
        ("presence-a", r#"{"occupied":false,"user_count":0,"connection_count":0}"#),
    ] {
        api.get(&format!("/channels/{channel}/stats"), &[]).expect(nobody);
    }
    let mut sockets = [server.connect(), server.connect(), server.connect()];
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe("news");
        socket.join(APP, "presence-a", &format!(r#"{{"user_id":"u{}"}}"#, at / 2));
    }
    api.get("/channels/news/stats", &[]).expect_json(&json!({"occupied": true, "connection_count": 3}));
    api.get("/channels/presence-a/stats", &[])
        .expect_json(&json!({"occupied": true, "user_count": 2, "connection_count": 3}));
    api.get("/channels/a%20b/stats", &[]).refused(400, "Invalid channel name");
    api.post("/channels/news/stats", "{}").refused(405, "GET");
}

#[test]
fn get_connections_tells_how_many_the_app_has() {
    let server = Setup::new().app(OTHER, "").start();
    let (mut api, mut other) = (server.api(), server.api_of(OTHER));
    api.get("/connections", &[]).expect(r#"{"connections":0}"#);
    let sockets = [server.connect(), server.connect()];
    let _elsewhere = server.connect_to(OTHER);
    api.get("/connections", &[]).expect(r#"{"connections":2}"#);
    other.get("/connections", &[]).expect(r#"{"connections":1}"#);
    for socket in sockets {
        socket.close();
    }
    api.get("/connections", &[]).expect(r#"{"connections":0}"#);
    api.post("/connections", "{}").refused(405, "GET");
    api.send(&Request::get("/apps/3/connections").by(OTHER)).refused(401, "Unknown auth_key");
    api.send(&Request::get("/apps/3/connections").auth(|auth| auth.signature = Some("00".into())))
        .refused(401, "Invalid signature");
}
