//! Queries about occupied channels and their users (API-030 … API-041).

use serde_json::{Value, json};

use crate::support::APP;
use crate::support::api::Request;
use crate::support::server::TestServer;
use crate::support::socket::Socket;

/// Two connections on `news`, one on `private-a`, and three connections of two users on `presence-a`.
fn occupied() -> (TestServer, Vec<Socket>) {
    let server = TestServer::start();
    let mut sockets: Vec<Socket> = (0..3).map(|_| server.connect()).collect();
    sockets[0].subscribe("news");
    sockets[1].subscribe("news");
    sockets[1].subscribe_private(APP, "private-a");
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.join(APP, "presence-a", &format!(r#"{{"user_id":"u{}"}}"#, at / 2));
    }
    (server, sockets)
}

#[test]
fn api_030_occupied_channels_are_listed_and_no_others() {
    let server = TestServer::start();
    let mut api = server.api();
    api.get("/channels", &[]).expect(r#"{"channels":{}}"#);
    let (server, _sockets) = occupied();
    server
        .api()
        .get("/channels", &[])
        .expect_json(&json!({"channels": {"news": {}, "private-a": {}, "presence-a": {}}}));
}

#[test]
fn api_030_the_list_can_be_narrowed_by_prefix() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    for (prefix, expected) in [
        ("presence-", json!({"presence-a": {}})),
        ("pr", json!({"private-a": {}, "presence-a": {}})),
        ("news", json!({"news": {}})),
        ("newsx", json!({})),
        ("", json!({"news": {}, "private-a": {}, "presence-a": {}})),
    ] {
        api.get("/channels", &[("filter_by_prefix", prefix)]).expect_json(&json!({"channels": expected}));
    }
}

#[test]
fn api_031_user_count_needs_a_prefix_of_presence_channels() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    for prefix in ["presence-", "presence-a"] {
        api.get("/channels", &[("filter_by_prefix", prefix), ("info", "user_count")])
            .expect_json(&json!({"channels": {"presence-a": {"user_count": 2}}}));
    }
    api.get("/channels", &[("info", "user_count")]).refused(400, "user_count");
    for prefix in ["", "pres", "private-", "presence"] {
        api.get("/channels", &[("filter_by_prefix", prefix), ("info", "user_count")])
            .refused(400, "user_count");
    }
}

#[test]
fn api_032_subscription_count_is_told_of_channels_without_members() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    let answer = api.get("/channels", &[("info", "subscription_count")]);
    let channels: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(channels["channels"]["news"], json!({"subscription_count": 2}));
    assert_eq!(channels["channels"]["private-a"], json!({"subscription_count": 1}));
    api.get("/channels", &[("filter_by_prefix", "news"), ("info", "unheard_of")])
        .expect(r#"{"channels":{"news":{}}}"#);
}

