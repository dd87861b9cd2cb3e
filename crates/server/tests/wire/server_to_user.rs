//! The channel of one user, and the close of the user's connections (WS-190 … WS-193, API-060 … API-064).

use serde_json::json;

use crate::support::api::Request;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, OTHER};

const OWN: &str = "#server-to-user-u1";

/// A connection that is signed in as this user.
fn signed_in(server: &TestServer, id: &str) -> Socket {
    let mut socket = server.connect();
    socket.sign_in(APP, &format!(r#"{{"id":"{id}"}}"#));
    socket
}

fn terminate(server: &TestServer, user: &str) {
    server.api().post(&format!("/users/{user}/terminate_connections"), "{}").expect("{}");
}

#[test]
fn ws_190_the_signed_in_user_subscribes_with_an_empty_auth_or_none() {
    let server = TestServer::start();
    for data in [
        r##"{"auth":"","channel":"#server-to-user-u1"}"##,
        r##"{"channel":"#server-to-user-u1"}"##,
        r##"{"auth":null,"channel_data":null,"channel":"#server-to-user-u1"}"##,
        r##"{"auth":"wrong:wrong","channel":"#server-to-user-u1"}"##,
    ] {
        let mut socket = signed_in(&server, "u1");
        socket.send(&format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#));
        socket.expect_succeeded(OWN);
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_191_anybody_else_is_refused_with_4009() {
    let server = TestServer::start();
    let mut stranger = server.connect();
    let mut other = signed_in(&server, "u2");
    let mut longer = signed_in(&server, "u1x");
    let mut shorter = signed_in(&server, "u");
    let mut upper = signed_in(&server, "U1");
    for socket in [&mut stranger, &mut other, &mut longer, &mut shorter, &mut upper] {
        socket.ask_for(OWN);
        socket.expect_error_code(4009, "Only the signed-in user may subscribe to #server-to-user-u1");
        socket.ask_signed(APP, OWN, None);
        socket.expect_error_code(4009, "Only the signed-in user may subscribe to #server-to-user-u1");
    }
    let mut member = server.connect();
    member.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    member.ask_for(OWN);
    assert_eq!(member.error().0, Some(4009), "a member of that name has not signed in");
    server.api().publish(OWN, "e", "secret");
    for socket in [&mut stranger, &mut other, &mut longer, &mut shorter, &mut upper, &mut member] {
        socket.expect_nothing_more();
    }
}

#[test]
fn lim_002_other_names_with_a_hash_are_no_channels() {
    let server = TestServer::start();
    let mut socket = signed_in(&server, "u1");
    for name in ["#", "#server-to-user-", "#server-to-user", "#u1", "private-#server-to-user-u1"] {
        socket.ask_for(name);
        socket.expect_error(&format!("Invalid channel name: {name}"));
        let body = json!({"name": "e", "channels": [name], "data": "d"}).to_string();
        server.api().post("/events", body).refused(400, "Invalid channel name");
    }
}

#[test]
fn ws_192_a_message_reaches_every_connection_of_its_user_and_nobody_else() {
    let server = TestServer::start();
    let mut tabs = [signed_in(&server, "u1"), signed_in(&server, "u1")];
    for tab in &mut tabs {
        tab.subscribe(OWN);
    }
    let mut not_subscribed = signed_in(&server, "u1");
    let mut other = signed_in(&server, "u2");
    other.subscribe("#server-to-user-u2");
    let body = r##"{"name":"hello","data":"{\"a\":1}","channels":["#server-to-user-u1"]}"##;
    server.api().post("/events", body).expect("{}");
    for tab in &mut tabs {
        tab.expect_text(r##"{"event":"hello","data":"{\"a\":1}","channel":"#server-to-user-u1"}"##);
        tab.expect_nothing_more();
    }
    not_subscribed.expect_nothing_more();
    other.expect_nothing_more();
    let [mut first, mut second] = tabs;
    first.unsubscribe(OWN);
    first.expect_nothing_more();
    server.api().publish(OWN, "e", "d");
    second.expect_event(OWN, "e", "d");
    first.expect_nothing_more();
}

#[test]
fn ws_193_and_api_033_channels_of_users_are_hidden_and_have_no_counts() {
    let server = Setup::with_app("subscription_counts = true").start();
    let mut tabs = [signed_in(&server, "u1"), signed_in(&server, "u1")];
    for tab in &mut tabs {
        tab.subscribe(OWN);
        tab.expect_nothing_more();
    }
    let mut api = server.api();
    api.get("/channels", &[]).expect(r#"{"channels":{}}"#);
    for prefix in ["#", OWN] {
        api.get("/channels", &[("filter_by_prefix", prefix)]).expect(r#"{"channels":{}}"#);
    }
    api.get("/channels", &[("info", "subscription_count")]).expect(r#"{"channels":{}}"#);
    let [first, mut second] = tabs;
    first.close();
    second.subscribe("news");
    second.expect_count("news", 1);
    api.get("/channels", &[]).expect(r#"{"channels":{"news":{}}}"#);
    second.expect_nothing_more();
}

#[test]
fn api_060_and_api_062_every_connection_that_is_signed_in_as_the_user_is_closed_with_4009() {
    let server = TestServer::start();
    let mut tabs = [signed_in(&server, "u1"), signed_in(&server, "u1")];
    let mut old = server.open(&format!("/app/{}?protocol=5", APP.key)).established(50);
    old.sign_in(APP, r#"{"id":"u1"}"#);
    let mut other = signed_in(&server, "u2");
    let mut stranger = server.connect();
    let mut member = server.connect();
    member.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    tabs[0].join(APP, "presence-a", r#"{"user_id":"u9"}"#);
    assert_eq!(member.json()["event"], "pusher_internal:member_added");
    terminate(&server, "u1");
    let reason = "You got disconnected by the app.";
    for tab in &mut tabs {
        tab.expect_close(4009, reason);
    }
    old.expect_close_by_event(4009, reason);
    member.expect_event("presence-a", "pusher_internal:member_removed", r#"{"user_id":"u9"}"#);
    for socket in [&mut other, &mut stranger, &mut member] {
        socket.expect_nothing_more();
    }
    signed_in(&server, "u1").expect_nothing_more();
}

#[test]
fn api_060_a_user_without_connections_is_terminated_as_well() {
    let server = TestServer::start();
    terminate(&server, "nobody");
    let mut socket = signed_in(&server, "u1");
    terminate(&server, "nobody");
    terminate(&server, "U1");
    socket.expect_nothing_more();
}

#[test]
fn api_060_a_user_of_another_app_is_somebody_else() {
    let server = Setup::new().app(OTHER, "").start();
    let mut own = signed_in(&server, "u1");
    let mut other = server.connect_to(OTHER);
    other.sign_in(OTHER, r#"{"id":"u1"}"#);
    server.api_of(OTHER).post("/users/u1/terminate_connections", "{}").expect("{}");
    other.expect_close(4009, "You got disconnected by the app.");
    own.expect_nothing_more();
    let forged = Request::post("/apps/3/users/u1/terminate_connections", "{}").by(OTHER);
    server.api().send(&forged).refused(401, "");
    own.expect_nothing_more();
}

#[test]
fn api_061_the_body_may_be_empty() {
    let server = TestServer::start();
    let mut socket = signed_in(&server, "u1");
    server.api().post("/users/u1/terminate_connections", "").expect("{}");
    socket.expect_close(4009, "You got disconnected by the app.");
}

#[test]
fn api_063_the_path_without_an_app_is_nothing() {
    let server = TestServer::start();
    let mut socket = signed_in(&server, "u1");
    server.api().send(&Request::post("/users/u1/terminate_connections", "{}")).refused(404, "");
    server.api().send(&Request::get("/apps/3/users/u1/terminate_connections")).refused(405, "POST");
    socket.expect_nothing_more();
}

#[test]
fn api_064_the_user_may_be_percent_encoded() {
    let server = TestServer::start();
    let id = "a=b@c,d.e;f";
    for path in [
        "/apps/3/users/a%3Db%40c%2Cd.e%3Bf/terminate_connections",
        "/apps/3/users/%61%3db%40c%2cd%2Ee%3bf/terminate_connections",
        "/apps/3/users/a=b@c,d.e;f/terminate_connections",
    ] {
        for signed_path in [None, Some(format!("/apps/3/users/{id}/terminate_connections"))] {
            let mut socket = signed_in(&server, id);
            let request = Request::post(path, "{}").auth(|auth| auth.signed_path = signed_path);
            server.api().send(&request).expect("{}");
            socket.expect_close(4009, "You got disconnected by the app.");
        }
    }
}
