//! The administration API: the whole life of an app over HTTP, while a server runs on its database.

use serde_json::{Value, json};

use crate::support::admin::{Admin, Reply, token};
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::{APP, App, OTHER, PONG, eventually};

const ALL: &str = "read,write,secrets";

/// A server that keeps its apps in SQLite, and an operator with every scope.
fn start() -> (TestServer, Admin) {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, ALL);
    (server, admin)
}

/// Creates the app of the reference, and waits until the server knows the app.
fn create(server: &TestServer, admin: &Admin, settings: &Value) {
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret, "settings": settings});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    eventually("the new app is known", || {
        (server.api().get("/channels", &[]).head.status == 200).then_some(())
    });
}

fn ids(page: &Value) -> Vec<&str> {
    page["apps"].as_array().expect("a list").iter().map(|app| app["id"].as_str().expect("a text")).collect()
}

/// The apps of a page as each is shown alone.
fn rows(page: &Value) -> Vec<Value> {
    let mut rows = page["apps"].as_array().expect("a list").clone();
    for row in &mut rows {
        row.as_object_mut().expect("an object").remove("connections");
    }
    rows
}

#[test]
fn con_050_a_change_of_an_app_that_others_have_changed_since_it_was_read_is_refused() {
    let (_server, admin) = start();
    let made = admin.post("/v1/apps", r#"{"id":"77","name":"one"}"#);
    let version = |reply: &Reply| reply.header("etag").expect("a version").to_owned();
    let (first, shown) = (version(&made), admin.get("/v1/apps/77"));
    assert_eq!(version(&shown), first);
    let if_match = |method: &str, versions: &str, body: &str| {
        let headers = format!("If-Match: {versions}\r\nContent-Length: {}\r\n", body.len());
        let head = admin.head(method, "/v1/apps/77", &headers);
        admin.send_bytes(method, "/v1/apps/77", &format!("{head}{body}"))
    };
    let second = version(&if_match("PATCH", &first, r#"{"name":"two"}"#));
    assert_ne!(first, second);
    for (method, versions, body) in [
        ("PATCH", &*first, r#"{"name":"three"}"#),
        ("PATCH", "\"nope\"", r#"{"name":"three"}"#),
        ("DELETE", &first, ""),
    ] {
        if_match(method, versions, body).refused(412, "changed-meanwhile", &[]);
    }
    assert_eq!(admin.get("/v1/apps/77").expect(200)["name"], "two");
    let third = version(&if_match("PATCH", &format!("\"nope\", W/{second}"), r#"{"name":"three"}"#));
    admin.post("/v1/apps/77/keys", "").expect(201);
    if_match("DELETE", &third, "").refused(412, "changed-meanwhile", &[]);
    if_match("DELETE", "*", "").expect(204);
}

#[test]
fn the_whole_life_of_an_app() {
    let (server, admin) = start();
    let wanted =
        json!({"name": "shop", "enabled": true, "settings": {"client_events": true, "limits": {"batch": 3}}});
    let reply = admin.post("/v1/apps", &wanted.to_string());
    let place = reply.header("location").expect("a place").to_owned();
    let made = reply.expect(201);
    let text = |value: &Value| -> &'static str { value.as_str().expect("a text").to_owned().leak() };
    let app = App {
        id: text(&made["id"]),
        key: text(&made["keys"][0]["key"]),
        secret: text(&made["keys"][0]["secret"]),
    };
    assert_eq!(place, format!("/v1/apps/{}", app.id));
    for (name, value) in [("name", json!("shop")), ("source", json!("database")), ("enabled", json!(true))] {
        assert_eq!(made[name], value);
    }
    assert_eq!(made["settings"], wanted["settings"]);
    eventually("the new app is known", || {
        (server.api_of(app).get("/channels", &[]).head.status == 200).then_some(())
    });
    let mut socket = server.connect_to(app);
    socket.subscribe_private(app, "private-a");

    let mut without_secret = made.clone();
    without_secret["keys"][0].as_object_mut().expect("an object").remove("secret");
    assert_eq!(admin.get(&place).expect(200), without_secret);
    let listed = rows(&admin.get("/v1/apps?limit=1000").expect(200));
    assert!(listed.contains(&without_secret), "{listed:?}");

    let changed =
        admin.patch(&place, r#"{"name":"store","settings":{"client_events":null,"force_tls":false}}"#);
    let changed = changed.expect(200);
    assert_eq!(changed["name"], "store");
    assert_eq!(changed["settings"], json!({"force_tls": false, "limits": {"batch": 3}}));
    assert_eq!(admin.patch(&place, "{}").expect(200), changed);

    let pair = admin.post(&format!("{place}/keys"), "").expect(201);
    let new = App { key: text(&pair["key"]), secret: text(&pair["secret"]), ..app };
    eventually("the new key is known", || {
        (server.api_of(new).get("/channels", &[]).head.status == 200).then_some(())
    });
    let keys = admin.get(&format!("{place}/keys?secrets=true")).expect(200);
    assert_eq!(
        (&keys["keys"][0]["secret"], &keys["keys"][1]["secret"]),
        (&json!(app.secret), &json!(new.secret))
    );
    assert_eq!(admin.delete(&format!("{place}/keys/{}", app.key)).expect(204), Value::Null);
    eventually("the old key is not valid any more", || {
        (server.api_of(app).get("/channels", &[]).head.status == 401).then_some(())
    });
    assert!(admin.get(&format!("{place}/keys")).expect(200)["keys"][0]["revoked_at"].is_string());
    admin.delete(&format!("{place}/keys/{}", new.key)).refused(409, "last-key", &[]);

    assert_eq!(admin.delete(&place).expect(204), Value::Null);
    socket.expect_close_code(4001);
    admin.get(&place).refused(404, "no-such-app", &[]);
}

#[test]
fn a_change_holds_as_soon_as_it_is_answered() {
    let (server, admin) = start();
    let text = |value: &Value| -> &'static str { value.as_str().expect("a text").to_owned().leak() };
    let status = |app: App| server.api_of(app).get("/channels", &[]).head.status;
    assert_eq!(status(APP), 404, "that the app is unknown is remembered");
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    assert_eq!(status(APP), 200, "a new app");
    let pair = admin.post("/v1/apps/3/keys", "").expect(201);
    let new = App { key: text(&pair["key"]), secret: text(&pair["secret"]), ..APP };
    assert_eq!(status(new), 200, "a new key");
    admin.delete(&format!("/v1/apps/3/keys/{}", APP.key)).expect(204);
    assert_eq!(status(APP), 401, "a revoked key");
    admin.patch("/v1/apps/3", r#"{"settings":{"max_connections":1}}"#).expect(200);
    let _first = server.connect_to(new);
    server.open(&pusher_js(new)).expect_close_code(4004);
    admin.patch("/v1/apps/3", r#"{"enabled":false}"#).expect(200);
    server.open(&pusher_js(new)).expect_close_code(4003);
    admin.delete("/v1/apps/3").expect(204);
    server.open(&pusher_js(new)).expect_close_code(4001);
}

#[test]
fn what_is_given_is_taken_and_the_command_line_sees_the_same() {
    let (server, admin) = start();
    create(&server, &admin, &json!({"max_connections": 7}));
    let shown: Value =
        serde_json::from_str(&server.commanded(&["app", "show", APP.id, "--json"])).expect("JSON");
    assert_eq!(shown, admin.get("/v1/apps/3").expect(200));
    assert_eq!(
        (&shown["keys"][0]["key"], &shown["settings"]["max_connections"]),
        (&json!(APP.key), &json!(7))
    );
    let listed: Value = serde_json::from_str(&server.commanded(&["app", "list", "--json"])).expect("JSON");
    assert_eq!(rows(&listed), rows(&admin.get("/v1/apps").expect(200)));
}

#[test]
fn an_app_may_be_made_without_any_wish_and_switched_off() {
    let (_server, admin) = start();
    assert_eq!(admin.post("/v1/apps", "").expect(201)["enabled"], true);
    assert_eq!(admin.post("/v1/apps", "{}").expect(201)["settings"], json!({}));
    let off = admin.post("/v1/apps", r#"{"enabled":false}"#).expect(201);
    assert_eq!((&off["enabled"], &off["settings"]), (&json!(false), &json!({})));
}

#[test]
fn the_list_comes_a_page_at_a_time_the_configurations_first() {
    let server = Setup::new().app(OTHER, "").config("[apps]\ndatabase = \"sqlite\"").start();
    let config = ["--config", "fanfare.toml"];
    let arguments = [&["token", "create", "--name", "t", "--scope", ALL, "--json"], &config[..]].concat();
    let made: Value = serde_json::from_str(&server.commanded(&arguments)).expect("JSON");
    let admin = Admin::nobody(&server).bearing(made["token"].as_str().expect("a text"));
    for id in ["100", "20", "5", "21"] {
        admin.post("/v1/apps", &json!({"id": id}).to_string()).expect(201);
    }
    let all = admin.get("/v1/apps").expect(200);
    assert_eq!(ids(&all), [APP.id, OTHER.id, "5", "20", "21", "100"]);
    assert_eq!((&all["next"], &all["apps"][0]["source"]), (&Value::Null, &json!("configuration")));
    for limit in 1..=6 {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("/v1/apps?limit={limit}{after}")).expect(200);
            found.extend(ids(&page).into_iter().map(str::to_owned));
            assert!(ids(&page).len() <= limit);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(found, [APP.id, OTHER.id, "5", "20", "21", "100"], "{limit} at a time");
    }
    let last = admin.get("/v1/apps?after=100").expect(200);
    assert_eq!((ids(&last).len(), &last["next"]), (0, &Value::Null));
    for reply in [
        admin.patch("/v1/apps/3", "{}"),
        admin.delete("/v1/apps/3"),
        admin.post("/v1/apps/3/keys", ""),
        admin.delete(&format!("/v1/apps/3/keys/{}", APP.key)),
    ] {
        reply.refused(409, "configuration-app", &[]);
    }
    assert_eq!(admin.get("/v1/apps/3/keys?secrets=true").expect(200)["keys"][0]["secret"], APP.secret);
}

#[test]
fn a_change_reaches_connections_that_are_open() {
    let (server, admin) = start();
    create(&server, &admin, &json!({}));
    let (mut first, mut second) = (server.connect(), server.connect());
    for socket in [&mut first, &mut second] {
        socket.subscribe_private(APP, "private-a");
    }
    admin.patch("/v1/apps/3", r#"{"settings":{"client_events":true}}"#).expect(200);
    eventually("client events are let through", || {
        first.client_event("private-a", "client-a", "{}");
        first.send(r#"{"event":"pusher:ping"}"#);
        let is_let_through = first.text() == PONG;
        if !is_let_through {
            first.expect_text(PONG);
        }
        is_let_through.then_some(())
    });
    second.expect_event("private-a", "client-a", "{}");
}

#[test]
fn ws_050_an_app_that_is_disabled_over_http_loses_its_connections_with_4003() {
    let (server, admin) = start();
    create(&server, &admin, &json!({}));
    let mut socket = server.connect();
    assert_eq!(admin.patch("/v1/apps/3", r#"{"enabled":false}"#).expect(200)["enabled"], false);
    socket.expect_close_code(4003);
    server.open(&pusher_js(APP)).expect_close_code(4003);
    admin.patch("/v1/apps/3", r#"{"enabled":true}"#).expect(200);
    eventually("it is enabled again", || {
        (server.api().get("/channels", &[]).head.status == 200).then_some(())
    });
    server.connect();
}

#[test]
fn secrets_and_tokens_are_in_no_answer_but_those_that_are_for_them_and_in_no_log() {
    let server = Setup::bare().config("[log]\nfilter = \"trace\"").start();
    let right = token(&server, ALL);
    let admin = Admin::nobody(&server).bearing(&right);
    let wrong = format!("fanfare_{}", "5e".repeat(32));
    Admin::nobody(&server).bearing(&wrong).get("/v1/apps").refused(401, "wrong-token", &[]);
    create(&server, &admin, &json!({}));
    let rotated = admin.post("/v1/apps/3/keys", "{}").expect(201);
    let secrets = [APP.secret, rotated["secret"].as_str().expect("a text")];
    let refused = json!({"id": "8", "secret": format!("{} ", APP.secret), "zzz": right});
    let refused = admin.post("/v1/apps", &refused.to_string());
    assert_eq!(refused.json["status"], 422);
    for body in [
        admin.get("/v1/apps").expect(200).to_string(),
        admin.get("/v1/apps/3").expect(200).to_string(),
        admin.get("/v1/apps/3/keys").expect(200).to_string(),
        admin.get("/v1/apps/3/keys?secrets=false").expect(200).to_string(),
        admin.patch("/v1/apps/3", r#"{"name":"x"}"#).expect(200).to_string(),
        refused.json.to_string(),
        server.commanded(&["token", "list"]),
        server.commanded(&["token", "list", "--json"]),
    ] {
        for secret in secrets.iter().chain([&&*right]) {
            assert!(!body.contains(secret), "{body}");
        }
    }
    let shown = admin.get("/v1/apps/3/keys?secrets=true").expect(200).to_string();
    assert!(secrets.iter().all(|secret| shown.contains(secret)));
    server.process.log_line("that secrets were shown", |line| {
        (line.contains("secrets of an app shown") && line.contains("name=\"test\"")).then_some(())
    });
    let log = server.process.stderr();
    for secret in secrets.iter().chain([&&*right, &&*wrong]) {
        assert!(!log.contains(secret), "a secret or a token is in the log");
    }
    assert!(log.contains("app created") && log.contains("key of an app made"));
}