#[test]
fn api_035_every_channel_can_be_asked_for_also_one_that_never_was() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    api.get("/channels/news", &[]).expect(r#"{"occupied":true}"#);
    api.get("/channels/presence-a", &[]).expect(r#"{"occupied":true}"#);
    for channel in ["nobody", "private-nobody", "presence-nobody"] {
        api.get(&format!("/channels/{channel}"), &[]).expect(r#"{"occupied":false}"#);
    }
}

#[test]
fn api_036_the_attributes_that_are_asked_for_are_told() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    let one = |info| [("info", info)];
    api.get("/channels/presence-a", &one("user_count"))
        .expect_json(&json!({"occupied": true, "user_count": 2}));
    api.get("/channels/news", &one("subscription_count"))
        .expect_json(&json!({"occupied": true, "subscription_count": 2}));
    api.get("/channels/presence-nobody", &one("user_count"))
        .expect_json(&json!({"occupied": false, "user_count": 0}));
    api.get("/channels/nobody", &one("subscription_count"))
        .expect_json(&json!({"occupied": false, "subscription_count": 0}));
    api.get("/channels/news", &one("unheard_of")).expect(r#"{"occupied":true}"#);
    api.get("/channels/news", &one("")).expect(r#"{"occupied":true}"#);
}

#[test]
fn api_036_attributes_of_other_kinds_of_channel_are_refused() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    for channel in ["news", "private-a", "nobody", "private-encrypted-a", "presencefoo"] {
        let path = format!("/channels/{channel}");
        api.get(&path, &[("info", "user_count")]).refused(400, "user_count");
        api.get(&path, &[("info", "subscription_count,user_count")]).refused(400, "user_count");
        api.get(&path, &[("info", "cache")]).refused(400, "cache");
    }
}

#[test]
fn api_038_both_counts_may_be_asked_of_a_presence_channel() {
    let (server, _sockets) = occupied();
    server
        .api()
        .get("/channels/presence-a", &[("info", "user_count,subscription_count")])
        .expect_json(&json!({"occupied": true, "user_count": 2, "subscription_count": 3}));
}

#[test]
fn api_039_spaces_between_attributes_are_trimmed() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    for info in ["user_count, subscription_count", " user_count ,subscription_count "] {
        api.get("/channels/presence-a", &[("info", info)])
            .expect_json(&json!({"occupied": true, "user_count": 2, "subscription_count": 3}));
    }
}

#[test]
fn api_040_the_users_of_a_presence_channel_are_listed_once_each() {
    let server = TestServer::start();
    let (mut first, mut second, mut third) = (server.connect(), server.connect(), server.connect());
    let mut api = server.api();
    api.get("/channels/presence-a/users", &[]).expect(r#"{"users":[]}"#);
    first.join(APP, "presence-a", r#"{"user_id":"u1","user_info":{"name":"Ann"}}"#);
    second.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    api.get("/channels/presence-a/users", &[]).expect(r#"{"users":[{"id":"u1"}]}"#);
    third.join(APP, "presence-a", r#"{"user_id":7}"#);
    let answer: Value = serde_json::from_str(&api.get("/channels/presence-a/users", &[]).body).expect("JSON");
    let mut users: Vec<String> =
        answer["users"].as_array().expect("a list").iter().map(Value::to_string).collect();
    users.sort();
    assert_eq!(users, [r#"{"id":"7"}"#, r#"{"id":"u1"}"#]);
    third.unsubscribe("presence-a");
    third.expect_nothing_more();
    api.get("/channels/presence-a/users", &[]).expect(r#"{"users":[{"id":"u1"}]}"#);
}

#[test]
fn api_041_other_kinds_of_channel_have_no_users() {
    let (server, _sockets) = occupied();
    let mut api = server.api();
    for channel in ["news", "private-a", "nobody", "private-encrypted-a", "presencefoo"] {
        api.get(&format!("/channels/{channel}/users"), &[]).refused(400, "presence");
    }
}

#[test]
fn api_007_extraneous_parameters_are_named() {
    let server = TestServer::start();
    let mut api = server.api();
    api.get("/channels/presence-a/users", &[("info", "user_count")])
        .refused_with(400, "The following query string parameters are extraneous: info");
}

#[test]
fn api_035_channel_names_may_be_percent_encoded_or_not() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a=b@c,d.e;f");
    let mut api = server.api();
    api.get("/channels/a=b@c,d.e;f", &[]).expect(r#"{"occupied":true}"#);
    let encoded = "/apps/3/channels/a%3Db%40c%2Cd.e%3Bf";
    api.send(&Request::get(encoded)).expect(r#"{"occupied":true}"#);
    let decoded = "/apps/3/channels/a=b@c,d.e;f";
    let signed_decoded = Request::get(encoded).auth(|auth| auth.signed_path = Some(decoded.into()));
    api.send(&signed_decoded).expect(r#"{"occupied":true}"#);
}

#[test]
fn api_030_a_long_list_is_whole_and_in_the_order_of_names() {
    let server = TestServer::start();
    let mut names: Vec<String> = (0..3000).map(|number| format!("channel-{number}")).collect();
    let mut sockets = Vec::new();
    for some in names.chunks(1000) {
        let mut socket = server.connect();
        for name in some {
            socket.ask_for(name);
        }
        for name in some {
            socket.expect_succeeded(name);
        }
        sockets.push(socket);
    }
    names.sort_unstable();
    let channels: Vec<String> = names.iter().map(|name| format!("\"{name}\":{{}}")).collect();
    server.api().get("/channels", &[]).expect(&format!("{{\"channels\":{{{}}}}}", channels.join(",")));
}
